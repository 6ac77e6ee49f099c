"""Passes that cut populations into core-sized slices."""

from nmcompile.passes.partition.fan_in import FanIn, split_fan_in
from nmcompile.passes.partition.irregular import regroup
from nmcompile.passes.partition.pack import SHARED, pack, told_of_sharing
from nmcompile.passes.partition.partition import grids_of, partition
from nmcompile.passes.partition.partitioners import OWN, PARTITIONERS, TOLD, cutter, told_of
from nmcompile.passes.partition.search import Found, search
from nmcompile.passes.partition.splitters import may_split, with_splitters
from nmcompile.passes.partition.suggest import suggestions
from nmcompile.passes.partition.tick_cut import in_time
from nmcompile.passes.partition.tick_loads import TickLoads

__all__ = ["OWN", "PARTITIONERS", "SHARED", "TOLD", "FanIn", "Found", "TickLoads", "cutter",
           "grids_of", "in_time", "may_split", "pack", "partition", "regroup", "search",
           "split_fan_in", "suggestions", "told_of", "told_of_sharing", "with_splitters"]
