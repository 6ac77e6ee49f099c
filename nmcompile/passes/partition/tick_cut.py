"""Cut populations further, until their cores are done within the tick."""

from __future__ import annotations

from collections.abc import Callable
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
SHARES = (0.06, 0.09, 0.13, 0.18, 0.25, 0.35, 0.5, 0.6, 0.75)  # for those that others wait for
STRETCHED = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0)  # ticks
MOST = 0.9  # of a population's spikes
FINEST = 1024  # boxes of a population, to see whether cutting helps at all
LIKELY = 3  # grids of as many boxes that are looked at
AT_ONCE = 1e-12  # seconds of updates that a target takes to need no time


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """How a grid of a population fares.

    used     times over those that there are, the largest
    waiting  packets over those that the buffer holds, those that it loses among them
    sends    (PARTS, ticks) share of its spikes that it sends in each part of each tick
    """

    used: float
    waiting: float
    sends: Array


def in_time(loads: TickLoads, grids: Grids, most: dict[str, int], cores: int) -> Grids:
    """Grids no coarser than `grids`, whose cores are done within the tick if that can be had.

    most   boxes of populations that may not have as many as they like
    cores  boxes of all populations

    A core takes packets and their rows first, and updates its neurons behind them. So neurons that
    inputs feed send once all rows of the inputs are added, and who hears them has what is left of
    the tick; neurons that hear nothing until they are updated send as the tick begins. Several
    shares of the tick for those that others wait for are tried, and what takes fewest boxes is
    kept. Also, no more packets than a core's buffer holds may wait, but for populations on whose
    cores they would with boxes of any size. Where there are not boxes enough for that, the tick is
    taken to be longer first, as little as helps, and the buffer to be larger with what is left.
    """
    def cut(stretched: float, buffer: float) -> Grids | None:
        found = [grids_of for share in SHARES if (grids_of := _Try(
            loads, grids, share, (stretched, buffer)).cut(most, cores)) is not None]
        return min(found, key=_count, default=None)

    if (best := cut(1.0, 1.0)) is not None:
        return best
    tick, best = _least(lambda stretched: cut(stretched, np.inf))
    if best is None:
        return grids
    return _least(lambda buffer: cut(tick, buffer))[1] or best


def _least(cut: Callable[[float], Grids | None]) -> tuple[float, Grids | None]:
    """The least of STRETCHED with which there are grids, and these; None: with none of them."""
    low, high, best, least = 0, len(STRETCHED), None, np.inf
    while low < high:
        middle = (low + high) // 2 if low else 0
        found = cut(STRETCHED[middle])
        if found is None:
            low = middle + 1
        else:
            best, least, high = found, STRETCHED[middle], middle
    return least, best


def _count(grids: Grids) -> int:
    return sum(prod(grid) for grid in grids.values())


