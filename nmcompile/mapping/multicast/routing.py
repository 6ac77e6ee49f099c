"""What routers are loaded with: a block of keys for each sender, a table for each chip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Keys:
    """Blocks of keys; a packet of source i has a key k with k & mask[i] == key[i].

    key, mask  (s,) uint32
    """

    key: Array
    mask: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """Entries of chip c are start[c]:start[c+1]; the first that matches a packet routes it.

    start      (chips+1,) int64
    key, mask  (e,) uint32   a packet's key k matches where k & mask == key
    route      (e,) uint32   bits 0 to 5 links out, bit 6 + p core p
    A packet that nothing matches goes straight on; one from a core of the chip is lost.
    """

    start: Array
    key: Array
    mask: Array
    route: Array

    def __len__(self) -> int:
        return len(self.key)

    def entries(self) -> Array:
        """(chips,) entries of each chip."""
        return np.diff(self.start)


@dataclass(frozen=True, kw_only=True, eq=False)
class Routing:
    """Keys and tables of a mapping.

    Senders are its slices, then the blocks of input lines (`senders`); line i of a sender, in
    their order, sends the key `keys.key + (i << spare_bits)`.
    """

    keys: Keys
    tables: Tables
