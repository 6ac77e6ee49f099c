"""Passes that cut populations into core-sized slices."""

from nmcompile.passes.partition.blocks import own_cutter
from nmcompile.passes.partition.irregular import regroup
from nmcompile.passes.partition.partition import partition
from nmcompile.passes.partition.search import Found, search
from nmcompile.passes.partition.suggest import suggestions

__all__ = ["Found", "own_cutter", "partition", "regroup", "search", "suggestions"]
