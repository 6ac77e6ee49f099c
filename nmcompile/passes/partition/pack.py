"""Several slices on one core, where there are more slices than cores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.capacity import LIMITS, Demand, too_large
from nmcompile.target import Target

SHARED = "cores are shared: "  # begins the note of a build


def told_of_sharing(core: Array) -> tuple[str, ...]:
    """What a build notes of the cores (s,) of its slices: nothing where each has its own."""
    n, cores = len(core), len(np.unique(core))
    return (f"{SHARED}{n:,} slices on {cores:,}",) if cores < n else ()


def pack(
    needs: Demand, packets: scipy.sparse.csr_array, kind: Array, names: Sequence[str], cores: int,
    target: Target,
) -> Array:
    """(s,) int64 numbers of cores from 0 on, for s slices; at most `cores`, if that is found.

    needs    of each slice by itself
    names    of the layer of each slice
    packets  (s, s) between slices in a step
    kind     (s,) int64, slices of unlike kind share no core

    Slices go by falling need, of the limit that each comes nearest to. First each goes to the core
    that is least full behind it, so that all cores are used alike; of equal ones, to an empty one,
    or to the one that it exchanges most packets with. Where that leaves a slice without a core,
    each goes to the first that has room, and the cores are as few as that makes them (Johnson 1974,
    first fit decreasing). Raises CapacityError naming a slice that no empty core holds.
    """
    room = _Room(needs, target)
    room.require_each(names)
    between = scipy.sparse.csr_array(packets + packets.T)
    even = _placed(room, between, kind, min(cores, len(kind)), even=True)
    if even is not None:
        return even
    few = _placed(room, between, kind, len(kind), even=False)
    assert few is not None  # there are as many cores as slices, each of which fits an empty one
    return few


class _Room:
    """What slices need, and what is left on cores as they fill.

    need   (s, limits) of each slice by itself; have (limits,) of a core
    asked  (s, numbers) bool, what a core keeps once for all slices on it; limit by limit
    """

    def __init__(self, needs: Demand, target: Target) -> None:
        of_slices = needs.of_slices()
        self.target, self.limits = target, list(of_slices)
        self.need = np.stack(list(of_slices.values()), axis=1)
        self.have = np.array([getattr(target.core, limit).value for limit in of_slices])
        groups = [np.zeros((len(self.need), 0), bool)]
        for pairs in needs.kept.values():
            numbers, place = np.unique(pairs[:, 1], return_inverse=True)
            groups.append(np.zeros((len(self.need), len(numbers)), bool))
            groups[-1][pairs[:, 0], place.reshape(-1)] = True
        self.asked = np.concatenate(groups, axis=1)
        self.first = np.cumsum([group.shape[1] for group in groups])

    def require_each(self, names: Sequence[str]) -> None:
        """Raise CapacityError where a slice, of the layer in `names`, needs more than a core."""
        over = self.need / self.have
        i, limit = np.unravel_index(over.argmax(), over.shape)
        if over[i, limit] > 1:
            raise too_large(names[i], self.limits[limit], int(self.need[i, limit]), self.target)

    def filled(self, used: Array, held: Array, i: int) -> Array:
        """(c,) how full, of the fullest limit, cores would be with slice i."""
        both = held | self.asked[i]
        sides = zip(self.first[:-1], self.first[1:], strict=True)
        kept = [np.count_nonzero(both[:, a:b], axis=1) for a, b in sides]
        added = used[:, : len(LIMITS)] + self.need[i, : len(LIMITS)]
        return np.asarray((np.column_stack([added, *kept]) / self.have).max(axis=1))


def _placed(
    room: _Room, between: scipy.sparse.csr_array, kind: Array, cores: int, *, even: bool
) -> Array | None:
    """A core below `cores` for each slice, None where one fits on none of them."""
    core, used = np.full(len(kind), -1), np.zeros((cores, room.need.shape[1]), np.int64)
    held = np.zeros((cores, room.asked.shape[1]), bool)
    of_core, opened = np.full(cores, -1, np.int64), 0
    for i in np.argsort(-(room.need / room.have).max(axis=1), kind="stable"):
        n = min(opened + 1, cores)  # the last of them is empty
        full = room.filled(used[:n], held[:n], i)
        fits = (full <= 1) & ((of_core[:n] == kind[i]) | (of_core[:n] < 0))
        if not fits.any():
            return None
        row = slice(between.indptr[i], between.indptr[i + 1])
        ends = core[between.indices[row]]
        near = np.bincount(ends[ends >= 0], between.data[row][ends >= 0], n)[:n]
        shared = np.arange(n) != opened
        best = _emptiest(np.flatnonzero(fits), full, shared, near) if even else fits.argmax()
        core[i], of_core[best], opened = best, kind[i], max(opened, best + 1)
        used[best] += room.need[i]
        held[best] |= room.asked[i]
    return core


def _emptiest(cores: Array, full: Array, shared: Array, near: Array) -> int:
    """Of `cores` the least full, of equal ones an empty one, then the nearest, then the first."""
    cores = cores[full[cores] == full[cores].min()]
    cores = cores[shared[cores] == shared[cores].min()]
    return int(cores[near[cores].argmax()])
