"""Passes that bring a network into the form that chips have, without changing a spike."""

from nmcompile.passes.legalize.compose import compose
from nmcompile.passes.legalize.in_places import in_places
from nmcompile.passes.legalize.long_delays import Relayed, with_relay_neurons
from nmcompile.passes.legalize.retime import Latency, retime

__all__ = ["Latency", "Relayed", "compose", "in_places", "retime", "with_relay_neurons"]
