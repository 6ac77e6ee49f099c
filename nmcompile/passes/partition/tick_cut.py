"""Cut populations further, until their cores are done within the tick."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import view
from nmcompile.passes.partition.partition import candidates
from nmcompile.passes.partition.sizes import Grid, Sizes
from nmcompile.passes.partition.tick_loads import Busy, Grids, TickLoads

USED = 0.9  # of a tick; what is left is for busier ticks than those of the sample
PARTS = 64  # of a tick, the first ones the shortest
ENDS = (np.arange(PARTS + 1) / PARTS) ** 2  # of them, in ticks
SHARES = (0.06, 0.09, 0.13, 0.18, 0.25, 0.35, 0.5)  # of this, for those that others wait for
STRETCHED = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0)  # ticks
MOST = 0.9  # of a population's spikes
LIKELY = 3  # grids of as many boxes that are looked at


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """How a grid of a population fares.

    used   times and packets over those that there are, the largest
    sends  (PARTS, ticks) share of its spikes that it sends in each part of each tick
    """

    used: float
    sends: Array


def in_time(loads: TickLoads, grids: Grids, most: dict[str, int], cores: int) -> Grids:
    """Grids no coarser than `grids`, whose cores are done within the tick if that can be had.

    most   boxes of populations that may not have as many as they like
    cores  boxes of all populations

    A core takes packets and their rows first, and updates its neurons behind them. So neurons that
    inputs feed send once all rows of the inputs are added, and who hears them has what is left of
    the tick; neurons that hear nothing until they are updated send as the tick begins. Several
    shares of the tick for those that others wait for are tried, and what takes fewest boxes is
    kept. Also, no more packets than a core's buffer holds may wait. Where there are not boxes
    enough for that, tick and buffer are taken to be larger, as little as helps.
    """
    low, high, best = 0, len(STRETCHED), grids
    while low < high:
        middle = (low + high) // 2 if low else 0
        found = [cut for share in SHARES if (cut := _Try(
            loads, grids, share, STRETCHED[middle]).cut(most, cores)) is not None]
        if found:
            best, high = min(found, key=_count), middle
        else:
            low = middle + 1
    return best


def _count(grids: Grids) -> int:
    return sum(prod(grid) for grid in grids.values())


class _Try:
    """One share of the tick, and one length of it."""

    def __init__(self, loads: TickLoads, grids: Grids, share: float, stretched: float) -> None:
        self._loads, self._network, self._base = loads, loads.network, grids
        self._stretched, self._time = stretched, USED * loads.work.tick
        self._share = share * self._time
        self._at_once = np.zeros((PARTS, len(next(iter(loads.sent.values())))))
        self._at_once[0] = 1
        self._sends = {name: _one_by_one(loads.sent[name] * loads.work.line / loads.work.tick)
                       for name in loads.inputs}
        self._grids: Grids = {}

    def cut(self, most: dict[str, int], cores: int) -> Grids | None:
        """Grids of all populations, one after the other; None where one cannot be in time."""
        left = cores - _count(self._base)
        for name, coarse in self._base.items():
            grid, fit = coarse, self._fit(name, coarse)
            if fit.used > self._stretched:
                finer = self._fewest(name, min(most.get(name, cores), prod(coarse) + left))
                if finer is None:
                    return None
                grid, fit = finer
            left -= prod(grid) - prod(coarse)
            self._grids[name], self._sends[name] = grid, fit.sends
        return self._grids

    def _fewest(self, name: str, allowed: int) -> tuple[Grid, Fit] | None:
        """The grid of fewest boxes, up to `allowed`, that is in time, as if more were faster."""
        shape = view(self._network.shape_of(name))
        sizes = candidates(shape)
        parts = -(-np.array(shape) // sizes)
        boxes = parts.prod(axis=1)
        usable = (boxes > prod(self._base[name])) & (boxes <= allowed)
        counts, read = np.unique(boxes[usable]), self._loads.read(name, sizes)
        low, high, best = 0, len(counts), None
        while low < high:
            middle = (low + high) // 2
            same = np.flatnonzero(boxes == counts[middle])
            found = self._best(name, parts[same[np.argsort(read[same], kind="stable")[:LIKELY]]])
            if found[1].used <= self._stretched:
                best, high = found, middle
            else:
                low = middle + 1
        return best

    def _best(self, name: str, parts: Sizes) -> tuple[Grid, Fit]:
        grids = [(int(c), int(y), int(x)) for c, y, x in parts]
        return min(((grid, self._fit(name, grid)) for grid in grids), key=lambda both: both[1].used)

    def _fit(self, name: str, grid: Grid) -> Fit:
        """What the cores of a grid of boxes come to; of what is not cut yet, all comes at once."""
        loads, sources = self._loads, self._loads.sources(name)
        cuts = tuple(None if source in loads.inputs else grid if source == name
                     else self._grids.get(source, self._base[source]) for source in sources)
        busy = loads.busy(name, grid, cuts)
        done, waiting, sends = self._run(busy)
        used = [done / self._time, waiting / loads.work.buffer]
        if any(p.target != name for p in self._network.outgoing(name)):
            used.append(_mostly_sent(sends) * loads.work.tick / self._share)
        if busy.sources.max() > loads.target.core.input_axons.value:
            used.append(np.inf)
        return Fit(used=max(used), sends=sends)

    def _run(self, busy: Busy) -> tuple[float, float, Array]:
        """When the last core is done, packets that waited, and what is sent when.

        Rows come before updates. What is not done by the end of the tick is done behind it.
        """
        ends = ENDS * self._loads.work.tick
        rows, updates = np.zeros_like(busy.updates), busy.updates.copy()
        each = sum(busy.rows.values(), rows) / np.maximum(sum(busy.heard.values(), rows), 1)
        done, waiting = np.zeros_like(rows), 0.0
        sends = np.zeros_like(self._at_once)
        for i, part in enumerate(np.diff(ends)):
            for source, share in self._sends_to(busy):
                rows = rows + busy.rows[source] * share[i]
            taken = np.minimum(rows, part)
            rows = rows - taken
            waiting = max(waiting, float(np.divide(
                rows, each, out=np.zeros_like(rows), where=each > 0).max()))
            made = np.minimum(updates, part - taken)
            updates = updates - made
            done = np.where(taken + made > 0, ends[i] + taken + made, done)
            sends[i] = (busy.fired * made / busy.updates).sum(axis=0)
        done = np.maximum(done, np.where(rows + updates > 0, ends[-1] + rows + updates, 0))
        sends[-1] += (busy.fired * updates / busy.updates).sum(axis=0)
        total = sends.sum(axis=0)
        return (float(done.max()), waiting,
                np.where(total > 0, sends / np.maximum(total, 1), self._at_once))

    def _sends_to(self, busy: Busy) -> list[tuple[str, Array]]:
        return [(source, self._sends.get(source, self._at_once)) for source in busy.rows]


def _mostly_sent(sends: Array) -> float:
    """The part of a tick in which MOST of a population's spikes are sent, in the mean tick."""
    return float(ENDS[1 + (sends.cumsum(axis=0) < MOST).sum(axis=0)].mean())


def _one_by_one(length: Array) -> Array:
    """(PARTS, ticks) shares of spikes that come evenly over the first `length` of a tick."""
    share = np.diff((ENDS[:, None] / np.maximum(length, 1e-9)).clip(max=1), axis=0)
    share[-1] += 1 - share.sum(axis=0)
    return np.asarray(share)
