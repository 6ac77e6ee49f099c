"""Bit-exact, timed simulation of a program on the model of its chip."""

from nmcompile.simulator.energy import KINDS, energy_by_slice
from nmcompile.simulator.run import Counts, Run, simulate

__all__ = ["KINDS", "Counts", "Run", "energy_by_slice", "simulate"]
