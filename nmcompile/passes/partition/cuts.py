"""Populations cut into boxes on cores, and what one more cut or move would bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nmcompile.backend import Backend
from nmcompile.errors import NmcError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Slices, view
from nmcompile.mapping.capacity import LIMITS, too_large
from nmcompile.passes.partition.events import MICRO, Events, Part
from nmcompile.target import Target

PLACES = 16  # where an axis is cut at most
COLDEST = 12  # cores that a part may move to
Halves = tuple[Part, Part]
Corners = tuple[Array, Array]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A box cut in two at `at` along `axis` (channels, rows, columns); the second part moves.

    core  where it goes; -1: a core of its own
    """

    slice: int
    axis: int
    at: int
    core: int = -1

    def to_core(self, core: int) -> Split:
        """The same with another core."""
        return replace(self, core=core)


class Cuts:
    """Boxes of all populations, each on one of some cores.

    population, low, high, core  as of Slices, but cores are numbered from 0 and not yet placed
    """

    def __init__(
        self, network: Network, target: Target, backend: Backend, spikes: dict[str, Array]
    ) -> None:
        self._network, self._target = network, target
        self._events = Events(network, target, backend, spikes)
        self._fixed_j = self._events.fixed_energy()
        self._limits = np.array([getattr(target.core, limit).value for limit in LIMITS], float)
        n = len(network.populations)
        self.population, self.core = np.arange(n), np.arange(n)
        self.low = np.zeros((n, 3), np.int64)
        self.high = np.array([view(p.shape) for p in network.populations], np.int64)
        parts = [self._events.part(i, self.low[i : i + 1], self.high[i : i + 1]) for i in range(n)]
        self._receiving = np.concatenate([p.receiving for p in parts])
        self._sending = np.concatenate([p.sending for p in parts])
        self._packets = np.concatenate([p.packets for p in parts])
        self._needs = np.concatenate([p.needs for p in parts])
        self._halves: dict[int, Halves] = {}
        for i in range(n):
            self._send(i)
        self._busy = np.zeros((0, 2, self._events.steps))
        self._powers = _power(self._busy)
        self._sum_cores(range(n))

    # What is there now

    def slices(self) -> tuple[Slices, Array]:
        """The boxes in the order of their populations, not yet placed; and the core of each."""
        order = np.lexsort((*self.low.T[::-1], self.population))
        slices = Slices(
            population=self.population[order].astype(np.int32),
            low=self.low[order].astype(np.int32), high=self.high[order].astype(np.int32),
            core=np.full(len(order), -1, np.int32))
        return slices, np.unique(self.core[order], return_inverse=True)[1]

    def misfit(self) -> int:
        """The box that exceeds a limit most, -1 if all fit."""
        ratio = (self._needs / self._limits).max(axis=1)
        worst = int(ratio.argmax())
        if ratio[worst] <= 1:
            return -1
        if (self.high - self.low)[worst].prod() == 1:
            limit = int((self._needs[worst] / self._limits).argmax())
            name = self._network.populations[self.population[worst]].name
            raise too_large(name, LIMITS[limit], int(self._needs[worst, limit]), self._target)
        return worst

    def on_core(self, core: int) -> list[int]:
        """The boxes of a core."""
        return [int(i) for i in np.flatnonzero(self.core == core)]

    def by_blame(self) -> Array:
        """Cores in use, those that make steps longest first."""
        return self._by_blame

    def step(self) -> float:
        """Seconds of the mean step."""
        return float(self._busy.max(axis=(0, 1)).mean()) / MICRO + self._barrier(self._n_cores())

    def energy(self) -> float:
        """Joules of the mean step, without the ways of packets."""
        return float(self._energy(0.0, self._n_cores(), self.step()))

    def product(self) -> float:
        """Energy times delay of the mean step, each step as long as the 8-norm of all cores."""
        return float(self._product(self._total[None], 0.0, self._n_cores())[0])

    # What a cut would bring

    def splits(self, slice_: int) -> list[Split]:
        """All cuts of a box that are looked at, and to move it whole if it shares its core."""
        found = []
        for axis in range(3):
            low, high = int(self.low[slice_, axis]), int(self.high[slice_, axis])
            places = np.unique(np.linspace(low, high, min(high - low, PLACES) + 1).round())[1:-1]
            found += [Split(slice=slice_, axis=axis, at=int(at)) for at in places]
        return found

    def parts(self, splits: list[Split]) -> Array:
        """(k,) boxes to which each cut of one box leads, by how far its halves exceed limits."""
        return sum(np.ceil((half.needs / self._limits).max(axis=1))
                   for half in self._cut(splits[0].slice))

    def products(self, splits: list[Split]) -> Array:
        """(k,) energy times delay after each cut of one box, its second half on a new core."""
        first, second = self._cut(splits[0].slice)
        load = self._remaining(splits[0].slice, first) + _power(_stack(second))
        added = first.packets + second.packets - self._packets[splits[0].slice]
        return self._product(load, added, self._n_cores() + 1)

    def homes(self, number: int, split: Split) -> list[tuple[int, float]]:
        """Cores to which the second half of a box's cut `number` may go, and the product then."""
        first, second = (half.row(number) for half in self._cut(split.slice))
        second.needs[0, 3] = self._axons_out(split.slice, second.low, second.high)
        own = int(self.core[split.slice])
        added = first.packets + second.packets - self._packets[split.slice]
        load = self._remaining(split.slice, first)
        if self._n_cores() < self._target.n_cores:
            product = self._product(load + _power(_stack(second)), added, self._n_cores() + 1)
            return [(-1, float(product[0]))]
        cold = self._roomy(second)
        cold = cold[cold != own][:COLDEST]
        if not len(cold):
            return []
        there = self._busy[cold]
        load = load - self._powers[cold] + _power(there + _stack(second))
        return list(zip(cold.tolist(), self._product(load, added, self._n_cores()).tolist(),
                        strict=True))

    def room(self, split: Split, number: int) -> int:
        """A core for the second half of a box's cut: -1, a new one, or the coldest that has room."""
        second = self._cut(split.slice)[1].row(number)
        second.needs[0, 3] = self._axons_out(split.slice, second.low, second.high)
        if self._n_cores() < self._target.n_cores:
            return -1
        roomy = self._roomy(second)
        roomy = roomy[roomy != self.core[split.slice]]
        if len(roomy):
            return int(roomy[0])
        raise NmcError("network", f"does not fit the {self._target.n_cores:,} cores of "
                       f"{self._target.name}", "Use a target with more chips.")

    def apply(self, split: Split) -> None:
        """Make a cut."""
        i, new = split.slice, len(self.core)
        free = np.setdiff1d(np.arange(len(self._busy) + 1), self.core)
        to = split.core if split.core >= 0 else int(free[0])
        self._reach(i, -1)
        self.population = np.append(self.population, self.population[i])
        self.low = np.append(self.low, self.low[[i]], axis=0)
        self.high = np.append(self.high, self.high[[i]], axis=0)
        self.high[i, split.axis] = self.low[new, split.axis] = split.at
        self.core = np.append(self.core, to)
        both = self._events.part(int(self.population[i]), self.low[[i, new]], self.high[[i, new]])
        for name, values in (("_receiving", both.receiving), ("_sending", both.sending),
                             ("_packets", both.packets), ("_needs", both.needs)):
            rows = getattr(self, name)
            rows[i] = values[0]
            setattr(self, name, np.append(rows, values[1:], axis=0))
        self._halves.pop(i, None)
        self._reach(i, 1)
        self._reach(new, 1)
        self._send(i)
        self._send(new)
        name = self._network.populations[self.population[i]].name
        touched = {self._network.projections[k].source for k in self._events.incoming(name)}
        rows = [j for j in range(len(self.core))
                if j in (i, new) or self._network.populations[self.population[j]].name in touched]
        self._sum_cores(sorted({int(c) for c in self.core[rows]}))

    def _cut(self, i: int) -> Halves:
        """The halves of all cuts of a box; packets that it sends are shared out by its spikes."""
        if i not in self._halves:
            splits = self.splits(i)
            low, high = (np.repeat(c[[i]], len(splits), axis=0) for c in (self.low, self.high))
            middle_low, middle_high = low.copy(), high.copy()
            rows, axes = np.arange(len(splits)), [s.axis for s in splits]
            middle_high[rows, axes] = middle_low[rows, axes] = [s.at for s in splits]
            population = int(self.population[i])
            self._halves[i] = (self._events.part(population, low, middle_high),
                               self._events.part(population, middle_low, high))
        first, second = self._halves[i]
        packets = self._sending[i] - first.sending[0] - second.sending[0]
        each = packets / np.maximum(first.fired[0] + second.fired[0], 1.0)
        return tuple(replace(half, sending=half.sending + each * half.fired)
                     for half in (first, second))

    def _remaining(self, i: int, first: Part) -> Array:
        """(k, steps) eighth powers of all cores if only the first half of box `i` stayed on its."""
        own = self._busy[self.core[i]]
        without = own - np.stack([self._sending[i], self._receiving[i]])
        others = self._total - self._powers[self.core[i]]
        return np.maximum(others, 0.0) + _power(without + _stack(first))

    def _product(self, load: Array, added: Array | float, n_cores: int) -> Array:
        step = _root(load).mean(axis=1) / MICRO + self._barrier(n_cores)
        return self._energy(added, n_cores, step) * step

    def _energy(self, added: Array | float, n_cores: int, step: Array | float) -> Array | float:
        cost, board = self._target.energy_j, self._target.board
        packets = (self._packets.sum() + added) / self._events.steps
        chips = -(-n_cores // self._target.cores_per_chip)
        return (self._fixed_j + packets * (cost.packet_out.value + cost.packet_in.value)
                + self._target.power_w.static.value * min(chips, board.chips.value) * step)

    def _barrier(self, n_cores: int) -> float:
        points = np.array(self._target.time_s.barrier.value)
        tiles = -(-n_cores // self._target.board.cores_per_tile.value)
        return float(np.interp(tiles, points[:, 0], points[:, 1]))

    def _n_cores(self) -> int:
        return len(np.unique(self.core))

    # Limits of cores

    def _roomy(self, part: Part) -> Array:
        """Cores that have room for one box, those that hold up least first."""
        order = self.by_blame()[::-1]
        needs = np.stack([np.bincount(self.core, need) for need in self._needs.T], axis=1)
        return order[np.all(needs[order] + part.needs <= self._limits, axis=1)]

    def blocked(self, number: int, split: Split) -> Array:
        """Cores that send to a box but lack output axons for the halves of its cut `number`."""
        first, second = (half.row(number) for half in self._cut(split.slice))
        i = split.slice
        name = self._network.populations[self.population[i]].name
        added = np.zeros(len(self.core))
        old = (self.low[[i]], self.high[[i]])
        for k in self._events.incoming(name):
            rows = self._sources(k)
            for target, sign in (((first.low, first.high), 1), ((second.low, second.high), 1), (old, -1)):
                added[rows] += sign * self._events.axons(k, (self.low[rows], self.high[rows]), target)
        need = np.bincount(self.core, self._needs[:, 3] + added)
        return np.unique(self.core[(added > 0) & (need > self._limits[3])[self.core]])

    # Keeping up to date

    def _sources(self, projection: int) -> Array:
        """Boxes of the source population of a projection; none for an input."""
        name = self._network.projections[projection].source
        names = [p.name for p in self._network.populations]
        return np.flatnonzero(self.population == (names.index(name) if name in names else -1))

    def _reach(self, i: int, sign: int) -> None:
        """Add what all boxes send to box `i`, or take it away."""
        target = (self.low[[i]], self.high[[i]])
        for k in self._events.incoming(self._network.populations[self.population[i]].name):
            rows = self._sources(k)
            source = (self.low[rows], self.high[rows])
            if len(rows):
                self._sending[rows] += sign * self._events.packet_s * self._events.packets(k, source, target)
                self._needs[rows, 3] += sign * self._events.axons(k, source, target)

    def _send(self, i: int) -> None:
        """Add what box `i` sends to all boxes."""
        source = (self.low[[i]], self.high[[i]])
        for k, target in self._targets(i):
            self._sending[i] += self._events.packet_s * self._events.packets(k, source, target).sum(axis=0)
        self._needs[i, 3] = self._axons_out(i, *source)

    def _axons_out(self, i: int, low: Array, high: Array) -> float:
        """Axons from a part of box `i` to all boxes."""
        return float(sum(self._events.axons(k, (low, high), target).sum()
                         for k, target in self._targets(i)))

    def _targets(self, i: int) -> Iterator[tuple[int, Corners]]:
        """Projections out of box `i`, each with the corners of the boxes of its target."""
        names = [p.name for p in self._network.populations]
        for k in self._events.outgoing(names[self.population[i]]):
            rows = self.population == names.index(self._network.projections[k].target)
            yield k, (self.low[rows], self.high[rows])

    def _sum_cores(self, cores: list[int]) -> None:
        more = max(cores) + 1 - len(self._busy)
        if more > 0:
            self._busy = np.concatenate([self._busy, np.zeros((more, *self._busy.shape[1:]))])
            self._powers = np.concatenate([self._powers, np.zeros((more, self._events.steps))])
        for core in cores:
            mine = self.core == core
            self._busy[core] = self._sending[mine].sum(axis=0), self._receiving[mine].sum(axis=0)
        self._powers[cores] = _power(self._busy[cores])
        self._total = self._powers.sum(axis=0)
        weight = _root(self._total) / np.maximum(self._total, np.finfo(float).tiny)
        order = np.argsort(-(self._powers * weight).sum(axis=1), kind="stable")
        self._by_blame = order[np.isin(order, self.core)]


def _stack(part: Part) -> Array:
    """(k, 2, steps) what boxes keep a core busy with."""
    return np.stack([part.sending, part.receiving], axis=1)


def _power(busy: Array) -> Array:
    """(k, steps) eighth powers of both kinds of work together."""
    squared = busy * busy
    fourth = squared * squared
    return (fourth * fourth).sum(axis=1)


def _root(load: Array) -> Array:
    """Eighth root, in operations that round alike on all machines."""
    return np.sqrt(np.sqrt(np.sqrt(load)))
