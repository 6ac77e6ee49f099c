"""Passes that decide how spikes reach their targets."""

from nmcompile.passes.route import multicast
from nmcompile.passes.route.route import route

__all__ = ["multicast", "route"]
