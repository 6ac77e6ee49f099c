"""What may explain a difference, and how explanations are weighed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import log2

import numpy as np

from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array
from nmcompile.validation.alone import Alone
from nmcompile.validation.evidence import Evidence, Link, links_of
from nmcompile.validation.replay import SPIKES, replay


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A rule that the device may have instead of the compiled one.

    rule       its name: weight, lost spike, decay, threshold, delay, ...
    text       what would be otherwise, in words
    place      where: population, neuron, projection, source, step, register with its offset or
               value, as far as the rule has them
    changes    how many things it takes for other than compiled
    differing  values of the population's recording that it leaves unexplained
    tried      how many alternatives of its kind there were
    alike      how many of these explain as much
    """

    rule: str
    text: str
    place: dict[str, int | str]
    changes: int = 1
    differing: int
    tried: int
    alike: int = 1

    @property
    def rank(self) -> tuple[int, float]:
        """The less, the better: what it leaves open or assumes, then how free its choice was."""
        return self.differing + self.changes, log2(self.tried)


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A population that does not do what was compiled, and where that shows first.

    seen       variable -> (samples, steps, n) what the device told of it
    compiled   the same and all other variables, as compiled, for what its sources sent
    wrong      (n,) how many values of each neuron are not those
    place      sample, step, neuron of the first
    """

    evidence: Evidence
    population: Population
    links: tuple[Link, ...]
    seen: dict[str, Array]
    compiled: dict[str, Array]
    wrong: Array
    place: tuple[int, int, int]

    @property
    def neuron(self) -> int:
        """The first that differs."""
        return self.place[2]

    @cached_property
    def alone(self) -> Alone:
        """The first neuron that differs by itself."""
        return Alone(self.population, self.links, self.neuron)

    @property
    def differing(self) -> int:
        """How many values are not as compiled."""
        return int(self.wrong.sum())

    @property
    def steps(self) -> int:
        """Number of steps of a sample."""
        return int(next(iter(self.seen.values())).shape[1])

    @property
    def own(self) -> dict[str, Array]:
        """Variable -> (samples, steps) of the first neuron that differs."""
        return {name: values[:, :, self.neuron] for name, values in self.seen.items()}

    @property
    def states(self) -> bool:
        """Whether states are seen."""
        return bool(set(self.seen) - {SPIKES})

    def here(self, **more: int | str) -> dict[str, int | str]:
        """The place of the population, with more about it."""
        return {"population": self.population.name, **more}

    def left(self, found: dict[str, Array], delay: int = 0) -> Array:
        """(n,) values of each neuron that `found` does not give.

        delay  below 0: what arrives in the last steps is not recorded; what differs there is left
        """
        known = np.arange(self.steps)[:, None] < self.steps + min(delay, 0)
        return np.sum([(np.where(known, found[name], self.compiled[name]) != values).sum(
            axis=(0, 1)) for name, values in self.seen.items()], axis=0)

    def with_own(self, left: int) -> int:
        """Values that differ in all if the first neuron's were `left`."""
        return self.differing - int(self.wrong[self.neuron]) + left


@dataclass(kw_only=True)
class Found:
    """Explanations that were tried."""

    all: list[Explanation] = field(default_factory=list)

    def best(self, differing: int) -> list[Explanation]:
        """The best one first, then those that explain as much with as few changes.

        None where all leave as much open as no change at all.
        """
        useful = sorted((e for e in self.all if e.rank[0] < differing + 1 and (
            e.differing < differing)), key=lambda e: e.rank)
        return [e for e in useful if e.rank[0] == useful[0].rank[0]]


def case_of(evidence: Evidence, name: str) -> Case | None:
    """The case of a population; None where it does what was compiled."""
    population = evidence.network.population(name)
    links, seen = links_of(evidence, population), evidence.seen[name]
    if not links:
        return None
    compiled = replay(population, links)
    unequal = {k: compiled[k] != values for k, values in seen.items()}
    wrong = np.sum([u.sum(axis=(0, 1)) for u in unequal.values()], axis=0)
    if not wrong.any():
        return None
    anywhere = np.any(list(unequal.values()), axis=0)
    sample, step, neuron = (int(x[0]) for x in np.nonzero(anywhere))
    return Case(evidence=evidence, population=population, links=links, seen=seen,
                compiled=compiled, wrong=wrong, place=(sample, step, neuron))
