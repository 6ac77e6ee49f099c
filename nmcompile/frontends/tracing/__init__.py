"""Trace a torch model by running it once."""

from nmcompile.frontends.tracing.readings import Sample
from nmcompile.frontends.tracing.trace import trace

__all__ = ["Sample", "trace"]
