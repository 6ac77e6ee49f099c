"""Hypergraphs as the kernels hold them: pins by net and by vertex, clustered and contracted."""

from typing import NamedTuple

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.ir.neurons.base import Array


class Level(NamedTuple):
    """A hypergraph of one level: nets of 2 or more unlike pins, and the nets of each vertex."""

    start: Array  # (nets+1,) int64
    pins: Array  # (p,) int32
    weight: Array  # (nets,) int64
    vertex_start: Array  # (n+1,) int64
    vertex_nets: Array  # (p,) int32
    vertex_weight: Array  # (n,) int64


@kernel
def shuffled(n, seed):
    """A permutation of 0..n-1: Fisher and Yates with the generator splitmix64."""
    order = np.arange(n).astype(np.int32)
    state = np.uint64(seed)
    for i in range(n - 1, 0, -1):
        state += np.uint64(0x9E3779B97F4A7C15)
        z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        j = np.int64((z ^ (z >> np.uint64(31))) % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]
    return order


@kernel
def build(start, pins, weight, vertex_weight):
    """The level of these nets, which have 2 pins or more and repeat none."""
    n = len(vertex_weight)
    vertex_start = np.zeros(n + 1, np.int64)
    for pin in pins:
        vertex_start[pin + 1] += 1
    for v in range(n):
        vertex_start[v + 1] += vertex_start[v]
    fill = vertex_start[:n].copy()
    vertex_nets = np.empty(len(pins), np.int32)
    for e in range(len(weight)):
        for i in range(start[e], start[e + 1]):
            v = pins[i]
            vertex_nets[fill[v]] = e
            fill[v] += 1
    return Level(start, pins, weight, vertex_start, vertex_nets, vertex_weight)


@kernel
def _equal_net(start, pins, mark, stamp, e, size):
    """Whether the `size` pins marked with `stamp` are those of net e."""
    if start[e + 1] - start[e] != size:
        return False
    for i in range(start[e], start[e + 1]):
        if mark[pins[i]] != stamp:
            return False
    return True


@kernel
def relabelled(start, pins, weight, label, n):
    """Nets with pins renamed by `label` (-1 drops them): no repeats, 2 pins or more, none twice."""
    nets = len(weight)
    new_start = np.empty(nets + 1, np.int64)
    new_pins = np.empty(len(pins), np.int32)
    new_weight = np.empty(nets, np.int64)
    mark = np.full(n, -1, np.int32)
    slots = 1
    while slots < 2 * nets:
        slots *= 2
    table = np.full(slots, -1, np.int32)
    count, used = 0, 0
    new_start[0] = 0
    for e in range(nets):
        end = used
        key = np.uint64(0)
        for i in range(start[e], start[e + 1]):
            c = label[pins[i]]
            if c >= 0 and mark[c] != e:
                mark[c] = e
                new_pins[end] = c
                end += 1
                z = (np.uint64(c) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
                key += (z ^ (z >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        if end - used < 2 or weight[e] == 0:
            continue
        slot = np.int64((key ^ (key >> np.uint64(32))) & np.uint64(slots - 1))
        while table[slot] >= 0 and not _equal_net(
            new_start, new_pins, mark, e, table[slot], end - used
        ):
            slot = (slot + 1) & (slots - 1)
        if table[slot] >= 0:
            new_weight[table[slot]] += weight[e]
            continue
        table[slot] = count
        new_weight[count] = weight[e]
        used = end
        count += 1
        new_start[count] = used
    return new_start[: count + 1].copy(), new_pins[:used].copy(), new_weight[:count].copy()


@kernel
def _numbered(label):
    """The labels renamed to 0, 1, ... in order of appearance."""
    name = np.full(len(label), -1, np.int32)
    count = 0
    for v in range(len(label)):
        c = label[v]
        if name[c] < 0:
            name[c] = count
            count += 1
        label[v] = name[c]
    return label


@kernel
def clustered(level, heaviest, n_wanted, widest, seed):
    """Cluster of each vertex and the number of clusters, by the rating sum of weight/(size-1).

    Each vertex, in random order, joins the cluster of highest rating that stays within `heaviest`;
    clustering stops at `n_wanted`. Nets of more than `widest` pins are not rated. (Catalyurek and
    Aykanat, IEEE TPDS 1999; Karypis et al., IEEE TVLSI 1999.)
    """
    start, pins, weight, vertex_start, vertex_nets, vertex_weight = level
    n = len(vertex_weight)
    label = np.arange(n).astype(np.int32)
    load = vertex_weight.copy()
    alone = np.ones(n, np.bool_)
    rating = np.zeros(n, np.float32)
    seen = np.empty(n, np.int32)
    left = n
    for v in shuffled(n, seed):
        if left <= n_wanted:
            break
        if not alone[v]:
            continue
        found = 0
        for i in range(vertex_start[v], vertex_start[v + 1]):
            e = vertex_nets[i]
            size = start[e + 1] - start[e]
            if size > widest:
                continue
            score = np.float32(weight[e] / (size - 1))
            for j in range(start[e], start[e + 1]):
                c = label[pins[j]]
                if rating[c] == 0:
                    seen[found] = c
                    found += 1
                rating[c] += score
        best, best_rating = -1, np.float32(0)
        for i in range(found):
            c = seen[i]
            r = rating[c] / np.float32(max(load[c], 1))
            rating[c] = 0
            if c != v and load[c] + load[v] <= heaviest and r > best_rating:
                best, best_rating = c, r
        if best >= 0:
            label[v] = best
            load[best] += load[v]
            alone[v] = False
            alone[best] = False
            left -= 1
    return _numbered(label), left


@kernel
def contracted(level, label, n):
    """The level whose vertices are the `n` clusters."""
    vertex_weight = np.zeros(n, np.int64)
    for v in range(len(label)):
        vertex_weight[label[v]] += level.vertex_weight[v]
    start, pins, weight = relabelled(level.start, level.pins, level.weight, label, n)
    return build(start, pins, weight, vertex_weight)
