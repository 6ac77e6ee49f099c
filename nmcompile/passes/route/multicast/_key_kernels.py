"""Clustering of slices by the routes that they take."""

import numpy as np

from nmcompile.arithmetic.jit import kernel


@kernel
def distance(masks, bits, a, b):
    """Entries that joining clusters `a` and `b` costs, then size, then what they share."""
    apart, shared = 0, 0
    for c in range(masks.shape[1]):
        if masks[a, c] and masks[b, c]:
            if masks[a, c] & masks[b, c]:
                shared += 1
            else:
                apart += 1
    return (2 * apart - shared) * 64 + max(bits[a], bits[b])


@kernel
def cluster(masks, bits):
    """A binary tree over n leaves; children of node n + i in row i, and the bits of each node.

    masks  (2n - 1, chips) uint64  route classes of each leaf on each chip; the rest is work space
    bits   (2n - 1,) int64         key bits of each leaf
    """
    n = (len(bits) + 1) // 2
    children = np.empty((n - 1, 2), np.int64)
    alive = np.arange(n)
    best = np.full(n, -1, np.int64)  # position in `alive` of the nearest that follows
    cost = np.empty(n, np.int64)
    for i in range(n - 1):
        choose(masks, bits, alive, n, i, best, cost)
    for step in range(n - 1):
        left = n - step
        a = 0
        for i in range(1, left - 1):
            if cost[i] < cost[a]:
                a = i
        b = best[a]
        node = n + step
        children[step, 0], children[step, 1] = alive[a], alive[b]
        bits[node] = max(bits[alive[a]], bits[alive[b]]) + 1
        for c in range(masks.shape[1]):
            mine, other = masks[alive[a], c], masks[alive[b], c]
            masks[node, c] = mine & other if mine & other else mine | other
        alive[a] = node
        for i in range(b, left - 1):
            alive[i], best[i], cost[i] = alive[i + 1], best[i + 1], cost[i + 1]
        for i in range(left - 2):
            if i == a or best[i] == a or best[i] == b:
                choose(masks, bits, alive, left - 1, i, best, cost)
                continue
            if best[i] > b:
                best[i] -= 1
            if i < a:
                price = distance(masks, bits, alive[i], node)
                if price < cost[i]:
                    best[i], cost[i] = a, price
    return children


@kernel
def choose(masks, bits, alive, n, i, best, cost):
    """Set the nearest cluster behind position `i`."""
    cost[i] = 1 << 60
    for j in range(i + 1, n):
        price = distance(masks, bits, alive[i], alive[j])
        if price < cost[i]:
            best[i], cost[i] = j, price


@kernel
def place_blocks(children, bits, n):
    """First key and rank of each of `n` leaves: the left child of a node keeps the node's key."""
    leaves = np.ones(2 * n - 1, np.int64)
    for step in range(n - 1):
        leaves[n + step] = leaves[children[step, 0]] + leaves[children[step, 1]]
    key, rank = np.zeros(2 * n - 1, np.int64), np.zeros(2 * n - 1, np.int64)
    for step in range(n - 2, -1, -1):
        node, left, right = n + step, children[step, 0], children[step, 1]
        key[left], rank[left] = key[node], rank[node]
        key[right] = key[node] + (np.int64(1) << min(bits[node] - 1, np.int64(40)))
        rank[right] = rank[node] + leaves[left]
    return key[:n], rank[:n]
