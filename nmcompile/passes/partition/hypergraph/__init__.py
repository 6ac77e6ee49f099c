"""Deterministic multilevel partitioning of hypergraphs."""

from nmcompile.passes.partition.hypergraph.cut import cut
from nmcompile.passes.partition.hypergraph.hypergraph import Hypergraph, km1

__all__ = ["Hypergraph", "cut", "km1"]
