"""Passes that cut populations into core-sized slices."""

from nmcompile.passes.partition.partition import partition

__all__ = ["partition"]
