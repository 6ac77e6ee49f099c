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
    masks = _classes(trees, len(demand))
    key = _clustered(masks, bits)
    mask = (-1 << bits) & 0xFFFFFFFF
    return Keys(key=key.astype(np.uint32), mask=mask.astype(np.uint32))


def _bits(neurons: Array) -> Array:
    """Bits that count up to each of `neurons`."""
    return np.frexp(np.maximum(neurons, 1) - 1)[1].astype(np.int64)


def _classes(trees: Trees, n: int) -> Array:
    """(n, chips) uint64: the route of each slice on the chips that have to choose."""
    source = np.repeat(np.arange(n), np.diff(trees.start))
    pair = trees.chip.astype(np.int64) << 32 | trees.route
    order = np.argsort(pair, kind="stable")
    new = np.diff(pair[order], prepend=-1) != 0
    chip = trees.chip[order]
    rank = np.cumsum(new)
    _, begin, column = np.unique(chip, return_index=True, return_inverse=True)
    inside = rank - rank[begin][column]
    masks = np.zeros((2 * n - 1, len(begin)), np.uint64)
    masks[source[order], column] = np.left_shift(np.uint64(1), (inside % CLASSES).astype(np.uint64))
    many = np.maximum.reduceat(inside, begin) > 0 if len(begin) else np.zeros(0, bool)
    return np.ascontiguousarray(masks[:, many])


def _clustered(masks: Array, bits: Array) -> Array:
    n = len(bits)
    sizes = np.concatenate([bits, np.zeros(n - 1, np.int64)])
    key = place_blocks(cluster(masks, sizes), sizes, n)
    if sizes[-1] > KEY_BITS:
        raise NmcError("keys", f"the slices need {sizes[-1]} key bits, a packet has {KEY_BITS}")
    return key
