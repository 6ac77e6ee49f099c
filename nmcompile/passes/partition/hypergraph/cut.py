"""Cut a hypergraph into k parts of bounded weight, with few parts to each net."""

from __future__ import annotations

import math

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.hypergraph._bisect_kernels import WIDEST, bisected, side_of
from nmcompile.passes.partition.hypergraph._level_kernels import (
    Level,
    build,
    clustered,
    contracted,
    relabelled,
)
from nmcompile.passes.partition.hypergraph._refine_kernels import rebalance, search_round, state_of
from nmcompile.passes.partition.hypergraph.hypergraph import Hypergraph

VERTICES = 30  # for each part on the coarsest level
LARGEST = 2**30  # of the sum of the nets' weights within the kernels
import time, os
VERB = int(os.environ.get("VERB", "0"))
TRIES = int(os.environ.get("TRIES", "6"))
VERTICES = int(os.environ.get("VERTICES", "30"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PAT = int(os.environ.get("PAT", "50"))
PASSES, PA, PB = map(int, os.environ.get("PPP", "3,25,4").split(","))
SMALL = int(os.environ.get("SMALL", "100"))
RELAX = int(os.environ.get("RELAX", "0"))
SLACK = float(os.environ.get("SLACK", "1.03"))
BATCH = int(os.environ.get("BATCH", "1000000"))


def cut(graph: Hypergraph, k: int, *, imbalance: float = 0.05, seed: int = 0) -> Array:
    graph.verify()
    total = int(graph.vertex_weight.sum())
    limit = math.ceil((1 + imbalance) * total / k)
    level = _level(graph)
    levels, labels = [level], []
    t0 = time.process_time()
    while len(level.vertex_weight) > VERTICES * k:
        n = len(level.vertex_weight)
        label, m = clustered(level, max(1, limit // 6), max(n // 3, VERTICES * k), WIDEST, seed + len(levels))
        smaller = contracted(level, label, m)
        if VERB: print("level", m, len(smaller.weight), len(smaller.pins), time.process_time()-t0)
        if len(smaller.pins) > 0.97 * len(level.pins): break
        level = smaller
        levels.append(level)
        labels.append(label)
        if VERB: print("level", m, len(level.weight), len(level.pins), time.process_time()-t0)
    part = np.zeros(len(level.vertex_weight), np.int32)
    _recurse(level, np.arange(len(part)), part, 0, k, limit, seed)
    if VERB: print("initial", time.process_time()-t0)
    limits = np.full(k, limit)
    while True:
        state = state_of(level, part, limits)
        if VERB: print("state", len(part), cost(level, state), state.load.max(), limit, time.process_time()-t0)
        rebalance(level, state)
        for r in range(RELAX):
            before = cost(level, state)
            saved = state.part.copy()
            state.limit[:] = int(limit * SLACK) + 1
            search_round(level, state, BATCH, PAT, seed + r + 100)
            mid = cost(level, state)
            state.limit[:] = limit
            rebalance(level, state)
            after = cost(level, state)
            if VERB: print("relaxed", before, mid, after, time.process_time()-t0)
            if after > before and r>0:
                state = state_of(level, saved, limits)
        for r in range(ROUNDS):
            g = search_round(level, state, BATCH, PAT, seed + r)
            if VERB: print("round", g, cost(level, state), time.process_time()-t0)
            if g == 0: break
        part = state.part
        levels.pop()
        if not levels:
            return part
        level = levels[-1]
        part = part[labels.pop()]

def cost(level, state):
    from nmcompile.passes.partition.hypergraph._refine_kernels import cost as c
    return c(level, state)

def _level(graph: Hypergraph) -> Level:
    weight = graph.net_weight.astype(np.int64)
    n = graph.n_vertices
    start, pins, weight = relabelled(
        graph.start, graph.pins, weight, np.arange(n, dtype=np.int32), n
    )
    return build(start, pins, weight, graph.vertex_weight)


def _recurse(level: Level, inside: Array, part: Array, first: int, k: int, limit: int, seed: int):
    """Write the parts first..first+k-1 of the vertices `inside`, which are those of `level`."""
    if k == 1:
        part[inside] = first
        return
    left = k // 2
    total = int(level.vertex_weight.sum())
    slack = max(1.0, limit * k / total) ** (1 / math.ceil(math.log2(k)))
    limits = np.array([min(math.floor(slack * total * half / k), half * limit) for half in (left, k - left)])
    side = bisected(level, total * left // k, limits, SMALL, TRIES, seed, PASSES, PA, PB)
    for s, half, at in ((0, left, first), (1, k - left, first + left)):
        sub, kept = side_of(level, side, s)
        _recurse(sub, inside[kept], part, at, half, limit, seed + 1)
