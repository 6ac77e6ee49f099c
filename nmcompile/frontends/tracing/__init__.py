"""Trace a torch model by running it once."""

from nmcompile.frontends.tracing.readings import MAX_ELEMENTS, Sample, steps_of
from nmcompile.frontends.tracing.trace import trace

__all__ = ["MAX_ELEMENTS", "Sample", "steps_of", "trace"]
