"""A partition into k parts, and moves between them with exact gains."""

from typing import NamedTuple

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.ir.neurons.base import Array


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
    start, pins, weight = level.start, level.pins, level.weight
    n, nets = len(part), len(weight)
    load = np.zeros(k, np.int64)
    for v in range(n):
        load[part[v]] += level.vertex_weight[v]
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
    part, load, count, reached, alone, _ = parts
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
