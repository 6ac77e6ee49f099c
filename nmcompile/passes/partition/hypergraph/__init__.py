"""Deterministic multilevel partitioning of hypergraphs."""

from nmcompile.passes.partition.hypergraph.cut import cut, cut_to_limit
from nmcompile.passes.partition.hypergraph.hypergraph import Hypergraph, km1

__all__ = ["Hypergraph", "cut", "cut_to_limit", "km1"]
