"""A hypergraph in flat arrays, and what a partition of it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Hypergraph:
    """Weighted vertices and weighted nets; a net holds any number of vertices.

    start          (nets+1,) int64  pins of net e are start[e]:start[e+1]
    pins           (p,) int32       vertices; a vertex that a net lists twice counts once
    net_weight     (nets,) int64 or float64, not negative
    vertex_weight  (n,) int64, not negative
    """

    start: Array
    pins: Array
    net_weight: Array
    vertex_weight: Array

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.vertex_weight)

    @property
    def n_nets(self) -> int:
        """Number of nets."""
        return len(self.net_weight)

    def verify(self) -> None:
        """Raise RuntimeError where the arrays do not describe a hypergraph."""
        rules = (
            (len(self.start) == self.n_nets + 1, "start has one entry more than there are nets"),
            (self.start[0] == 0 and self.start[-1] == len(self.pins), "start spans the pins"),
            (bool(np.all(np.diff(self.start) >= 0)), "start does not fall"),
            (not len(self.pins) or 0 <= self.pins.min() <= self.pins.max() < self.n_vertices,
             "pins are vertices"),
            (bool(np.all(self.net_weight >= 0) and np.all(np.isfinite(self.net_weight))),
             "nets weigh 0 or more"),
            (bool(np.all(self.vertex_weight >= 0)), "vertices weigh 0 or more"),
        )
        for holds, rule in rules:
            if not holds:
                raise RuntimeError(f"not a hypergraph: {rule}")


def km1(graph: Hypergraph, part: Array, k: int) -> int | float:
    """Sum over nets of weight * (parts that the net touches - 1); 0 for nets without pins.

    This is the connectivity metric of the partitioning literature, and of the packets that cores
    must be sent: one for each further core that a spike reaches.
    """
    net = np.repeat(np.arange(graph.n_nets), np.diff(graph.start))
    touched = np.unique(net * k + part[graph.pins]) // k
    parts = np.bincount(touched, minlength=graph.n_nets)
    return (graph.net_weight * np.maximum(parts - 1, 0)).sum().item()
