"""Two sides of a hypergraph, and moves between them with exact gains."""

from typing import NamedTuple

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.hypergraph._heap_kernels import pop, push


class Sides(NamedTuple):
    """A bisection, and by how much each vertex's move would lower the weight of cut nets."""

    side: Array  # (n,) int32, 0 or 1
    load: Array  # (2,) int64 weight of each side
    count: Array  # (nets, 2) int32 pins on each side
    gain: Array  # (n,) int64


@kernel
def sides_of(level, side):
    """The tables of a bisection."""
    start, pins, weight = level.start, level.pins, level.weight
    load = np.zeros(2, np.int64)
    for v in range(len(side)):
        load[side[v]] += level.vertex_weight[v]
    count = np.zeros((len(weight), 2), np.int32)
    gain = np.zeros(len(side), np.int64)
    for e in range(len(weight)):
        for i in range(start[e], start[e + 1]):
            count[e, side[pins[i]]] += 1
        w = weight[e]
        one0, one1 = count[e, 0] == 1, count[e, 1] == 1
        if count[e, 0] == 0 or count[e, 1] == 0:
            for i in range(start[e], start[e + 1]):
                gain[pins[i]] -= w
        elif one0 or one1:
            for i in range(start[e], start[e + 1]):
                s = side[pins[i]]
                if (s == 0 and one0) or (s == 1 and one1):
                    gain[pins[i]] += w
    return Sides(side, load, count, gain)


@kernel
def cut_weight(level, sides):
    """Weight of the nets on both sides."""
    total = np.int64(0)
    for e in range(len(level.weight)):
        if sides.count[e, 0] > 0 and sides.count[e, 1] > 0:
            total += level.weight[e]
    return total


@kernel
def switch(level, sides, v, touched, stamp, now):
    """Move `v` to the other side; the number of vertices in `touched`, whose gains have risen."""
    start, pins, weight, vertex_start, vertex_nets, vertex_weight = level
    side, load, count, gain = sides
    a = side[v]
    b = 1 - a
    after = -gain[v]
    side[v] = b
    load[a] -= vertex_weight[v]
    load[b] += vertex_weight[v]
    stamp[v] = now
    found = 0
    for i in range(vertex_start[v], vertex_start[v + 1]):
        e = vertex_nets[i]
        w = weight[e]
        first, last = start[e], start[e + 1]
        count[e, a] -= 1
        count[e, b] += 1
        here, there = count[e, a], count[e, b]
        if there == 1:
            for j in range(first, last):
                u = pins[j]
                gain[u] += w
                if stamp[u] != now:
                    stamp[u] = now
                    touched[found] = u
                    found += 1
        elif there == 2:
            for j in range(first, last):
                if side[pins[j]] == b and pins[j] != v:
                    gain[pins[j]] -= w
                    break
        if here == 0:
            for j in range(first, last):
                gain[pins[j]] -= w
        elif here == 1:
            for j in range(first, last):
                u = pins[j]
                if side[u] == a:
                    gain[u] += w
                    if stamp[u] != now:
                        stamp[u] = now
                        touched[found] = u
                        found += 1
                    break
    gain[v] = after
    return found


@kernel
def grown(level, aim, limit, first):
    """Sides of which 0 was grown from vertex `first` to the weight `aim`, by best gain."""
    n = len(level.vertex_weight)
    sides = sides_of(level, np.ones(n, np.int32))
    gain, load = sides.gain, sides.load
    heap = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int64)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    size = 0
    for v in range(n):
        size = push(v, gain[v], size, heap, place, key)
    size = push(first, np.int64(2**62), size, heap, place, key)
    made = 0
    while size > 0 and load[0] < aim:
        v = heap[0]
        if made > 0 and gain[v] < key[v]:
            push(v, gain[v], size, heap, place, key)
            continue
        size = pop(size, heap, place, key)
        if load[0] + level.vertex_weight[v] > limit[0]:
            continue
        found = switch(level, sides, v, touched, stamp, made)
        made += 1
        for i in range(found):
            u = touched[i]
            if place[u] >= 0 and gain[u] > key[u]:
                push(u, gain[u], size, heap, place, key)
    return sides


@kernel
def _top(gain, heap, place, key, size):
    """The vertex of best gain in a heap whose keys may be too high, or -1."""
    while size > 0:
        v = heap[0]
        if gain[v] >= key[v]:
            return v
        push(v, gain[v], size, heap, place, key)
    return -1


@kernel
def overweight(load, limit):
    """By how much the parts exceed their limits together."""
    over = np.int64(0)
    for p in range(len(limit)):
        over += max(np.int64(0), load[p] - limit[p])
    return over


@kernel
def _chosen(u, v, gain, vertex_weight, load, limit):
    """Which moves: u of side 0 or v of side 1 (-1: there is none), or -1 where neither has room.

    An overloaded side gives first, else the better gain.
    """
    if u >= 0 and load[1] + vertex_weight[u] > limit[1]:
        u = -1
    if v >= 0 and load[0] + vertex_weight[v] > limit[0]:
        v = -1
    if u < 0 or v < 0:
        return max(u, v)
    if load[0] > limit[0]:
        return u
    if load[1] > limit[1]:
        return v
    return u if gain[u] >= gain[v] else v


@kernel
def pass_over(level, sides, limit, patience):
    """One pass of moves with rollback; whether it improved (overweight, cut).

    The better of both sides' best moves is made, each vertex once, until `patience` moves in a row
    gave nothing. (Fiduccia and Mattheyses, DAC 1982.)
    """
    side, load, _, gain = sides
    n, vertex_weight = len(side), level.vertex_weight
    heap0, heap1 = np.empty(n, np.int32), np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int64)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    moved = np.empty(n, np.int32)
    size0, size1 = 0, 0
    for v in range(n):
        if side[v] == 0:
            size0 = push(v, gain[v], size0, heap0, place, key)
        else:
            size1 = push(v, gain[v], size1, heap1, place, key)
    made, kept = 0, 0
    sum_now, sum_best = np.int64(0), np.int64(0)
    over_best = overweight(load, limit)
    while made - kept < patience:
        u, v = _top(gain, heap0, place, key, size0), _top(gain, heap1, place, key, size1)
        v = _chosen(u, v, gain, vertex_weight, load, limit)
        if v < 0:
            break
        if side[v] == 0:
            size0 = pop(size0, heap0, place, key)
        else:
            size1 = pop(size1, heap1, place, key)
        sum_now += gain[v]
        found = switch(level, sides, v, touched, stamp, made)
        moved[made] = v
        made += 1
        for i in range(found):
            u = touched[i]
            if place[u] >= 0 and gain[u] > key[u]:
                if side[u] == 0:
                    push(u, gain[u], size0, heap0, place, key)
                else:
                    push(u, gain[u], size1, heap1, place, key)
        over = overweight(load, limit)
        if over < over_best or (over == over_best and sum_now > sum_best):
            sum_best, over_best, kept = sum_now, over, made
    for i in range(made - 1, kept - 1, -1):
        switch(level, sides, moved[i], touched, stamp, n + i)
    return kept > 0
