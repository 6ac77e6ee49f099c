"""Moves of vertices between parts, with exact gains: tables, local search, balance."""

from typing import NamedTuple

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.hypergraph._heap_kernels import pop, push
from nmcompile.passes.partition.hypergraph._level_kernels import shuffled

FULL = np.int32(-(2**30))  # below every weight


class State(NamedTuple):
    """A partition with the tables that give each move's gain.

    Moving v from its part to b lowers km1 by alone[v] + reached[v, b] - total[v].
    """

    part: Array  # (n,) int32
    load: Array  # (k,) int64 weight of each part
    limit: Array  # (k,) int64 its largest
    count: Array  # (nets, k) int32 pins of a net in a part
    reached: Array  # (n, k) int32 weight of the vertex's nets with a pin in the part
    alone: Array  # (n,) int32 weight of its nets with no other pin in its part
    total: Array  # (n,) int32 weight of its nets


@kernel
def state_of(level, part, limit):
    """The tables of a partition."""
    start, pins, weight, vertex_start, vertex_nets, vertex_weight = level
    n, k = len(part), len(limit)
    nets = len(weight)
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
    return State(part, load, limit, count, reached, alone, total)


@kernel
def move(level, state, v, b, touched, stamp, now):
    """Move `v` to part `b`; the number of vertices in `touched`, whose best gain may have risen."""
    start, pins, weight, vertex_start, vertex_nets, vertex_weight = level
    part, load, limit, count, reached, alone, total = state
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
def best_move(state, v, weight):
    """Best gain of `v` and the part it goes to; part -1 where none has room for it."""
    a = state.part[v]
    row = state.reached[v]
    best, target = np.int32(-1), -1
    for b in range(len(row)):
        if row[b] >= best and b != a and state.load[b] + weight <= state.limit[b]:
            if row[b] > best or state.load[b] < state.load[target]:
                best, target = row[b], b
    return state.alone[v] + best - state.total[v], target


@kernel
def best_gain(reached, v, a, room):
    """Most weight of v's nets that any part but `a` with room reaches; below 0 if none has room."""
    own = reached[v, a]
    reached[v, a] = FULL
    most = FULL
    for b in range(len(room)):
        most = max(most, np.int32(reached[v, b] + room[b]))
    reached[v, a] = own
    return most


@kernel
def search_round(level, state, batch, patience, seed):
    """One round of local searches with rollback; what it lowered km1 by.

    From every `batch` of border vertices, in random order, moves of the best gain are made, each
    vertex once, until `patience` moves in a row gave nothing; then the moves behind the best
    point are undone. (Fiduccia and Mattheyses, DAC 1982; localized as in Sanders and Osipov's
    multi-try search, ESA 2010, and with gain tables as in Mt-KaHyPar, ALENEX 2021.)
    """
    part, load, limit, count, reached, alone, total = state
    vertex_weight = level.vertex_weight
    n = len(part)
    heap = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int32)
    locked = np.zeros(n, np.bool_)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    moved = np.empty(n, np.int32)
    origin = np.empty(n, np.int32)
    now = 0
    improved = 0
    lightest = vertex_weight.min()
    room = np.zeros(len(limit), np.int32)
    for p in range(len(limit)):
        room[p] = 0 if load[p] + lightest <= limit[p] else FULL
    order = shuffled(n, seed)
    at = 0
    while at < n:
        size = 0
        while at < n and size < batch:
            v = order[at]
            at += 1
            if locked[v]:
                continue
            most = best_gain(reached, v, part[v], room)
            if most > 0:
                size = push(v, most + alone[v] - total[v], size, heap, place, key)
        made, kept = 0, 0
        sum_now, sum_best = 0, 0
        while size > 0 and made - kept < patience:
            v = heap[0]
            gain, target = best_move(state, v, vertex_weight[v])
            if target < 0:
                size = pop(size, heap, place, key)
                continue
            if gain < key[v]:
                size = push(v, gain, size, heap, place, key)
                if heap[0] != v:
                    continue
            size = pop(size, heap, place, key)
            moved[made] = v
            origin[made] = part[v]
            made += 1
            locked[v] = True
            a = part[v]
            found = move(level, state, v, target, touched, stamp, now)
            now += 1
            room[a] = 0 if load[a] + lightest <= limit[a] else FULL
            room[target] = 0 if load[target] + lightest <= limit[target] else FULL
            sum_now += gain
            if sum_now > sum_best:
                sum_best = sum_now
                kept = made
            for i in range(found):
                u = touched[i]
                if locked[u]:
                    continue
                gain = best_gain(reached, u, part[u], room) + alone[u] - total[u]
                if (place[u] < 0 and gain > FULL // 2) or (place[u] >= 0 and gain > key[u]):
                    size = push(u, gain, size, heap, place, key)
        for i in range(made - 1, kept - 1, -1):
            v = moved[i]
            a = part[v]
            move(level, state, v, origin[i], touched, stamp, now)
            now += 1
            room[a] = 0 if load[a] + lightest <= limit[a] else FULL
            b = origin[i]
            room[b] = 0 if load[b] + lightest <= limit[b] else FULL
            locked[moved[i]] = False
        for i in range(size):
            place[heap[i]] = -1
        improved += sum_best
    return improved


@kernel
def rebalance(level, state):
    """Move vertices out of overloaded parts, the best gain first; whether all parts then fit."""
    part, load, limit = state.part, state.load, state.limit
    vertex_weight = level.vertex_weight
    n = len(part)
    if np.all(load <= limit):
        return True
    heap = np.empty(n, np.int32)
    place = np.full(n, -1, np.int32)
    key = np.zeros(n, np.int32)
    touched = np.empty(n, np.int32)
    stamp = np.full(n, -1, np.int64)
    size = 0
    for v in range(n):
        if load[part[v]] > limit[part[v]]:
            gain, target = best_move(state, v, vertex_weight[v])
            if target >= 0:
                size = push(v, gain, size, heap, place, key)
    now = 0
    while size > 0:
        v = heap[0]
        a = part[v]
        gain, target = best_move(state, v, vertex_weight[v])
        if target < 0 or load[a] <= limit[a] or vertex_weight[v] == 0:
            size = pop(size, heap, place, key)
            continue
        if gain < key[v]:
            size = push(v, gain, size, heap, place, key)
            if heap[0] != v:
                continue
        size = pop(size, heap, place, key)
        move(level, state, v, target, touched, stamp, now)
        now += 1
    return bool(np.all(load <= limit))


@kernel
def cost(level, state):
    """Km1 of the partition."""
    total = np.int64(0)
    for e in range(len(level.weight)):
        parts = 0
        for p in range(len(state.limit)):
            if state.count[e, p] > 0:
                parts += 1
        total += level.weight[e] * (parts - 1)
    return total
