"""One neuron by itself, run many times at once with a synapse or an arriving spike changed."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, fields

import numpy as np

from nmcompile.ir import Population
from nmcompile.ir.accumulate import shifted
from nmcompile.ir.neurons.base import Array, State, accumulator_of
from nmcompile.validation.evidence import Link, synapses_into
from nmcompile.validation.replay import SPIKES, only, row_matrix

ALWAYS = -1
ROWS = 1 << 17  # runs of a sample that are made at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Changes:
    """One change in each run, (k,) each: what a spike of one source brings differs by `delta`.

    link, source  numbers of the link and of the source of its map
    number        of the synapse's weight in its map
    current       which of its currents the synapse feeds
    sample, step  where a spike arrives with the change; ALWAYS: wherever one arrives
    """

    link: Array
    source: Array
    number: Array
    current: Array
    delta: Array
    sample: Array
    step: Array

    def __len__(self) -> int:
        return len(self.delta)

    def __getitem__(self, chosen: Array | slice) -> Changes:
        return Changes(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def of(self, link: int, arrived: Array, sample: Array | int, step: int) -> Array:
        """(k,) what the changes of a link bring in a step of a sample, before its exponent.

        sample  of all runs, or (k,) one of each
        """
        applies = (self.link == link) & ((self.sample == ALWAYS) | (
            (self.sample == sample) & (self.step == step)))
        source = np.where(applies, self.source, 0)
        return np.where(applies, arrived[sample, step, source] * self.delta, 0)


def joined(parts: list[Changes]) -> Changes:
    """Changes one behind the other; none for no parts."""
    parts = parts or [unchanged()[np.zeros(0, np.int64)]]
    return Changes(**{f.name: np.concatenate([getattr(part, f.name) for part in parts])
                      for f in fields(Changes)})


def unchanged() -> Changes:
    """One run without a change."""
    zero, always = np.zeros(1, np.int64), np.full(1, ALWAYS)
    return Changes(link=zero, source=zero, number=zero, current=zero, delta=zero, sample=always,
                   step=always)


class Alone:
    """A neuron of a population with all that arrives at it.

    number  its flat number
    """

    def __init__(self, population: Population, links: tuple[Link, ...], number: int) -> None:
        self.population, self.links, self.number = only(population, number), links, number
        self.arrived = [link.arrived for link in links]
        self.columns = [columns_of(link, population, number) for link in links]
        self._accumulator = accumulator_of(population.neuron)
        if self._accumulator is None:
            self._raw = [link.raw[:, :, [column for _, column in columns]].astype(np.int64)
                         for link, columns in zip(links, self.columns, strict=True)]
        else:
            self._rows = [row_matrix(link)[:, [column for _, column in columns]]
                          for link, columns in zip(links, self.columns, strict=True)]

    def changed(self, population: Population) -> Alone:
        """The same neuron of `population`, which differs in its registers."""
        other = copy(self)
        other.population = only(population, self.number)
        return other

    def synapses(self, link: int) -> list[tuple[int, Array, Array]]:
        """For each current that a link feeds: its place, sources, numbers of the weights."""
        projection = self.links[link].projection
        return [(place, *synapses_into(projection, column))
                for place, (_, column) in enumerate(self.columns[link])]

    def begin(self, runs: int) -> State:
        """The state before step 0 of so many runs."""
        return self.population.neuron.initial_state((runs, 1))

    def advance(
        self, state: State, changes: Changes, sample: Array | int, step: int
    ) -> tuple[State, Array]:
        """State and spikes (k,) of one step of a sample, of all changes at once.

        sample  of all runs, or (k,) one of each
        """
        shape = self.population.current_shape
        current = np.zeros((len(changes), self.population.currents), np.int64)
        if self._accumulator is None:
            for i, raw in enumerate(self._raw):
                more = changes.of(i, self.arrived[i], sample, step)
                for place, (to, _) in enumerate(self.columns[i]):
                    here = np.where(changes.current == place, more, 0)
                    current[:, to] += shifted(raw[sample, step, place] + here,
                                              self.links[i].projection)
        else:
            state = self._added(state, changes, sample, step)
        arriving = current.reshape(len(changes), *shape) + self.population.bias
        state, spikes = self.population.neuron.step(state, arriving)
        return state, spikes.reshape(-1)

    def _added(self, state: State, changes: Changes, sample: Array | int, step: int) -> State:
        """`state` after what arrives one by one."""
        assert self._accumulator is not None
        names, low, high = (self._accumulator.states, self._accumulator.low,
                            self._accumulator.high)
        total = np.concatenate([state[name] for name in names], axis=1).astype(np.int64)
        for i, rows in enumerate(self._rows):
            more = shifted(changes.of(i, self.arrived[i], sample, step),
                           self.links[i].projection)
            now = self.arrived[i][sample, step]
            for source in np.flatnonzero(now.reshape(-1, now.shape[-1]).any(axis=0)):
                here = np.where((changes.link == i) & (changes.source == source), more, 0)
                for place, (to, _) in enumerate(self.columns[i]):
                    total[:, to] += now[..., source] * rows[source, place]
                    total[:, to] += np.where(changes.current == place, here, 0)
                np.clip(total, low, high, out=total)
        return {**state, **{name: total[:, i : i + 1].astype(state[name].dtype)
                            for i, name in enumerate(names)}}

    def differing(self, changes: Changes, seen: dict[str, Array]) -> Array:
        """(k,) values of `seen`, variable -> (samples, steps), that each change does not give."""
        samples, steps = seen[SPIKES].shape if SPIKES in seen else next(iter(seen.values())).shape
        found, at_once = np.zeros(len(changes), np.int64), max(1, ROWS // samples)
        for first in range(0, len(changes), at_once):
            part = np.arange(first, min(first + at_once, len(changes)))
            some, sample = changes[np.repeat(part, samples)], np.tile(np.arange(samples), len(part))
            state = self.begin(len(some))
            for step in range(steps):
                state, spikes = self.advance(state, some, sample, step)
                left = unequal(state, spikes, seen, sample, step)
                found[part] += left.reshape(len(part), samples).sum(axis=1)
        return found

    def fitting(
        self, changes: Changes, seen: dict[str, Array], place: tuple[int, int]
    ) -> Changes:
        """Those changes that give what is seen in a sample up to a step, `place`."""
        sample, last = place
        kept = []
        for first in range(0, len(changes), ROWS):
            some = changes[np.arange(first, min(first + ROWS, len(changes)))]
            state = self.begin(len(some))
            for step in range(last + 1):
                if len(some) == 0:
                    break
                state, spikes = self.advance(state, some, sample, step)
                good = unequal(state, spikes, seen, sample, step) == 0
                some, state = some[good], {k: v[good] for k, v in state.items()}
            kept.append(some)
        return joined(kept)

    def fitting_step(
        self, changes: Changes, seen: dict[str, Array], place: tuple[int, int]
    ) -> Changes:
        """Those changes that give what is seen in one step, `place`, all before it as compiled."""
        sample, last = place
        state = self.begin(1)
        for step in range(last):
            state, _ = self.advance(state, unchanged(), sample, step)
        kept = []
        for first in range(0, len(changes), ROWS):
            some = changes[np.arange(first, min(first + ROWS, len(changes)))]
            many = {name: np.repeat(v, len(some), axis=0) for name, v in state.items()}
            after, spikes = self.advance(many, some, sample, last)
            kept.append(some[unequal(after, spikes, seen, sample, last) == 0])
        return joined(kept)


def unequal(
    state: State, spikes: Array, seen: dict[str, Array], sample: Array | int, step: int
) -> Array:
    """(k,) how many of the variables seen each run does not have."""
    found = np.zeros(len(spikes), np.int64)
    for name, values in seen.items():
        given = spikes if name == SPIKES else state[name].reshape(-1)
        found += given != values[sample, step]
    return found


def columns_of(link: Link, population: Population, number: int) -> list[tuple[int, int]]:
    """The currents that a link feeds of a neuron, and the column of its map for each."""
    projection = link.projection
    if projection.feeds_all(population):
        return [(i, i * population.size + number) for i in range(population.currents)]
    return [(projection.current or 0, number)]
