"""Which targets each source reaches: the boxes that its axons end in, joined where they touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Slices
from nmcompile.simulator import _deliver_kernels as kernels


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """Parts of the targets, once for all sources whose axons end in the same slices.

    own        (n_sources,) int32, the set of parts that a source reaches
    start      (sets + 1,) int64; set i has parts start[i]:start[i + 1]
    low, high  half-open corners of each part: (parts, 3), or (parts,) for runs of flat numbers
    """

    own: Array
    start: Array
    low: Array
    high: Array


def reach(axons: Axons, slices: Slices) -> Reach:
    """The boxes of the axons' slices, of which those that touch along a whole side become one."""
    own, example = kernels.like(axons.start, axons.slice)
    n = axons.start[example + 1] - axons.start[example]
    ends = np.concatenate([[0], np.cumsum(n)])
    places = np.arange(ends[-1]) + np.repeat(axons.start[example] - ends[:-1], n)
    number = axons.slice[places]
    parts = np.repeat(np.arange(len(n)), n), slices.low[number], slices.high[number]
    for axis in (2, 1, 0):
        parts = _joined(*parts, axis)
    return _reach(own, *parts, len(n))


def runs_of(boxes: Reach, shape: tuple[int, int, int]) -> Reach:
    """The runs of flat numbers of boxes in a view of `shape`."""
    low, high = boxes.low.astype(np.int64), boxes.high.astype(np.int64)
    rows = high[:, :2] - low[:, :2]
    n = rows.prod(axis=1)
    box = np.repeat(np.arange(len(n)), n)
    row = np.arange(len(box)) - np.repeat(np.cumsum(n) - n, n)
    channel, y = np.divmod(row, rows[box, 1])
    base = ((low[box, 0] + channel) * shape[1] + low[box, 1] + y) * shape[2]
    sets = np.repeat(np.arange(len(boxes.start) - 1), np.diff(boxes.start))
    owner, begin, end = _joined(
        sets[box], (base + low[box, 2])[:, None], (base + high[box, 2])[:, None], 0)
    return _reach(boxes.own, owner, begin[:, 0], end[:, 0], len(boxes.start) - 1)


def _joined(
    owner: Array, low: Array, high: Array, axis: int
) -> tuple[Array, Array, Array]:
    """Boxes (n, axes) of one owner that meet along `axis` and agree otherwise become one."""
    others = [a for a in range(low.shape[1]) if a != axis]
    sides = np.concatenate([owner[:, None], low[:, others], high[:, others]], axis=1)
    order = np.lexsort((low[:, axis], *sides.T))
    owner, low, high, sides = owner[order], low[order], high[order], sides[order]
    fresh = np.ones(len(owner), bool)
    fresh[1:] = (sides[1:] != sides[:-1]).any(axis=1) | (low[1:, axis] != high[:-1, axis])
    begin = np.flatnonzero(fresh)
    low, owner, joined = low[begin], owner[begin], high[begin]
    joined[:, axis] = high[np.append(begin[1:], len(high)) - 1, axis] if len(begin) else 0
    order = np.argsort(owner, kind="stable")
    return owner[order], low[order], joined[order]


def _reach(own: Array, owner: Array, low: Array, high: Array, sets: int) -> Reach:
    return Reach(own=own, start=np.searchsorted(owner, np.arange(sets + 1)),
                 low=np.ascontiguousarray(low), high=np.ascontiguousarray(high))
