"""Passes that cut populations into core-sized slices."""

from nmcompile.passes.partition.partition import partition
from nmcompile.passes.partition.search import Found, search

__all__ = ["Found", "partition", "search"]
