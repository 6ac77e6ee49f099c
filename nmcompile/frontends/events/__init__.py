"""Recordings of event cameras, read in pieces and binned into samples of steps."""

from nmcompile.frontends.events.options import EventOptions

__all__ = ["EventOptions"]
