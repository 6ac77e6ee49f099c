"""What boxes of neurons keep their cores busy with in each tick, from recorded spikes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import TickWork, view
from nmcompile.mapping.capacity import run_of_lines, runs_of_inputs
from nmcompile.mapping.ticks import halvings
from nmcompile.passes.partition.loads import Box, Sums, around, load_of
from nmcompile.passes.partition.partition import boxes_of
from nmcompile.passes.partition.sizes import Grid, Sizes
from nmcompile.target import Target

TICKS = 128  # that are looked at, those in which most is sent
NUMBERS = 1 << 26  # of spikes in them, at most
KEPT = 32  # grids whose figures are kept
Grids = dict[str, Grid]


@dataclass(frozen=True, kw_only=True, eq=False)
class Busy:
    """What each core of a population does in each tick, (k, ticks) each; times in seconds.

    rows      of packets from each input and population, and of their rows
    heard     packets from each
    updates   of the timer and of neurons
    fired     spikes
    sources   (k,) slices and runs of lines that a core hears
    """

    rows: dict[str, Array]
    heard: dict[str, Array]
    updates: Array
    fired: Array
    sources: Array


class TickLoads:
    """Counts what boxes of the populations of a network receive in the busiest ticks.

    sent    (ticks,) spikes of each input and population
    inputs  names
    """

    def __init__(
        self, network: Network, target: Target, work: TickWork, spikes: dict[str, Array]
    ) -> None:
        self.network, self.target, self.work = network, target, work
        self.inputs = {port.name for port in network.inputs}
        chosen = _busiest(network, spikes)
        counts = {node.name: (spikes[node.name][chosen] != 0).astype(np.float32).reshape(
            -1, *view(node.shape)) for node in network.nodes}
        self.sent = {name: values.sum(axis=(1, 2, 3)) for name, values in counts.items()}
        self._sums = {name: Sums(values) for name, values in counts.items()}
        self._loads = [load_of(network, p, counts[p.source], self._sums[p.source])
                       for p in network.projections]
        self._runs = {port.name: self._of_runs(counts[port.name], view(port.shape))
                      for port in network.inputs}
        self.busy = lru_cache(KEPT)(self._busy)

    def _of_runs(self, counts: Array, shape: Box) -> tuple[Array, Array, Array]:
        """Corners around each run of an input's lines, (r, 3) each, and its spikes (r, ticks)."""
        lines, size = prod(shape), self.target.core.neurons.value
        ends = [around(shape, first, min(first + size, lines)) for first in range(0, lines, size)]
        sent = np.zeros((runs_of_inputs(lines, self.target), len(counts)))
        np.add.at(sent, run_of_lines(lines, self.target), counts.reshape(len(counts), -1).T)
        low, high = np.stack(ends, axis=1)
        return low, high, sent

    def sources(self, name: str) -> tuple[str, ...]:
        """The inputs and populations that a population hears, each once."""
        return tuple(dict.fromkeys(p.source for p in self.network.incoming(name)))

    def read(self, name: str, sizes: Sizes) -> Array:
        """(k,) spikes in a tick of what a box of each size reads, about."""
        shape = np.array(view(self.network.shape_of(name)))
        low = (shape - sizes) // 2
        total = np.zeros(len(sizes))
        for k, projection in enumerate(self.network.projections):
            if projection.target == name:
                first, last = self._loads[k].field(low, low + sizes)
                rate = self.sent[projection.source].mean() / prod(
                    view(self.network.shape_of(projection.source)))
                total += rate * (last - first).clip(min=0).prod(axis=1)
        return total

    def _busy(self, name: str, grid: Grid, sources: tuple[Grid | None, ...]) -> Busy:
        """What the boxes of a grid do; `sources` are the grids of what it hears, None: an input."""
        work, population = self.work, self.network.population(name)
        boxes = boxes_of(view(population.shape), grid)
        cut = dict(zip(self.sources(name), sources, strict=True))
        rows, met = dict[str, Array](), dict[str, Array]()
        for k, projection in enumerate(self.network.projections):
            if projection.target == name:
                source = projection.source
                packets, events = self._loads[k].received(*boxes)
                again = work.lookup if source in rows else 0.0
                rows[source] = (rows.get(source, 0.0) + (work.row + again) * packets
                                + work.event * events)
                some = self._meet(k, self._senders(source, cut[source]), boxes)
                met[source] = some | met.get(source, False)
        heard = {source: some.T @ self._senders(source, cut[source])[2]
                 for source, some in met.items()}
        n = np.sum([some.sum(axis=0) for some in met.values()], axis=0) + np.zeros(len(boxes[0]))
        found = work.receive + work.lookup + work.halving * halvings(n)
        sizes = (boxes[1] - boxes[0]).prod(axis=1)[:, None] * compartments_of(population.neuron)
        fired = self._sums[name].over(*boxes)
        return Busy(
            rows={source: rows[source] + found[:, None] * packets
                  + work.burst * np.minimum(packets, 1) for source, packets in heard.items()},
            updates=work.timer + work.update * sizes + work.spike * fired,
            heard=heard, fired=fired, sources=n)

    def _senders(self, name: str, grid: Grid | None) -> tuple[Array, Array, Array]:
        """Corners of what sends by itself, (s, 3) each, and its spikes (s, ticks)."""
        if grid is None:
            return self._runs[name]
        low, high = boxes_of(view(self.network.shape_of(name)), grid)
        return low, high, self._sums[name].over(low, high)

    def _meet(
        self, projection: int, sources: tuple[Array, Array, Array], boxes: tuple[Array, Array]
    ) -> Array:
        """(s, k) bool, whether a box reads any neuron of a source."""
        low, high = self._loads[projection].field(*boxes)
        return np.asarray(np.all(np.maximum(low, sources[0][:, None])
                                 < np.minimum(high, sources[1][:, None]), axis=2))


def _busiest(network: Network, spikes: dict[str, Array]) -> Array:
    """Numbers of the ticks in which one of the inputs and populations sends most."""
    names = [node.name for node in network.nodes]
    neurons = sum(node.size for node in network.nodes)
    most = max(1, min(TICKS, NUMBERS // neurons) // len(names))
    total = [np.count_nonzero(spikes[name], axis=1) for name in names]
    return np.unique([np.argsort(-each, kind="stable")[:most] for each in total])
