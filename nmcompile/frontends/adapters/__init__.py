"""The libraries whose neurons the tracer knows: one Adapter each, in this tuple."""

from nmcompile.frontends.adapters.interface import Adapter, Described
from nmcompile.frontends.adapters.snntorch import SNNTORCH

ADAPTERS: tuple[Adapter, ...] = (SNNTORCH,)

__all__ = ["ADAPTERS", "Adapter", "Described"]
