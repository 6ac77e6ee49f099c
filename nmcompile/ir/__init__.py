"""What a network is: populations, linear maps, number formats, their rules and their meaning."""

from nmcompile.ir.formats import SpikeFormat, SynapseFormat
from nmcompile.ir.network import Input, Network, Output, Population, Projection
from nmcompile.ir.reference import Trace, decisions, run
from nmcompile.ir.verify import order, verify

__all__ = [
    "Input",
    "Network",
    "Output",
    "Population",
    "Projection",
    "SpikeFormat",
    "SynapseFormat",
    "Trace",
    "decisions",
    "order",
    "run",
    "verify",
]
