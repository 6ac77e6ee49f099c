"""Where a device first differs from the reference, and what it had to compute there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nmcompile.ir import Network, Population, order
from nmcompile.ir.neurons.base import Array
from nmcompile.validation.alone import columns_of
from nmcompile.validation.evidence import (
    Evidence,
    Link,
    Records,
    links_of,
    synapses_into,
    unknown_sources,
)
from nmcompile.validation.explain import explain
from nmcompile.validation.explanations import Explanation, case_of
from nmcompile.validation.shifts import shifts_of

SPIKES = "spikes"
MOST = 64  # incoming spikes that are listed


@dataclass(frozen=True, kw_only=True)
class Place:
    """Sample, step, population, neuron and variable in which two recordings differ."""

    sample: int
    step: int
    population: str
    neuron: int
    variable: str


def first_difference(
    populations: tuple[str, ...], wanted: Records, found: Records
) -> Place | None:
    """The first by sample, then step, then population in the order given, then neuron.

    wanted, found  (samples, steps, n) each; what `found` lacks is not compared
    """
    places = []
    for rank, name in enumerate(populations):
        unequal = {k: found[name][k] != wanted[name][k] for k in found.get(name, {})}
        if not unequal or not (anywhere := np.any(list(unequal.values()), axis=0)).any():
            continue
        sample, step, neuron = (int(x[0]) for x in np.nonzero(anywhere))
        spike = SPIKES in unequal and bool(unequal[SPIKES][sample, step, neuron])
        variable = SPIKES if spike else next(
            k for k, u in unequal.items() if u[sample, step, neuron])
        places.append(((sample, step, rank, neuron), variable))
    if not places:
        return None
    (sample, step, rank, neuron), variable = min(places)
    return Place(sample=sample, step=step, population=populations[rank], neuron=neuron,
                 variable=variable)


def populations_of(network: Network) -> tuple[str, ...]:
    """Populations in the order in which they compute within a step."""
    return tuple(order(network))


@dataclass(frozen=True, kw_only=True, eq=False)
class Divergence:
    """The first difference with all that is known of it.

    sample        in the data, `place.sample` being that in the evidence
    sent          what the neuron sent there by the reference and on the device; None: not told
    states        variable -> its value on both sides behind the step; before: ahead of it. Empty
                  where the reference has other units
    incoming      spikes that arrive there: projection, source, payload, weight, and whether the
                  device tells of them or they are the reference's
    unknown       sources of which neither tells what they sent
    explanations  the best one first, then those that explain as much
    differing     values of the population that are not as compiled for what the device sent to it
    beside        other populations that do not do what was compiled for what was sent to them
    samples       samples of the evidence
    shifts        population -> steps by which it comes late, where that is all that is wrong with
                  a recording; no rule is then sought
    """

    place: Place
    sample: int
    sent: tuple[int | None, int | None]
    states: dict[str, tuple[float, float | None]]
    before: dict[str, tuple[float, float | None]]
    incoming: tuple[dict[str, Any], ...]
    incoming_left_out: int
    unknown: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    differing: int
    beside: tuple[str, ...]
    samples: int
    shifts: dict[str, int] | None = None


def diverged(
    evidence: Evidence, place: Place, wanted: Records, first_sample: int, rules: bool = True,
    recorded: bool = False,
) -> Divergence:
    """What is known of the difference at `place` of the evidence.

    wanted        the reference's records of the samples of the evidence
    first_sample  number in the data of the first sample of the evidence
    rules         whether the reference runs the chip's own arithmetic, so that rules are tried
    recorded      whether a file tells it, whose clock may not be the network's own
    """
    population = evidence.network.population(place.population)
    incoming = list(_incoming(evidence, population, place))
    shifts = shifts_of(wanted, evidence.seen) if recorded else None
    case = case_of(evidence, place.population) if rules and shifts is None else None
    found, beside = [], []
    if case is not None:
        found = explain(case)
        beside = [p.name for p in evidence.network.populations
                  if p.name != place.population and p.name in evidence.seen
                  and case_of(evidence, p.name) is not None]
    ours, theirs = wanted[place.population], evidence.seen[place.population]
    spikes = (_at(ours, SPIKES, place, 0), _at(theirs, SPIKES, place, 0))
    return Divergence(
        place=place, sample=first_sample + place.sample, sent=spikes,
        states=_both(ours, theirs, place, 0) if rules else {},
        before=_before(population, ours, theirs, place) if rules else {},
        incoming=tuple(incoming[:MOST]), incoming_left_out=max(0, len(incoming) - MOST),
        unknown=unknown_sources(evidence, population),
        explanations=tuple(found), differing=0 if case is None else case.differing,
        beside=tuple(beside), shifts=shifts, samples=len(next(iter(evidence.sent.values()))))


def _incoming(evidence: Evidence, population: Population, place: Place) -> Any:
    """The spikes that reach the neuron in the step of the first difference, with their weights."""
    for link in links_of(evidence, population):
        arrived = link.arrived[place.sample, place.step]
        for current, column in columns_of(link, population, place.neuron):
            sources, numbers = synapses_into(link.projection, column)
            held = link.projection.map.weights()[numbers]
            for i in np.flatnonzero((arrived[sources] != 0) & (held != 0)):
                yield {"projection": link.projection.name, "current": current,
                       "source": link.name_of(int(sources[i])),
                       "payload": int(arrived[sources[i]]), "weight": int(_signed(link, held[i])),
                       "assumed": link.projection.source in evidence.assumed}


def _signed(link: Link, weight: Array) -> Array:
    """The magnitude in the second part of a split projection stands for a weight below 0."""
    form = link.projection.format
    return -weight if form is not None and link.projection.current == 1 and (
        form.sign == "excitatory") else weight


def _at(record: dict[str, Array], variable: str, place: Place, back: int) -> Any:
    """A variable of the neuron, `back` steps before; None where it is not told."""
    if variable not in record:
        return None
    value = record[variable][place.sample, place.step - back, place.neuron]
    return float(value) if value.dtype.kind == "f" else int(value)


def _both(
    ours: dict[str, Array], theirs: dict[str, Array], place: Place, back: int
) -> dict[str, tuple[Any, Any]]:
    return {name: (_at(ours, name, place, back), _at(theirs, name, place, back))
            for name in ours if name != SPIKES}


def _before(
    population: Population, ours: dict[str, Array], theirs: dict[str, Array], place: Place
) -> dict[str, tuple[Any, Any]]:
    """States ahead of the step; ahead of the first they are the initial ones."""
    if place.step:
        return _both(ours, theirs, place, 1)
    state = population.neuron.initial_state((1, *population.shape))
    values = {name: state[name].reshape(-1)[place.neuron].item() for name in ours if name in state}
    return {name: (value, None) for name, value in values.items()}
