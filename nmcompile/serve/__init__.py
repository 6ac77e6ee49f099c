"""A device of this machine, given to one client after the other."""

from nmcompile.serve.server import Offer, serve

__all__ = ["Offer", "serve"]
