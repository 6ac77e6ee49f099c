"""Passes that cut populations into core-sized slices."""

from nmcompile.passes.partition.fan_in import FanIn, split_fan_in
from nmcompile.passes.partition.irregular import regroup
from nmcompile.passes.partition.pack import pack
from nmcompile.passes.partition.partition import partition
from nmcompile.passes.partition.partitioners import PARTITIONERS, TOLD, cutter, told_of
from nmcompile.passes.partition.search import Found, search
from nmcompile.passes.partition.splitters import may_split, with_splitters
from nmcompile.passes.partition.suggest import suggestions

__all__ = ["PARTITIONERS", "TOLD", "FanIn", "Found", "cutter", "may_split", "pack",
           "partition", "regroup", "search", "split_fan_in", "suggestions", "told_of",
           "with_splitters"]
