"""The time of steps in which packets meet."""

from nmcompile.simulator.cycle.timing import CycleTiming

__all__ = ["CycleTiming"]
