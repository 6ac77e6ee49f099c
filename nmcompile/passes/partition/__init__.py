"""Passes that cut populations into core-sized slices."""

from nmcompile.passes.partition.irregular import regroup
from nmcompile.passes.partition.partition import partition
from nmcompile.passes.partition.suggest import suggestions

__all__ = ["partition", "regroup", "suggestions"]
