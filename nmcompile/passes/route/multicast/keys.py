"""Give every source slice a block of multicast keys, so that routing entries merge."""

from __future__ import annotations

import numpy as np

from nmcompile.errors import RouteError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.multicast.demand import Demand
from nmcompile.mapping.multicast.routing import Keys
from nmcompile.passes.route.multicast._key_kernels import cluster, place_blocks
from nmcompile.passes.route.multicast.trees import Trees

KEY_BITS = 32
CLASSES = 64  # bits of a word; on chips with more routes some share a bit
MIX = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)))
MOST = 512  # slices clustered at once: the work grows with the square


def keys(
    demand: Demand, trees: Trees, spare_bits: int = 0, key_bits: int = KEY_BITS
) -> Keys:
    """Blocks of the least power of two that holds each slice's neurons.

    spare_bits  low bits of a key that a neuron has for itself (sPyNNaker counts steps in 4)
    key_bits    of a packet

    Blocks are leaves of a binary tree whose nodes are blocks again. It joins the two clusters of
    slices that fewest chips must tell apart, counted as Fitch's algorithm counts changes (Fitch
    1971, Toward defining the course of evolution); a chip then needs few prefixes for its routes
    (compress.py). Raises NmcError if a key does not hold all blocks.
    """
    bits = _bits(demand.neurons) + spare_bits
    source, chip, word = _classes(trees)
    group, inside = _alike(source, chip, word, bits)
    first, counts = np.flatnonzero(inside == 0), np.bincount(group)
    chosen = inside[source] == 0
    base, rank, total = _blocks(group[source[chosen]], chip[chosen], word[chosen],
                                bits[first] + _bits(counts))
    key = base[group] + (inside << bits)
    if total > key_bits:
        key = _packed(bits, rank[group] * len(bits) + inside, key_bits)
    mask = (-1 << bits) & 0xFFFFFFFF
    return Keys(key=key.astype(np.uint32), mask=mask.astype(np.uint32))


def _bits(neurons: Array) -> Array:
    """Bits that count up to each of `neurons`."""
    return np.frexp(np.maximum(neurons, 1) - 1)[1].astype(np.int64)


def _classes(trees: Trees) -> tuple[Array, Array, Array]:
    """Slice, chip and route of each node on a chip that must choose, by ascending slice.

    Routes are bits of a uint64.
    """
    source = np.repeat(np.arange(len(trees.start) - 1), np.diff(trees.start))
    pair = trees.chip.astype(np.int64) << 32 | trees.route
    order = np.argsort(pair, kind="stable")
    chip = trees.chip[order]
    new_chip = np.diff(chip, prepend=-1) != 0
    rank = np.cumsum(np.diff(pair[order], prepend=-1) != 0)
    begin = np.flatnonzero(new_chip)
    inside = rank - rank[begin][np.cumsum(new_chip) - 1]
    chooses = np.repeat(np.maximum.reduceat(inside, begin) > 0 if len(begin) else begin > 0,
                        np.diff(begin, append=len(chip)))
    word = np.empty(len(order), np.uint64)
    kept = np.empty(len(order), bool)
    word[order] = np.left_shift(np.uint64(1), (inside % CLASSES).astype(np.uint64))
    kept[order] = chooses
    return source[kept], trees.chip[kept], word[kept]


def _alike(source: Array, chip: Array, word: Array, bits: Array) -> tuple[Array, Array]:
    """Group of each slice with those of its size and routes, in order of their first; rank inside.

    Compared by a hash: where it is wrong, keys are less well chosen and no less right.
    """
    mixed: Array = (chip.astype(np.uint64) + np.uint64(1)) * MIX[0] + word * MIX[1]
    mixed = (mixed ^ np.right_shift(mixed, np.uint64(29))) * MIX[2]
    mixed = mixed ^ np.right_shift(mixed, np.uint64(32))
    total = np.zeros(len(bits), np.uint64)
    np.add.at(total, source, mixed)
    _, first, group, counts = np.unique(total * np.uint64(64) + bits.astype(np.uint64),
                                        return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    inside = np.empty(len(bits), np.int64)
    inside[order] = np.arange(len(bits)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.argsort(np.argsort(first))[group], inside


def _blocks(source: Array, chip: Array, word: Array, bits: Array) -> tuple[Array, Array, int]:
    """First key and rank of each slice in one tree, and the bits of its root.

    source, chip, word  of each route that matters: slice (ascending), chip, bit
    """
    n = len(bits)
    keys: list[Array] = []
    ranks: list[Array] = []
    roots: list[tuple[Array, Array, Array]] = []
    tops: list[int] = []
    for low in range(0, n, MOST):
        size = min(MOST, n - low)
        kept = slice(*np.searchsorted(source, [low, low + size]))
        chips, at = np.unique(chip[kept], return_inverse=True)
        masks = np.zeros((2 * size - 1, len(chips)), np.uint64)
        masks[source[kept] - low, at] = word[kept]
        sizes = np.concatenate([bits[low:low + size], np.zeros(size - 1, np.int64)])
        key, rank = place_blocks(cluster(masks, sizes), sizes, size)
        keys.append(key)
        ranks.append(rank)
        roots.append((np.full(len(chips), len(tops)), chips, masks[-1]))
        tops.append(int(sizes[-1]))
    if len(tops) < 2:
        none = np.zeros(0, np.int64)
        return np.concatenate([*keys, none]), np.concatenate([*ranks, none]), sum(tops)
    above, chips, word = (np.concatenate(part) for part in zip(*roots, strict=True))
    base, order, total = _blocks(above, chips, word, np.array(tops))
    counts = np.array([len(key) for key in keys])
    return (np.concatenate(keys) + np.repeat(base, counts),
            np.concatenate(ranks) + MOST * np.repeat(order, counts), total)


def _packed(bits: Array, rank: Array, key_bits: int) -> Array:
    """Blocks without gaps, large before small, else by rank: where a tree takes too many bits."""
    order = np.lexsort((rank, -bits))
    if bits.max() > key_bits or (size := np.left_shift(1, bits)).sum() > 1 << key_bits:
        raise RouteError("keys", f"the slices need more than the 2^{key_bits} keys of a packet",
                         "Use fewer spare bits.")
    key = np.empty(len(bits), np.int64)
    key[order] = np.cumsum(size[order]) - size[order]
    return key
