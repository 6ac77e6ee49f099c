"""Deterministic multilevel partitioning of hypergraphs."""

from nmcompile.passes.partition.hypergraph.cut import cut, cut_to_limit
from nmcompile.passes.partition.hypergraph.hypergraph import Hypergraph, km1
from nmcompile.passes.partition.hypergraph.partitioners import (
    PARTITIONERS,
    TOLD,
    Cutter,
    cutter,
    told_of,
)

__all__ = ["PARTITIONERS", "TOLD", "Cutter", "Hypergraph", "cut", "cut_to_limit", "cutter", "km1",
           "told_of"]
