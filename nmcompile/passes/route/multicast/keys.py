"""Give every source slice a block of multicast keys, so that routing entries merge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.route.multicast._key_kernels import cluster, place_blocks
from nmcompile.passes.route.multicast.demand import Demand
from nmcompile.passes.route.multicast.trees import Trees

KEY_BITS = 32
CLASSES = 64  # bits of a word; on chips with more routes some share a bit
MOST = 512  # slices clustered at once: the work grows with the square


@dataclass(frozen=True, kw_only=True, eq=False)
class Keys:
    """Blocks of keys; a packet of source i has a key k with k & mask[i] == key[i].

    key, mask  (s,) uint32
    """

    key: Array
    mask: Array

    def bits(self) -> Array:
        """(s,) free bits of each block."""
        return np.frexp(~self.mask)[1].astype(np.int64)


def keys(demand: Demand, trees: Trees, spare_bits: int = 0) -> Keys:
    """Blocks of the least power of two that holds each slice's neurons.

    spare_bits  low bits of a key that a neuron has for itself (sPyNNaker counts steps in 4)

    Blocks are leaves of a binary tree whose nodes are blocks again. It joins the two clusters of
    slices that fewest chips must tell apart, counted as Fitch's algorithm counts changes (Fitch
    1971, Toward defining the course of evolution); a chip then needs few prefixes for its routes
    (compress.py). Raises NmcError if 32 bits do not hold all blocks.
    """
    bits = _bits(demand.neurons) + spare_bits
    column, word = _classes(trees)
    source = np.repeat(np.arange(len(demand)), np.diff(trees.start))
    key, rank, total = _blocks(source, column, word, bits)
    if total > KEY_BITS:
        key = _packed(bits, rank)
    mask = (-1 << bits) & 0xFFFFFFFF
    return Keys(key=key.astype(np.uint32), mask=mask.astype(np.uint32))


def _bits(neurons: Array) -> Array:
    """Bits that count up to each of `neurons`."""
    return np.frexp(np.maximum(neurons, 1) - 1)[1].astype(np.int64)


def _classes(trees: Trees) -> tuple[Array, Array]:
    """Of each node: a number for its chip among those that must choose, -1 for others; its route.

    Routes are bits of a uint64.
    """
    pair = trees.chip.astype(np.int64) << 32 | trees.route
    order = np.argsort(pair, kind="stable")
    chip = trees.chip[order]
    rank = np.cumsum(np.diff(pair[order], prepend=-1) != 0)
    begin = np.flatnonzero(np.diff(chip, prepend=-1))
    own = np.cumsum(np.diff(chip, prepend=-1) != 0) - 1
    inside = rank - rank[begin][own]
    chooses = np.maximum.reduceat(inside, begin) > 0 if len(begin) else begin > 0
    number = np.where(chooses, np.cumsum(chooses) - 1, -1)
    column, word = np.empty(len(order), np.int64), np.empty(len(order), np.uint64)
    column[order] = number[own]
    word[order] = np.left_shift(np.uint64(1), (inside % CLASSES).astype(np.uint64))
    return column, word


def _blocks(source: Array, column: Array, word: Array, bits: Array) -> tuple[Array, Array, int]:
    """First key and rank of each slice in one tree, and the bits of its root.

    source, column, word  of each route that matters: slice (ascending), chip, bit
    """
    n, width = len(bits), int(column.max(initial=-1)) + 1
    keys, ranks, roots, tops = [], [], [], []
    for low in range(0, n, MOST):
        size = min(MOST, n - low)
        rows = slice(*np.searchsorted(source, [low, low + size]))
        kept = column[rows] >= 0
        masks = np.zeros((2 * size - 1, width), np.uint64)
        masks[source[rows][kept] - low, column[rows][kept]] = word[rows][kept]
        sizes = np.concatenate([bits[low:low + size], np.zeros(size - 1, np.int64)])
        key, rank = place_blocks(cluster(masks, sizes), sizes, size)
        keys.append(key)
        ranks.append(rank)
        roots.append(masks[-1])
        tops.append(sizes[-1])
    if len(tops) < 2:
        none = np.zeros(0, np.int64)
        return np.concatenate([*keys, none]), np.concatenate([*ranks, none]), int(sum(tops))
    above, chip = np.nonzero(roots)
    base, order, total = _blocks(above, chip, np.array(roots)[above, chip], np.array(tops))
    counts = np.array([len(key) for key in keys])
    return (np.concatenate(keys) + np.repeat(base, counts),
            np.concatenate(ranks) + MOST * np.repeat(order, counts), total)


def _packed(bits: Array, rank: Array) -> Array:
    """Blocks without gaps, large before small, else by rank: where a tree takes too many bits."""
    order = np.lexsort((rank, -bits))
    if bits.max() > KEY_BITS or (size := np.left_shift(1, bits)).sum() > 1 << KEY_BITS:
        raise NmcError("keys", f"the slices need more than the 2^{KEY_BITS} keys of a packet",
                       "Use fewer spare bits.")
    key = np.empty(len(bits), np.int64)
    key[order] = np.cumsum(size[order]) - size[order]
    return key
