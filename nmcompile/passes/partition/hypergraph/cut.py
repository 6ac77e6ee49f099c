"""Cut a hypergraph into parts of bounded weight, such that nets reach few parts."""

from __future__ import annotations

import math

import numpy as np

from nmcompile.errors import CutError
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.hypergraph._bisect_kernels import WIDEST, halved, side_of, split
from nmcompile.passes.partition.hypergraph._level_kernels import (
    Level,
    build,
    clustered,
    contracted,
    relabelled,
)
from nmcompile.passes.partition.hypergraph._parts_kernels import Parts, parts_of
from nmcompile.passes.partition.hypergraph._refine_kernels import packed, pass_over, rebalance
from nmcompile.passes.partition.hypergraph.hypergraph import Hypergraph

VERTICES = 20  # for each part, on the coarsest level
SEEDED = 60  # vertices of a bisection's coarsest level
PASSES = 6  # over a level at most
PATIENCE = 300  # moves without gain before a pass ends
WIDE, KNIT = 45, 0.14  # pins a net, and how far clusters must merge pins; see _hierarchies
LARGEST = 2**28  # of the sum of weights of nets: gains are int32
TABLE = 2**27  # entries of the tables of vertices, and of nets, by parts

Hierarchy = tuple[list[Level], list[Array], int]  # levels, clusters, vertices when seeds are grown


def cut(graph: Hypergraph, k: int, *, imbalance: float = 0.05, seed: int = 0) -> Array:
    """The part of each vertex, (n,) int32 in 0..k-1, of low km1; the same for the same arguments.

    No part weighs more than ceil((1 + imbalance) * total / k). Raises NmcError where a vertex does,
    or where no such parts are found.

    Multilevel: clusters of vertices are contracted until few are left, these are cut by recursive
    bisection, and each level on the way back is refined by moves between any two parts (Karypis
    and Kumar, DAC 1999; Schlag et al., ALENEX 2016).
    """
    if k < 1:
        raise CutError("hypergraph", f"cannot be cut into {k} parts", "Ask for 1 or more.")
    total = int(graph.vertex_weight.sum())
    return _cut(graph, k, math.ceil((1 + imbalance) * total / k), seed)


def _cut(graph: Hypergraph, k: int, limit: int, seed: int) -> Array:
    graph.verify()
    heaviest = int(graph.vertex_weight.max(initial=0))
    if heaviest > limit:
        raise CutError(
            "hypergraph",
            f"a vertex weighs {heaviest:,}, a part may weigh {limit:,}",
            "Ask for fewer parts.",
        )
    if k == 1 or graph.n_vertices == 0:
        return np.zeros(graph.n_vertices, np.int32)
    return _partition(level_of(graph), k, limit, seed)


