"""Cut a hypergraph in two: coarsen, grow one side from several seeds, refine on the way back."""

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.passes.partition.hypergraph._heap_kernels import pop, push
from nmcompile.passes.partition.hypergraph._level_kernels import (
    build,
    clustered,
    contracted,
    relabelled,
    shuffled,
)
from nmcompile.passes.partition.hypergraph._refine_kernels import (
    move,
    rebalance,
    search_round,
    state_of,
)

import os
SMALL = int(os.environ.get("SMALL", "100"))
DENSE = float(os.environ.get("DENSE", "0.8"))
SINGLE = int(os.environ.get("SINGLE", "0"))  # vertices; from here on seeds are grown
WIDEST = 500  # pins; larger nets say little about which vertices belong together


@kernel
def _grown(level, aim, limit, first):
    """A state whose side 0 was grown from vertex `first` to the weight `aim`, by best gain."""
    n = len(level.vertex_weight)
    state = state_of(level, np.ones(n, np.int32), limit)
    heap = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int32)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    size = 0
    for v in range(n):
        size = push(v, state.alone[v] - state.total[v], size, heap, place, key)
    size = push(first, np.int32(2**30), size, heap, place, key)
    now = 0
    while size > 0 and state.load[0] < aim:
        v = heap[0]
        size = pop(size, heap, place, key)
        if state.load[0] + level.vertex_weight[v] > limit[0]:
            continue
        found = move(level, state, v, 0, touched, stamp, now)
        now += 1
        for i in range(found):
            u = touched[i]
            if place[u] >= 0:
                gain = state.alone[u] + state.reached[u, 0] - state.total[u]
                size = push(u, gain, size, heap, place, key)
    return state


@kernel
def _cost(level, state):
    """Overweight and cut weight of a bisection."""
    over = np.int64(0)
    for p in range(len(state.limit)):
        over += max(0, state.load[p] - state.limit[p])
    cut = np.int64(0)
    for e in range(len(level.weight)):
        if state.count[e, 0] > 0 and state.count[e, 1] > 0:
            cut += level.weight[e]
    return over, cut


@kernel
def _refined(level, state, rounds, seed):
    rebalance(level, state)
    for i in range(rounds):
        if search_round(level, state, len(state.part), 25 + len(state.part) // 4, seed + i) == 0:
            break


@kernel
def bisected(level, aim, limit, tries, seed):
    """Side of each vertex, (n,) int32: side 0 weighs about `aim`, none more than its `limit`."""
    n = len(level.vertex_weight)
    if n > SMALL:
        heaviest = max(2 * level.vertex_weight.sum() // SMALL, 1)
        label, m = clustered(level, heaviest, n // 2, WIDEST, seed)
        smaller = contracted(level, label, m)
        if len(smaller.pins) < DENSE * len(level.pins):
            coarse = bisected(smaller, aim, limit, tries, seed + 1)
            part = np.empty(n, np.int32)
            for v in range(n):
                part[v] = coarse[label[v]]
            state = state_of(level, part, limit)
            _refined(level, state, 3, seed)
            return state.part
    best_over, best_cut = np.int64(2**62), np.int64(2**62)
    best = np.zeros(n, np.int32)
    order = shuffled(n, seed + 7)
    for i in range(min(tries, n)):
        state = _grown(level, aim, limit, order[i])
        _refined(level, state, 3, seed + i)
        over, cut = _cost(level, state)
        if over < best_over or (over == best_over and cut < best_cut):
            best_over, best_cut, best = over, cut, state.part
    return best


@kernel
def side_of(level, part, side):
    """The level of one side, whose nets are cut to it, and its vertices."""
    n = len(part)
    label = np.full(n, -1, np.int32)
    inside = np.empty(n, np.int32)
    m = 0
    for v in range(n):
        if part[v] == side:
            label[v] = m
            inside[m] = v
            m += 1
    start, pins, weight = relabelled(level.start, level.pins, level.weight, label, m)
    inside = inside[:m].copy()
    return build(start, pins, weight, level.vertex_weight[inside]), inside
