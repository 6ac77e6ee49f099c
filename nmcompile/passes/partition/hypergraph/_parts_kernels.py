"""Moves of vertices between k parts with exact gains: tables, passes with rollback, balance."""

from typing import NamedTuple

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.hypergraph._heap_kernels import pop, push
from nmcompile.passes.partition.hypergraph._level_kernels import shuffled

FULL = np.int32(-(2**30))  # lower than any gain, which is beyond -2**28 (cut.LARGEST)


class Parts(NamedTuple):
    """A partition with the tables that give each move's gain.

    Moving v from its part to b lowers km1 by alone[v] + reached[v, b] - total[v].
    """

    part: Array  # (n,) int32
    load: Array  # (k,) int64 weight of each part
    count: Array  # (nets, k) int32 pins of a net in a part
    reached: Array  # (n, k) int32 weight of the vertex's nets with a pin in the part
    alone: Array  # (n,) int32 weight of its nets with no other pin in its part
    total: Array  # (n,) int32 weight of its nets


@kernel
def parts_of(level, part, k):
    """The tables of a partition."""
    start, pins, weight, vertex_start, vertex_nets, vertex_weight = level
    n, nets = len(part), len(weight)
    load = np.zeros(k, np.int64)
    for v in range(n):
        load[part[v]] += vertex_weight[v]
    count = np.zeros((nets, k), np.int32)
    reached = np.zeros((n, k), np.int32)
    alone = np.zeros(n, np.int32)
    total = np.zeros(n, np.int32)
    touched = np.empty(k, np.int32)
    for e in range(nets):
        w = np.int32(weight[e])
        found = 0
        for i in range(start[e], start[e + 1]):
            p = part[pins[i]]
            if count[e, p] == 0:
                touched[found] = p
                found += 1
            count[e, p] += 1
        for i in range(start[e], start[e + 1]):
            v = pins[i]
            total[v] += w
            if count[e, part[v]] == 1:
                alone[v] += w
            for j in range(found):
                reached[v, touched[j]] += w
    return Parts(part, load, count, reached, alone, total)


@kernel
def move(level, parts, v, b, touched, stamp, now):
    """Move `v` to part `b`; the number of vertices in `touched`, whose best gain may have risen.

    stamp, now  which vertices are in `touched` already; `now` differs from call to call
    """
    start, pins, weight, vertex_start, vertex_nets, vertex_weight = level
    part, load, count, reached, alone, total = parts
    a = part[v]
    part[v] = b
    load[a] -= vertex_weight[v]
    load[b] += vertex_weight[v]
    found = 0
    own = np.int32(0)
    for i in range(vertex_start[v], vertex_start[v + 1]):
        e = vertex_nets[i]
        w = np.int32(weight[e])
        first, last = start[e], start[e + 1]
        count[e, a] -= 1
        count[e, b] += 1
        here, there = count[e, a], count[e, b]
        if there == 1:
            own += w
            for j in range(first, last):
                u = pins[j]
                reached[u, b] += w
                if stamp[u] != now:
                    stamp[u] = now
                    touched[found] = u
                    found += 1
        elif there == 2:
            for j in range(first, last):
                u = pins[j]
                if part[u] == b and u != v:
                    alone[u] -= w
                    break
        if here == 0:
            for j in range(first, last):
                reached[pins[j], a] -= w
        elif here == 1:
            for j in range(first, last):
                u = pins[j]
                if part[u] == a:
                    alone[u] += w
                    if stamp[u] != now:
                        stamp[u] = now
                        touched[found] = u
                        found += 1
                    break
    alone[v] = own
    return found


@kernel
def best_move(parts, v, weight, limit):
    """Best gain of `v` and the part it goes to; part -1 where none has room for it."""
    a = parts.part[v]
    row = parts.reached[v]
    best, target = np.int32(-1), -1
    for b in range(len(row)):
        if row[b] >= best and b != a and parts.load[b] + weight <= limit:
            if row[b] > best or parts.load[b] < parts.load[target]:
                best, target = row[b], b
    return parts.alone[v] + best - parts.total[v], target


@kernel
def _most_reached(reached, v, a, room):
    """Most weight of v's nets that any part but `a` with room reaches; far below 0 if none has room.

    The loop is free of branches, so that it becomes vector instructions.
    """
    own = reached[v, a]
    reached[v, a] = FULL
    most = FULL
    for b in range(len(room)):
        most = max(most, np.int32(reached[v, b] + room[b]))
    reached[v, a] = own
    return most


@kernel
def pass_over(level, parts, limit, patience, seed):
    """One pass of moves with rollback; by how much it lowered km1.

    The best move of all border vertices is made, each vertex once, until `patience` moves in a row
    gave nothing; then the moves behind the best point are undone. (Fiduccia and Mattheyses, DAC
    1982; Sanchis, IEEE TC 1989, for k parts; gain tables as in Gottesbueren et al., ALENEX 2021.)
    The keys of the heap may be too high; the gain is computed anew when a vertex comes first.
    """
    part, load, count, reached, alone, total = parts
    vertex_weight = level.vertex_weight
    n, k = len(part), len(load)
    heap = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int32)
    locked = np.zeros(n, np.bool_)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    moved = np.empty(n, np.int32)
    origin = np.empty(n, np.int32)
    lightest = vertex_weight.min()
    room = np.zeros(k, np.int32)
    for p in range(k):
        room[p] = 0 if load[p] + lightest <= limit else FULL
    size = 0
    for v in shuffled(n, seed):
        most = _most_reached(reached, v, part[v], room)
        if most > 0:
            size = push(v, most + alone[v] - total[v], size, heap, place, key)
    made, kept = 0, 0
    sum_now, sum_best = 0, 0
    while size > 0 and made - kept < patience:
        v = heap[0]
        gain, target = best_move(parts, v, vertex_weight[v], limit)
        if target < 0:
            size = pop(size, heap, place, key)
            continue
        if gain < key[v]:
            size = push(v, gain, size, heap, place, key)
            if heap[0] != v:
                continue
        size = pop(size, heap, place, key)
        a = part[v]
        moved[made] = v
        origin[made] = a
        locked[v] = True
        found = move(level, parts, v, target, touched, stamp, made)
        made += 1
        room[a] = 0 if load[a] + lightest <= limit else FULL
        room[target] = 0 if load[target] + lightest <= limit else FULL
        sum_now += gain
        if sum_now > sum_best:
            sum_best = sum_now
            kept = made
        for i in range(found):
            u = touched[i]
            if locked[u]:
                continue
            gain = _most_reached(reached, u, part[u], room) + alone[u] - total[u]
            if (place[u] < 0 and gain > FULL // 2) or (place[u] >= 0 and gain > key[u]):
                size = push(u, gain, size, heap, place, key)
    for i in range(made - 1, kept - 1, -1):
        move(level, parts, moved[i], origin[i], touched, stamp, n + i)
    return sum_best


@kernel
def rebalance(level, parts, limit):
    """Move vertices out of overloaded parts, the best gain first; whether all parts then fit."""
    part, load, vertex_weight = parts.part, parts.load, level.vertex_weight
    n = len(part)
    if np.all(load <= limit):
        return True
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
        v = heap[0]
        gain, target = best_move(parts, v, vertex_weight[v], limit)
        if target < 0 or load[part[v]] <= limit:
            size = pop(size, heap, place, key)
            continue
        if gain < key[v]:
            size = push(v, gain, size, heap, place, key)
            if heap[0] != v:
                continue
        size = pop(size, heap, place, key)
        move(level, parts, v, target, touched, stamp, made)
        made += 1
    return bool(np.all(load <= limit))


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
