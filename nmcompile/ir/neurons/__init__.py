"""Neuron models: the only nonlinearity of a network."""

from nmcompile.ir.neurons.base import Neuron, Reset, ResetAt, State
from nmcompile.ir.neurons.lif import LI, LIF, CubaLI, CubaLIF

FLOAT_NEURONS = (LIF, CubaLIF, LI, CubaLI)

__all__ = ["FLOAT_NEURONS", "LI", "LIF", "CubaLI", "CubaLIF", "Neuron", "Reset", "ResetAt", "State"]
