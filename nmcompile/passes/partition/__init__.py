"""Passes that cut populations into core-sized slices."""

from nmcompile.passes.partition.blocks import own_cutter
from nmcompile.passes.partition.irregular import regroup
from nmcompile.passes.partition.pack import pack
from nmcompile.passes.partition.partition import partition
from nmcompile.passes.partition.search import Found, search
from nmcompile.passes.partition.splitters import may_split, with_splitters
from nmcompile.passes.partition.suggest import suggestions

__all__ = [
    "Found",
    "may_split",
    "own_cutter",
    "pack",
    "partition",
    "regroup",
    "search",
    "suggestions",
    "with_splitters",
]