def level_of(graph: Hypergraph) -> Level:
    """The hypergraph for the kernels: weights of nets are integers whose sum is small enough."""
    weight, n = graph.net_weight, graph.n_vertices
    total = float(weight.sum())
    if total > LARGEST or not np.issubdtype(weight.dtype, np.integer):
        weight = np.ceil(weight / total * (LARGEST // 2)) if total > 0 else weight
    same = np.arange(n, dtype=np.int32)
    pins = graph.pins.astype(np.int32)
    nets = relabelled(graph.start.astype(np.int64), pins, weight.astype(np.int64), same, n)
    return build(*nets, graph.vertex_weight.astype(np.int64))


def _partition(level: Level, k: int, limit: int, seed: int) -> Array:
    if max(len(level.vertex_weight), len(level.weight)) * k > TABLE and k > 2:
        return _halves(level, k, limit, seed)
    best: tuple[int, Array] | None = None
    for levels, labels, seeded in _hierarchies(level, k, limit, seed):
        parts, fits = _multilevel(levels, labels, seeded, k, limit, seed)
        cost = _cost(level, parts)
        if fits and (best is None or cost < best[0]):
            best = cost, parts.part
    return best[1] if best else _by_weight(level, k, limit, seed)


def _multilevel(
    levels: list[Level], labels: list[Array], seeded: int, k: int, limit: int, seed: int
) -> tuple[Parts, bool]:
    """Cut the last level, and refine on all from there to the first; whether the parts fit."""
    part = np.zeros(len(levels[-1].vertex_weight), np.int32)
    inside = np.arange(len(part), dtype=np.int32)
    split(levels[-1], inside, part, 0, k, limit, seeded, seed)
    for i in range(len(levels) - 1, -1, -1):
        parts = parts_of(levels[i], part, k)
        fits = _refined(levels[i], parts, limit, seed)
        if i > 0:
            part = parts.part[labels[i - 1]]
    return parts, fits


def _cost(level: Level, parts: Parts) -> int:
    return int((level.weight * (np.count_nonzero(parts.count, axis=1) - 1)).sum())


def _halves(level: Level, k: int, limit: int, seed: int) -> Array:
    """Two halves cut on their own, as the tables of all would be too large."""
    sides = halved(level, k, limit, SEEDED, seed)
    part = np.empty(len(sides), np.int32)
    for side, first, parts in ((0, 0, k // 2), (1, k // 2, k - k // 2)):
        half, inside = side_of(level, sides, side)
        part[inside] = first + _partition(half, parts, limit, seed + 1)
    return part


def _hierarchies(level: Level, k: int, limit: int, seed: int) -> list[Hierarchy]:
    """What is tried: coarsening, and none where nets are wide.

    In wide nets of layers that are connected at random, vertices cluster with the sources of their
    nets, but belong with the vertices of their own layer. Where clustering merges hardly any pins,
    it is not tried. The bounds are measured, with tools/bench/partition.py.
    """
    flat: Hierarchy = ([level], [], len(level.vertex_weight))
    levels, labels = _coarsened(level, k, limit, seed)
    if len(labels) == 0 or len(level.pins) <= WIDE * len(level.weight):
        return [(levels, labels, SEEDED)]
    pins = len(levels[1].pins) / len(level.pins)
    vertices = len(levels[1].vertex_weight) / len(level.vertex_weight)
    return [flat] if pins > vertices**KNIT else [(levels, labels, SEEDED), flat]


def _coarsened(level: Level, k: int, limit: int, seed: int) -> tuple[list[Level], list[Array]]:
    """Levels from fine to coarse, and the clusters between them."""
    levels: list[Level] = [level]
    labels: list[Array] = []
    while (n := len(levels[-1].vertex_weight)) > VERTICES * k:
        wanted = max(n // 3, VERTICES * k)
        label, m = clustered(levels[-1], max(1, limit // 6), wanted, WIDEST, seed + len(labels))
        if m > 0.95 * n:
            break
        levels.append(contracted(levels[-1], label, m))
        labels.append(label)
    return levels, labels


def _refined(level: Level, parts: Parts, limit: int, seed: int) -> bool:
    """Lower km1 in place; whether the parts fit."""
    fits = rebalance(level, parts, limit)
    for i in range(PASSES):
        if pass_over(level, parts, limit, PATIENCE, seed + i) == 0:
            break
    return bool(fits)


def _by_weight(level: Level, k: int, limit: int, seed: int) -> Array:
    """Parts that fit because weights alone made them, refined."""
    heaviest_first = np.argsort(-level.vertex_weight, kind="stable")
    parts = parts_of(level, packed(level.vertex_weight, heaviest_first, k), k)
    if not _refined(level, parts, limit, seed):
        raise CutError(
            "hypergraph",
            f"no {k} parts of at most {limit:,} were found for vertices of up to "
            f"{int(level.vertex_weight.max()):,}, together {int(level.vertex_weight.sum()):,}",
            "Allow more imbalance or more parts.",
        )
    return parts.part