class _Try:
    """One share of the tick, and how often tick and buffer are taken."""

    def __init__(
        self, loads: TickLoads, grids: Grids, share: float, stretched: tuple[float, float]
    ) -> None:
        self._loads, self._network, self._base = loads, loads.network, grids
        self._stretched, self._buffer = stretched
        self._time = USED * loads.work.tick
        self._share = share * self._time
        self._at_once = np.zeros((PARTS, len(next(iter(loads.sent.values())))))
        self._at_once[0] = 1
        self._lasts = {name: loads.sent[name] * loads.work.line for name in loads.inputs}
        self._sends = {name: _one_by_one(seconds / loads.work.tick)
                       for name, seconds in self._lasts.items()}
        self._loses, self._grids = set[str](), Grids()

    def cut(self, most: dict[str, int], cores: int) -> Grids | None:
        """Grids of all populations, one after the other; None where one cannot be in time."""
        left = cores - _count(self._base)
        for name, coarse in self._base.items():
            grid, fit = coarse, self._fit(name, coarse)
            allowed = min(most.get(name, cores), prod(coarse) + left)
            if self._must_lose(name, fit, min(most.get(name, FINEST), FINEST)):
                self._loses.add(name)
                fit = self._fit(name, coarse)
            if self._over(name, fit) > 1:
                finer = self._fewest(name, allowed)
                if finer is None:
                    return None
                grid, fit = finer
            left -= prod(grid) - prod(coarse)
            self._grids[name], self._sends[name] = grid, fit.sends
        return self._grids

    def _over(self, name: str, fit: Fit) -> float:
        """What is used of tick and buffer, the larger; of the tick where packets must be lost."""
        waiting = 0.0 if name in self._loses else fit.waiting / self._buffer
        return max(fit.used / self._stretched, waiting)

    def _must_lose(self, name: str, coarse: Fit, most: int) -> bool:
        """Whether cores lose packets of a population that is cut into `most` boxes, too.

        They come as fast as links bring them, so that more cores would lose as many each.
        """
        if coarse.waiting <= 1:
            return False
        sizes = candidates(view(self._network.shape_of(name)))
        parts = -(-np.array(view(self._network.shape_of(name))) // sizes)
        boxes = parts.prod(axis=1)
        finest = parts[boxes == boxes[boxes <= most].max()][:LIKELY]
        return min(self._fit(name, _grid(each)).waiting for each in finest) > 1

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
            likely = same[np.argsort(read[same], kind="stable")[:LIKELY]]
            found = self._best(name, parts[likely])
            if self._over(name, found[1]) <= 1:
                best, high = found, middle
            else:
                low = middle + 1
        return best

    def _best(self, name: str, parts: Sizes) -> tuple[Grid, Fit]:
        return min(((grid, self._fit(name, grid)) for grid in map(_grid, parts)),
                   key=lambda both: self._over(name, both[1]))

    def _fit(self, name: str, grid: Grid) -> Fit:
        """What the cores of a grid of boxes come to; of what is not cut yet, all comes at once."""
        loads, sources = self._loads, self._loads.sources(name)
        cuts = tuple(None if source in loads.inputs else grid if source == name
                     else self._grids.get(source, self._base[source]) for source in sources)
        busy = loads.busy(name, grid, cuts)
        done, waiting, sends = self._run(busy, loads.work.buffer if name in self._loses else np.inf)
        used = [done / self._time]
        if any(p.target != name for p in self._network.outgoing(name)):
            used.append(_mostly_sent(sends) * loads.work.tick / self._share)
        if busy.sources.max() > loads.target.core.input_axons.value:
            used.append(np.inf)
        return Fit(used=max(used), waiting=waiting / loads.work.buffer, sends=sends)

    def _run(self, busy: Busy, buffer: float) -> tuple[float, float, Array]:
        """When the last core is done, packets that waited or were lost, and what is sent when.

        Rows come before updates. What is not done by the end of the tick is done behind it. Packets
        that find `buffer` full are lost, and take no time; most wait when the last has come.
        """
        ends = ENDS * self._loads.work.tick
        needed = np.maximum(busy.updates, AT_ONCE)
        rows, lost, updates = np.zeros_like(needed), np.zeros_like(needed), needed
        each = sum(busy.rows.values(), rows) / np.maximum(sum(busy.heard.values(), rows), 1)
        done, waiting = np.zeros_like(rows), 0.0
        sends = np.zeros_like(self._at_once)
        for i, part in enumerate(np.diff(ends)):
            come = np.zeros_like(rows)
            for source, share in self._sends_to(busy):
                more = busy.rows[source] * share[i]
                lasts = (self._lasts.get(source, ends[i + 1]) - ends[i]).clip(0, part)
                rows, come = rows + more, np.maximum(come, np.where(more > 0, lasts, 0))
            wait = np.maximum(rows - come, 0)
            over = np.maximum(wait - np.where(each > 0, each, 1) * buffer, 0)
            waiting = max(waiting, float(np.divide(
                wait + lost, each, out=np.zeros_like(rows), where=each > 0).max()))
            rows, lost = rows - over, lost + over
            taken = np.minimum(rows, part)
            rows = rows - taken
            made = np.minimum(updates, part - taken)
            updates = updates - made
            done = np.where(taken + made > 0, ends[i] + taken + made, done)
            sends[i] = (busy.fired * made / needed).sum(axis=0)
        done = np.maximum(done, np.where(rows + updates > 0, ends[-1] + rows + updates, 0))
        sends[-1] += (busy.fired * updates / needed).sum(axis=0)
        total = sends.sum(axis=0)
        return (float(done.max()), waiting,
                np.where(total > 0, sends / np.maximum(total, 1), self._at_once))

    def _sends_to(self, busy: Busy) -> list[tuple[str, Array]]:
        return [(source, self._sends.get(source, self._at_once)) for source in busy.rows]


def _grid(parts: Array) -> Grid:
    return int(parts[0]), int(parts[1]), int(parts[2])


def _mostly_sent(sends: Array) -> float:
    """The part of a tick in which MOST of a population's spikes are sent, in the mean tick."""
    return float(ENDS[1 + (sends.cumsum(axis=0) < MOST).sum(axis=0)].mean())


def _one_by_one(length: Array) -> Array:
    """(PARTS, ticks) shares of spikes that come evenly over the first `length` of a tick."""
    share = np.diff((ENDS[:, None] / np.maximum(length, 1e-9)).clip(max=1), axis=0)
    share[-1] += 1 - share.sum(axis=0)
    return np.asarray(share)
