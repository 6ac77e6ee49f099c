"""Neuron models: the only nonlinearity of a network."""

from nmcompile.ir.neurons.activation import Activation
from nmcompile.ir.neurons.alif import ALIF
from nmcompile.ir.neurons.alpha import Alpha
from nmcompile.ir.neurons.atrlif import ATRLIF
from nmcompile.ir.neurons.base import Neuron, Reset, ResetAt, State
from nmcompile.ir.neurons.filters import CubaFilter, Filter
from nmcompile.ir.neurons.lif import LI, LIF, UNBOUNDED, CubaLI, CubaLIF
from nmcompile.ir.neurons.psn import PSN
from nmcompile.ir.neurons.resonate_fire import ResonateFire
from nmcompile.ir.neurons.sigma_delta import SigmaDelta

FLOAT_NEURONS = (LIF, CubaLIF, ALIF, ATRLIF, Alpha, PSN, Activation, SigmaDelta, ResonateFire, LI,
                 CubaLI, Filter, CubaFilter)

__all__ = ["ALIF", "ATRLIF", "FLOAT_NEURONS", "LI", "LIF", "PSN", "UNBOUNDED", "Activation",
           "Alpha", "CubaFilter", "CubaLI", "CubaLIF", "Filter", "Neuron", "Reset", "ResetAt",
           "ResonateFire", "SigmaDelta", "State"]
