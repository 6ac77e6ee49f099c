"""Bit-exact, timed simulation of a program on the model of its chip."""

from nmcompile.simulator.energy import KINDS, energy_by_slice
from nmcompile.simulator.packets import expected_traffic
from nmcompile.simulator.run import Counts, Run, simulate
from nmcompile.simulator.traffic import Expected

__all__ = ["KINDS", "Counts", "Expected", "Run", "energy_by_slice", "expected_traffic", "simulate"]
