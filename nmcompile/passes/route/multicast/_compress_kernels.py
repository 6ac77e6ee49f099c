"""Short tables for the blocks of keys that reach each chip: fewest prefixes, then merges."""

import numpy as np

from nmcompile.arithmetic.jit import kernel
from nmcompile.passes.route.multicast._merge_kernels import merge_entries


@kernel
def high_bit(value):
    """Number of the highest bit set in `value`, above 0."""
    number = 0
    while value > 1:
        value >>= 1
        number += 1
    return number


@kernel
def prefix_tree(key, bits, left, right, top):
    """Binary tree of n ascending blocks (leaves 0..n-1, inner nodes n..2n-2); its root.

    top  filled with the free bits of each node: its keys agree above them
    Built like a Cartesian tree of the highest bits in which neighbours differ.
    """
    n = len(key)
    top[:n] = bits
    stack = np.zeros(n, np.int64)
    depth = 0
    for i in range(1, n):
        node = n + i - 1
        split = high_bit(np.int64(key[i - 1]) ^ np.int64(key[i])) + 1
        below = i - 1
        while depth > 0 and top[stack[depth - 1]] < split:
            depth -= 1
            below = stack[depth]
        left[node], right[node], top[node] = below, i, split
        if depth > 0:
            right[stack[depth - 1]] = node
        stack[depth] = node
        depth += 1
    return stack[0]


@kernel
def number_routes(route, rank):
    """Number the different routes from 0 in `rank`; how many there are."""
    order = np.argsort(route)
    count = 0
    for i in range(len(order)):
        if i > 0 and route[order[i]] != route[order[i - 1]]:
            count += 1
        rank[order[i]] = count
    return count + 1


@kernel
def first_bit(words):
    """The lowest bit set in `words`."""
    for w in range(len(words)):
        if words[w]:
            for b in range(64):
                if words[w] >> np.uint64(b) & np.uint64(1):
                    return 64 * w + b
    return -1


@kernel
def count_changes(straight, left, right, order, sets, covered, bare):
    """Fill `sets` (routes that a node may hand down), and entries below a node, from the leaves up.

    covered  entries below a node that has one of its own
    bare     entries at and below a node with none above it
    """
    n = len(straight)
    for i in range(n):
        covered[i] = 0
        bare[i] = 0 if straight[i] else 1
    for node in order:
        a, b = left[node], right[node]
        common = False
        for w in range(sets.shape[1]):
            if sets[a, w] & sets[b, w]:
                common = True
        for w in range(sets.shape[1]):
            sets[node, w] = sets[a, w] & sets[b, w] if common else sets[a, w] | sets[b, w]
        covered[node] = covered[a] + covered[b] + (0 if common else 1)
        bare[node] = min(bare[a] + bare[b], covered[node] + 1)


@kernel
def inner_nodes(root, left, right, n):
    """The n - 1 inner nodes of a tree of n leaves, children before their parents."""
    order = np.empty(n - 1, np.int64)
    stack = np.empty(2 * n, np.int64)
    stack[0], depth, at = root, 1, n - 1
    while depth > 0:
        depth -= 1
        node = stack[depth]
        if node >= n:
            at -= 1
            order[at] = node
            stack[depth], stack[depth + 1] = left[node], right[node]
            depth += 2
    return order


@kernel
def route_of(node, above, is_leaf, splits, sets, bare):
    """Number of the route that holds at and below `node`, where `above` (-1 none) holds above."""
    if above >= 0:
        if sets[node, above // 64] >> np.uint64(above % 64) & np.uint64(1):
            return above
        return first_bit(sets[node])
    if bare[node] == 0 or (not is_leaf and splits):
        return -1
    return first_bit(sets[node])


@kernel
def choose(root, left, right, sets, covered, bare):
    """The node and the route's number of every entry, parents before children."""
    n = (len(left) + 1) // 2
    nodes, numbers = np.empty(2 * n, np.int64), np.empty(2 * n, np.int64)
    stack, given = np.empty(2 * n, np.int64), np.empty(2 * n, np.int64)
    stack[0], given[root] = root, -1
    depth, size = 1, 0
    while depth > 0:
        depth -= 1
        node = stack[depth]
        splits = node >= n and bare[left[node]] + bare[right[node]] <= covered[node] + 1
        mine = route_of(node, given[node], node < n, splits, sets, bare)
        if mine != given[node]:
            nodes[size], numbers[size] = node, mine
            size += 1
        if node >= n:
            given[left[node]] = given[right[node]] = mine
            stack[depth], stack[depth + 1] = left[node], right[node]
            depth += 2
    return nodes[:size], numbers[:size]


@kernel
def prefixes(key, bits, route, straight, out_key, out_top, out_route):
    """The fewest prefix entries, longest first on every path; how many there are.

    key, bits  ascending blocks; route, straight  what each needs
    """
    n = len(key)
    if n == 0:
        return 0
    left, right = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int64)
    top, lowest = np.zeros(2 * n - 1, np.int64), np.empty(2 * n - 1, np.int64)
    covered, bare = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int64)
    root = prefix_tree(key, bits, left, right, top)
    order = inner_nodes(root, left, right, n)
    rank = np.empty(n, np.int64)
    n_routes = number_routes(route, rank)
    routes = np.zeros(n_routes, np.uint32)
    sets = np.zeros((2 * n - 1, (n_routes + 63) // 64), np.uint64)
    for i in range(n):
        routes[rank[i]] = route[i]
        sets[i, rank[i] // 64] = np.uint64(1) << np.uint64(rank[i] % 64)
        lowest[i] = key[i]
    for node in order:
        lowest[node] = lowest[left[node]]
    count_changes(straight, left, right, order, sets, covered, bare)
    nodes, numbers = choose(root, left, right, sets, covered, bare)
    for i in range(len(nodes)):
        node = nodes[len(nodes) - 1 - i]
        out_key[i] = lowest[node] >> top[node] << top[node]
        out_top[i] = top[node]
        out_route[i] = routes[numbers[len(nodes) - 1 - i]]
    return len(nodes)


@kernel
def compress_chips(start, key, mask, route, straight):
    """The table of each chip: starts, key, mask and route of each entry."""
    n = len(start) - 1
    out_start = np.zeros(n + 1, np.int64)
    out_key, out_mask = np.empty(len(key), np.uint32), np.empty(len(key), np.uint32)
    out_route = np.empty(len(key), np.uint32)
    top, bits = np.empty(len(key), np.int64), np.empty(len(key), np.int64)
    for i in range(len(key)):
        bits[i] = high_bit(np.int64(~mask[i])) + 1 if ~mask[i] else 0
    for c in range(n):
        low, high, at = start[c], start[c + 1], out_start[c]
        size = prefixes(key[low:high], bits[low:high], route[low:high], straight[low:high],
                        out_key[at:], top[at:], out_route[at:])
        for e in range(at, at + size):
            out_mask[e] = np.uint32((np.int64(-1) << top[e]) & 0xFFFFFFFF)
        rank = np.empty(size, np.int64)
        if size > 1 and number_routes(out_route[at:at + size], rank) < size:
            table = (out_key[at:], out_mask[at:], out_route[at:])
            blocks = (key[low:high], mask[low:high], route[low:high])
            before = size + 1
            while size < before:
                before = size
                size = merge_entries(table, size, blocks)
        out_start[c + 1] = at + size
    end = out_start[n]
    return out_start, out_key[:end], out_mask[:end], out_route[:end]
