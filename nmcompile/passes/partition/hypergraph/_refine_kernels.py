"""Passes of moves between k parts: with rollback for km1, and for balance."""

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.passes.partition.hypergraph._heap_kernels import pop, push
from nmcompile.passes.partition.hypergraph._level_kernels import shuffled
from nmcompile.passes.partition.hypergraph._parts_kernels import best_move, move

FULL = np.int32(-(2**30))  # far below any gain, which is above -2**28 (cut.LARGEST)


@kernel
def _most_reached(reached, v, a, room):
    """Most weight of v's nets that any part but `a` with room reaches; near FULL if none has room.

    room  (k,) int32, 0 or FULL. The loop is free of branches, to become vector instructions.
    """
    own = reached[v, a]
    reached[v, a] = FULL
    most = FULL
    for b in range(len(room)):
        most = max(most, np.int32(reached[v, b] + room[b]))
    reached[v, a] = own
    return most


@kernel
def _first_move(parts, vertex_weight, limit, size, heap, place, key):
    """Take out the vertex of best gain: (vertex or -1, gain, part, size of the heap).

    Keys may be too high: the gain is computed anew when a vertex comes first.
    """
    while size > 0:
        v = heap[0]
        gain, target = best_move(parts, v, vertex_weight[v], limit)
        if target < 0:
            size = pop(size, heap, place, key)
            continue
        if gain < key[v]:
            push(v, gain, size, heap, place, key)
            if heap[0] != v:
                continue
        return v, gain, target, pop(size, heap, place, key)
    return -1, 0, -1, 0


@kernel
def _enter_border(parts, room, seed, heap, place, key):
    """Fill the heap with the vertices that share a net with a part with room; its size."""
    part, _, _, reached, alone, total = parts
    size = 0
    for v in shuffled(len(part), seed):
        most = _most_reached(reached, v, part[v], room)
        if most > 0:
            size = push(v, most + alone[v] - total[v], size, heap, place, key)
    return size


@kernel
def pass_over(level, parts, limit, patience, seed):
    """One pass of moves with rollback; by how much it lowered km1.

    The best move of all border vertices is made, each vertex once, until `patience` moves in a row
    gave nothing; then the moves behind the best point are undone. (Fiduccia and Mattheyses, DAC
    1982; Sanchis, IEEE TC 1989, for k parts; gain tables as in Gottesbueren et al., ALENEX 2021.)
    """
    part, load, _, reached, alone, total = parts
    n, lightest = len(part), level.vertex_weight.min()
    heap = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int32)
    locked = np.zeros(n, np.bool_)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    moved = np.empty(n, np.int32)
    origin = np.empty(n, np.int32)
    room = np.where(load + lightest <= limit, np.int32(0), FULL)
    size = _enter_border(parts, room, seed, heap, place, key)
    made, kept = 0, 0
    sum_now, sum_best = 0, 0
    while made - kept < patience:
        v, gain, b, size = _first_move(parts, level.vertex_weight, limit, size, heap, place, key)
        if v < 0:
            break
        a = part[v]
        moved[made], origin[made], locked[v] = v, a, True
        found = move(level, parts, v, b, touched, stamp, made)
        made += 1
        room[a] = 0 if load[a] + lightest <= limit else FULL
        room[b] = 0 if load[b] + lightest <= limit else FULL
        sum_now += gain
        if sum_now > sum_best:
            sum_best, kept = sum_now, made
        for i in range(found):
            u = touched[i]
            if not locked[u]:
                gain = _most_reached(reached, u, part[u], room) + alone[u] - total[u]
                if gain > (key[u] if place[u] >= 0 else FULL // 2):
                    size = push(u, gain, size, heap, place, key)
    for i in range(made - 1, kept - 1, -1):
        move(level, parts, moved[i], origin[i], touched, stamp, n + i)
    return sum_best


@kernel
def rebalance(level, parts, limit):
    """Move vertices out of overloaded parts, the best gain first; whether all parts then fit."""
    part, load, vertex_weight = parts.part, parts.load, level.vertex_weight
    n = len(part)
    heap = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int32)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    size, made = 0, 0
    for v in range(n):
        if load[part[v]] > limit and vertex_weight[v] > 0:
            gain, target = best_move(parts, v, vertex_weight[v], limit)
            if target >= 0:
                size = push(v, gain, size, heap, place, key)
    while size > 0:
        v, _, b, size = _first_move(parts, vertex_weight, limit, size, heap, place, key)
        if v >= 0 and load[part[v]] > limit:
            move(level, parts, v, b, touched, stamp, made)
            made += 1
    return np.all(load <= limit)


@kernel
def packed(vertex_weight, heaviest_first, k):
    """A partition that only looks at weights: each vertex to the lightest part (Graham 1969)."""
    part = np.empty(len(vertex_weight), np.int32)
    load = np.zeros(k, np.int64)
    for v in heaviest_first:
        p = np.argmin(load)
        part[v] = p
        load[p] += vertex_weight[v]
    return part
