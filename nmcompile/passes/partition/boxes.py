"""Populations cut into boxes on cores, and what keeps each core busy in every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nmcompile.backend import Backend
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Slices, view
from nmcompile.mapping.capacity import LIMITS, lines_heard, too_large
from nmcompile.passes.partition.events import Corners, Events, Part
from nmcompile.passes.partition.product import Product, power, root
from nmcompile.target import Target

RECEIVED, SENT = LIMITS.index("input_axons"), LIMITS.index("output_axons")


@dataclass(frozen=True, kw_only=True)
class Split:
    """A box cut in two at `at` along `axis` (channels, rows, columns); the second part moves.

    core  where it goes; -1: a core of its own
    """

    box: int
    axis: int
    at: int
    core: int = -1

    def to_core(self, core: int) -> Split:
        """The same with another core."""
        return replace(self, core=core)


class Boxes:
    """Boxes of all populations (b of them), each on one of c cores, which have no place yet.

    cores   that may be used
    kinds   (populations,) int64, those of unlike kind share no core
    population, low, high, core  as of Slices, (b,) or (b, 3) int64
    sending, receiving, packets, needs, asked  of each box, as of Part
    used    (c, limits) needs of each core
    held    (c, numbers) bool, what all boxes of each core ask for
    busy    (c, 2, steps) microseconds that each core spends sending and receiving
    powers  (c, steps) of both
    by_blame  cores in use, those that hold up most first
    """

    def __init__(
        self, network: Network, target: Target, backend: Backend, spikes: dict[str, Array],
        cores: int, kinds: Array,
    ) -> None:
        self.cores, self.kinds = cores, kinds
        self.events = Events(network, target, backend, spikes)
        self.cost = Product(target, self.events.fixed_energy(), self.events.steps)
        self.limits = np.append([float(getattr(target.core, limit).value) for limit in LIMITS],
                                self.events.kept.most)
        self.target, self._network = target, network
        self._names = [p.name for p in network.populations]
        self._ends = [(p.source, p.target) for p in network.projections]
        n = len(self._names)
        self.population, self.core = np.arange(n), np.arange(n)
        self.low = np.zeros((n, 3), np.int64)
        self.high = np.array([view(p.shape) for p in network.populations], np.int64)
        parts = [self.part(i, self.low[[i]], self.high[[i]]) for i in range(n)]
        self.receiving = np.concatenate([p.receiving for p in parts])
        self.sending = np.concatenate([p.sending for p in parts])
        self.packets = np.concatenate([p.packets for p in parts])
        self.needs = np.concatenate([p.needs for p in parts])
        self.asked = np.concatenate([p.asked for p in parts])
        for i in range(n):
            self._send(i)
        self.busy = np.zeros((0, 2, self.events.steps))
        self.powers = np.zeros((0, self.events.steps))
        self.held = np.zeros((0, self.asked.shape[1]), bool)
        self._sum_cores(np.arange(n))

    def slices(self) -> tuple[Slices, Array]:
        """The boxes in the order of their populations, not yet placed; and the core of each.

        Cores are numbered as they come in that order, in which placement begins.
        """
        order = np.lexsort((*self.low.T[::-1], self.population))
        slices = Slices(
            population=self.population[order].astype(np.int32),
            low=self.low[order].astype(np.int32), high=self.high[order].astype(np.int32),
            core=np.full(len(order), -1, np.int32))
        _, first, core = np.unique(self.core[order], return_index=True, return_inverse=True)
        return slices, first.argsort().argsort()[core]

    def part(self, box: int, low: Array, high: Array) -> Part:
        """What parts of a box would do, but for sending packets."""
        part = self.events.part(int(self.population[box]), low, high)
        for k, rows in self._sources(box):
            if self.events.sharing[k] > 1:
                axons = self.events.axons(k, (self.low[rows], self.high[rows]), (low, high))
                part.needs[:, RECEIVED] += axons.sum(axis=0)
        return part

    def misfit(self) -> int:
        """The box that exceeds a limit most, -1 if all fit."""
        ratio = (self.needs / self.limits).max(axis=1)
        worst = int(ratio.argmax())
        if ratio[worst] <= 1:
            return -1
        if (self.high - self.low)[worst].prod() == 1:
            limit = int((self.needs[worst] / self.limits).argmax())
            name, need = self._names[self.population[worst]], int(self.needs[worst, limit])
            raise too_large(name, (*LIMITS, *self.events.kept.limits)[limit], need, self.target)
        return worst

    def on_core(self, core: int) -> list[int]:
        """The boxes of a core."""
        return [int(i) for i in np.flatnonzero(self.core == core)]

    def n_cores(self) -> int:
        """Cores in use."""
        return len(self.by_blame)

    def is_full(self) -> bool:
        """Whether there is no further core."""
        return self.n_cores() >= self.cores

    def merge(self) -> bool:
        """Bring the boxes of one core to another, whichever costs least; whether any has room.

        The core that holds up least goes first.
        """
        for core in self.by_blame[::-1]:
            homes = self.roomy(self.used[core], self.held[core], int(core))
            if len(homes):
                load = self.total - self.powers[core] - self.powers[homes]
                load = np.maximum(load, 0.0) + power(self.busy[core] + self.busy[homes])
                products = self.cost.of(load, self.packets.sum(), self.n_cores() - 1)
                home = homes[products.argmin()]
                self.core[self.core == core] = home
                self._sum_cores(np.array([core, home]))
                return True
        return False

    def roomy(self, needs: Array, asked: Array, other_than: int) -> Array:
        """Cores that have room for `needs` and `asked` of boxes, those that hold up least first.

        other_than  the core that the boxes are on
        """
        kind = np.full(len(self.busy), -1)
        kind[self.core] = self.kinds[self.population]
        order = self.by_blame[::-1]
        need = self.used[order] + needs
        need[:, len(LIMITS):] = self.events.kept.counted(self.held[order] | asked)
        fits = np.all(need <= self.limits, axis=1)
        return order[fits & (order != other_than) & (kind[order] == kind[other_than])]

    def axons_out(self, box: int, low: Array, high: Array) -> float:
        """Axons from a part (1, 3) of a box to all boxes and the host."""
        population = self._network.populations[self.population[box]]
        heard = lines_heard(self._network, population, (high - low).prod(axis=1))
        return float(heard[0] + sum(self.events.axons(k, (low, high), target).sum()
                                    for k, target in self._targets(box)))

    def short_of_axons(self, box: int, first: Part, second: Part) -> Array:
        """Cores that have too few axons to or from a box for two parts in its place."""
        low = np.concatenate([first.low, second.low, self.low[[box]]])
        high = np.concatenate([first.high, second.high, self.high[[box]]])
        sent, received = np.zeros((2, len(self.core)))
        for k, rows in self._sources(box):
            axons = self.events.axons(k, (self.low[rows], self.high[rows]), (low, high))
            sent[rows] += axons[:, 0] + axons[:, 1] - axons[:, 2]
        for k, rows in self._sharing_targets(box):
            axons = self.events.axons(k, (low, high), (self.low[rows], self.high[rows]))
            received[rows] += axons[0] + axons[1] - axons[2]
        short = [self.core[(added > 0) & (np.bincount(self.core, self.needs[:, limit] + added)
                                          > self.limits[limit])[self.core]]
                 for limit, added in ((SENT, sent), (RECEIVED, received))]
        return np.unique(np.concatenate(short))

    def step(self) -> float:
        """Seconds of the mean step."""
        return self.cost.step(self.busy.max(axis=(0, 1)), self.n_cores())

    def energy(self) -> float:
        """Joules of the mean step, without the ways of packets."""
        return float(self.cost.energy(self.packets.sum(), self.n_cores(), self.step()))

    def product(self) -> float:
        """Energy times delay of the mean step, each step as long as the 8-norm of all cores."""
        return float(self.cost.of(self.total[None], self.packets.sum(), self.n_cores())[0])

    def apply(self, split: Split) -> None:
        """Make a cut."""
        i, new = split.box, len(self.core)
        free = np.setdiff1d(np.arange(len(self.busy) + 1), self.core)
        self._reach(i, -1)
        self._feed([i], -1)
        self.population = np.append(self.population, self.population[i])
        self.core = np.append(self.core, split.core if split.core >= 0 else free[0])
        self.low = np.append(self.low, self.low[[i]], axis=0)
        self.high = np.append(self.high, self.high[[i]], axis=0)
        self.high[i, split.axis] = self.low[new, split.axis] = split.at
        both = self.part(i, self.low[[i, new]], self.high[[i, new]])
        for name in ("receiving", "sending", "packets", "needs", "asked"):
            rows, values = getattr(self, name), getattr(both, name)
            rows[i] = values[0]
            setattr(self, name, np.append(rows, values[1:], axis=0))
        self._feed([i, new], 1)
        touched = [rows for box in (i, new) for rows in (self._reach(box, 1), self._send(box))]
        self._sum_cores(np.unique(self.core[np.concatenate(touched)]))

    def _sources(self, box: int) -> Iterator[tuple[int, Array]]:
        """Projections into a box, each with the boxes of its source; not those of inputs."""
        for k in self.events.incoming(self._names[self.population[box]]):
            if self._ends[k][0] in self._names:
                source = self._names.index(self._ends[k][0])
                yield k, np.flatnonzero(self.population == source)

    def _targets(self, box: int) -> Iterator[tuple[int, Corners]]:
        """Projections out of a box, each with the corners of the boxes of its target."""
        for k in self.events.outgoing(self._names[self.population[box]]):
            rows = self.population == self._names.index(self._ends[k][1])
            yield k, (self.low[rows], self.high[rows])

    def _sharing_targets(self, box: int) -> Iterator[tuple[int, Array]]:
        """Projections out of a box whose axons its neurons share, each with its target's boxes."""
        for k in self.events.outgoing(self._names[self.population[box]]):
            if self.events.sharing[k] > 1:
                target = self._names.index(self._ends[k][1])
                yield k, np.flatnonzero(self.population == target)

    def _feed(self, boxes: list[int], sign: int) -> None:
        """Add the axons from `boxes` of one population to what others need, or take them away."""
        low, high = self.low[boxes], self.high[boxes]
        for k, rows in self._sharing_targets(boxes[0]):
            others = np.setdiff1d(rows, boxes)
            axons = self.events.axons(k, (low, high), (self.low[others], self.high[others]))
            self.needs[others, RECEIVED] += sign * axons.sum(axis=0)

    def _reach(self, box: int, sign: int) -> Array:
        """Add what all boxes send to a box, or take it away; the boxes that it touched."""
        target, touched = (self.low[[box]], self.high[[box]]), [np.array([box])]
        for k, rows in self._sources(box):
            sources = (self.low[rows], self.high[rows])
            packets = sign * self.events.packets(k, sources, target)[:, 0]
            self.sending[rows] += self.cost.packet_out * packets
            self.needs[rows, SENT] += sign * self.events.axons(k, sources, target)[:, 0]
            touched.append(rows)
        return np.concatenate(touched)

    def _send(self, box: int) -> Array:
        """Add what a box, which has sent nothing yet, sends to all boxes; the box."""
        source = (self.low[[box]], self.high[[box]])
        own = self.part(box, *source).sending[0]
        for k, targets in self._targets(box):
            packets = self.events.packets(k, source, targets)[0].sum(axis=0)
            own = own + self.cost.packet_out * packets
        self.sending[box] = own
        self.needs[box, SENT] = self.axons_out(box, *source)
        return np.array([box])

    def _sum_cores(self, cores: Array) -> None:
        more = max(0, int(cores.max()) + 1 - len(self.busy))
        self.busy = np.pad(self.busy, ((0, more), (0, 0), (0, 0)))
        self.powers = np.pad(self.powers, ((0, more), (0, 0)))
        self.held = np.pad(self.held, ((0, more), (0, 0)))
        for core in cores:
            mine = self.core == core
            self.held[core] = self.asked[mine].any(axis=0)
            self.busy[core] = self.sending[mine].sum(axis=0), self.receiving[mine].sum(axis=0)
        self.powers[cores] = power(self.busy[cores])
        added = self.needs[:, : len(LIMITS)].T
        self.used = np.stack([np.bincount(self.core, n, len(self.busy)) for n in added], 1)
        self.used = np.hstack([self.used, self.events.kept.counted(self.held)])
        self.total = self.powers.sum(axis=0)
        weight = root(self.total) / np.maximum(self.total, np.finfo(float).tiny)
        order = np.argsort(-(self.powers * weight).sum(axis=1), kind="stable")
        self.by_blame = order[self.used[order, 0] > 0]

