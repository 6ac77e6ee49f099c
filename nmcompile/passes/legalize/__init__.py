"""Passes that bring a network into the form that chips have, without changing a spike."""

from nmcompile.passes.legalize.compose import compose
from nmcompile.passes.legalize.retime import Latency, retime

__all__ = ["Latency", "compose", "retime"]
