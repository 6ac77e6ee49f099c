"""Placement by steepest pair swaps on hops, nmcompile's former way: the peer of placement.py."""

import scipy.sparse

from nmcompile.arithmetic.jit import kernel

ROUNDS = 50


def pair_swaps(packets, tile_of, core):
    """(n,) core of each slice after swaps from `core`; `tile_of` gives each core's place."""
    core, both = core.copy(), scipy.sparse.csr_array(packets + packets.T)
    position = tile_of[core]
    descend(both.indptr, both.indices, both.data, position, core, ROUNDS)
    return core


@kernel
def wire(start, other, packets, x, y, position, a, b):
    """Packets times hops of slice `a` if it stood at (x, y), without those to or from `b`."""
    total = 0.0
    for k in range(start[a], start[a + 1]):
        peer = other[k]
        if peer in (a, b):
            continue
        peer_x, peer_y = 0, 0
        if peer < len(position):
            peer_x, peer_y = position[peer, 0], position[peer, 1]
        total += packets[k] * (abs(x - peer_x) + abs(y - peer_y))
    return total


@kernel
def descend(start, other, packets, position, core, rounds):
    """Swap slices in place while a swap lowers packets times hops; the input port is at (0, 0)."""
    n = len(core)
    for _ in range(rounds):
        swapped = False
        for a in range(n):
            ax, ay = position[a]
            best, partner = 1e-9, -1
            for b in range(n):
                bx, by = position[b]
                if ax == bx and ay == by:
                    continue
                gain = wire(start, other, packets, ax, ay, position, a, b)
                gain += wire(start, other, packets, bx, by, position, b, a)
                gain -= wire(start, other, packets, bx, by, position, a, b)
                gain -= wire(start, other, packets, ax, ay, position, b, a)
                if gain > best:
                    best, partner = gain, b
            if partner >= 0:
                swapped = True
                core[a], core[partner] = core[partner], core[a]
                for k in range(2):
                    held = position[a, k]
                    position[a, k] = position[partner, k]
                    position[partner, k] = held
        if not swapped:
            return
