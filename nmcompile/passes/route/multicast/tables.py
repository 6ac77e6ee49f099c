"""Routing entries of every chip, from trees and keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.multicast.machine import Machine
from nmcompile.mapping.multicast.routing import Keys, Tables
from nmcompile.passes.route.multicast.trees import Trees


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrivals:
    """All blocks of keys that reach chip c, rows start[c]:start[c+1], by ascending key.

    key, mask, route  as in Tables: what the chip has to do with them
    straight          bool: an entry is not needed
    """

    start: Array
    key: Array
    mask: Array
    route: Array
    straight: Array


def arrivals(machine: Machine, trees: Trees, keys: Keys) -> Arrivals:
    """What reaches each chip; keys that do not may be routed in any way."""
    source = np.repeat(np.arange(len(keys.key)), np.diff(trees.start))
    key = keys.key[source]
    order = np.argsort(trees.chip.astype(np.int64) << 32 | key, kind="stable")
    chip = trees.chip[order]
    return Arrivals(
        start=np.searchsorted(chip, np.arange(len(machine) + 1)),
        key=key[order],
        mask=keys.mask[source[order]],
        route=trees.route[order],
        straight=trees.straight()[order],
    )


def tables(arriving: Arrivals) -> Tables:
    """One entry for each block that does not go straight on."""
    kept = ~arriving.straight
    counts = np.concatenate([[0], np.cumsum(kept)])
    return Tables(start=counts[arriving.start], key=arriving.key[kept], mask=arriving.mask[kept],
                  route=arriving.route[kept])
