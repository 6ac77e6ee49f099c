"""Explanations by what arrives: a weight, the delay of a projection, a spike lost on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from nmcompile.ir import SynapseFormat
from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.registry import backend
from nmcompile.validation.alone import ALWAYS, ROWS, Alone, Changes, joined, unchanged
from nmcompile.validation.evidence import Link, moved, silenced
from nmcompile.validation.explanations import Case, Explanation
from nmcompile.validation.replay import replay

MOST_VALUES = 512  # of a weight that are tried where what is seen does not choose among them
MOST_ALIKE = 1 << 16  # that give all that is seen and are kept: the values of one weight
MOST_FITTING = 20_000  # alternatives that are held against the whole recording
MOST_NEURONS = 8  # that differ and are asked which of the alternatives they agree with
NOWHERE = -1
MOST_WHOLE = 12  # of these, the best that are held against the whole population


def delays(case: Case) -> Iterator[Explanation]:
    """A projection takes one step more or less."""
    for number in sorted({link.number for link in case.links}):
        for by in (1, -1):
            if case.evidence.network.projections[number].delay + by < 0:
                continue
            links = moved(case.links, number, by)
            delay = min(link.delay for link in links if link.number == number)
            left = int(case.left(replay(case.population, links), delay).sum())
            projection = case.evidence.network.projections[number]
            yield Explanation(
                rule="delay", differing=left, tried=2 * len(case.links),
                text=f"{projection.name} takes {projection.delay + by} steps, not "
                     f"{projection.delay}",
                place=case.here(projection=projection.name, delay=projection.delay + by))


def weights(case: Case) -> Iterator[Explanation]:
    """One weight is another one, wherever it is used."""
    best, left, tried = _best(case, lambda: (
        part for number in range(len(case.links)) for part in _other_weights(case, number)))
    if best is None:
        return
    if any(isinstance(link.projection.map, Conv) for link in case.links):
        best = _agreed(case, best, _same_weight)
    alike, best = len(best), best[:MOST_WHOLE]
    found = []
    for i in range(len(best)):
        shared = isinstance(case.links[int(best.link[i])].projection.map, Conv)
        found.append((_left_by_weight(case, best[np.array([i])]) if shared
                      else case.with_own(left), i))
    everyone, i = min(found)
    yield _weight(case, best[np.array([i])], everyone, (tried, alike))


def lost(case: Case) -> Iterator[Explanation]:
    """A spike on its way was lost, or came twice."""
    for times, rule, text in ((0, "lost spike", "did not arrive"),
                              (2, "double spike", "arrived twice")):
        best, left, tried = _best(case, partial(_all_spikes, case, times))
        if best is None:
            continue
        best = _agreed(case, best, _same_spike)
        alike, best = len(best), best[:MOST_WHOLE]
        found = [(*_scope(case, best[np.array([i])], times, left), i) for i in range(len(best))]
        everyone, where, i = min(found)
        link, source = case.links[int(best.link[i])], int(best.source[i])
        neuron, step = link.name_of(source), int(best.step[i])
        place = case.here(projection=link.projection.name, source=neuron, step=step,
                          sample=int(best.sample[i]), neuron=case.neuron)
        yield Explanation(
            rule=rule, differing=everyone, tried=tried, alike=alike, place=place,
            text=f"the spike of {link.projection.source} neuron {neuron} that was due in step "
                 f"{step} of sample {int(best.sample[i])} {text} {where}")


def _agreed(
    case: Case, best: Changes, there: Callable[[Case, Alone, Changes], Changes]
) -> Changes:
    """Those of `best` that leave fewest values open of other neurons that differ.

    there  what the changes are at another neuron
    """
    others = np.argsort(-case.wrong, kind="stable")[: np.count_nonzero(case.wrong)]
    for other in [int(n) for n in others if n != case.neuron][:MOST_NEURONS]:
        if len(best) <= 1:
            break
        alone = Alone(case.population, case.links, other)
        seen = {name: values[:, :, other] for name, values in case.seen.items()}
        left = alone.differing(there(case, alone, best), seen)
        best = best[left == left.min()]
    return best


def _same_weight(case: Case, there: Alone, changes: Changes) -> Changes:
    """The changes of shared weights at another neuron: none where it does not use the weight."""
    source = {(i, place, int(weight)): int(source) for i in range(len(case.links))
              for place, sources, numbers in there.synapses(i)
              for source, weight in zip(sources, numbers, strict=True)}
    keys = zip(changes.link.tolist(), changes.current.tolist(), changes.number.tolist(),
               strict=True)
    at = np.array([source.get(key, NOWHERE) for key in keys])
    return replace(changes, source=np.maximum(at, 0), delta=np.where(at < 0, 0, changes.delta))


def _same_spike(case: Case, there: Alone, changes: Changes) -> Changes:
    """The changes of spikes at another neuron, by its own weights from their sources."""
    times = np.sign(changes.delta) * np.sign(_held(case, changes))
    found: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for i, link in enumerate(case.links):
        weights_ = link.projection.map.weights()
        for place, sources, numbers in there.synapses(i):
            found |= {(link.number, int(source)): (i, place, int(number), int(weights_[number]))
                      for source, number in zip(sources, numbers, strict=True)
                      if weights_[number] != 0}
    keys = [(case.links[link].number, source) for link, source in zip(
        changes.link.tolist(), changes.source.tolist(), strict=True)]
    link, place, number, weight = np.array(
        [found.get(key, (0, 0, 0, 0)) for key in keys], np.int64).T
    return replace(changes, link=link, current=place, number=number, delta=times * weight)


def _held(case: Case, changes: Changes) -> Array:
    """(k,) the weight that each change is about."""
    held = [link.projection.map.weights() for link in case.links]
    return np.array([held[link][number] for link, number in zip(
        changes.link.tolist(), changes.number.tolist(), strict=True)], np.int64)


def _best(
    case: Case, parts: Callable[[], Iterator[Changes]]
) -> tuple[Changes | None, int, int]:
    """The changes that leave fewest of the neuron's values open, how many that is, and all tried.

    Where states are seen, a change shows in the step in which it acts, and what is seen of that
    step chooses among the changes; else all that leads to the first difference does.
    """
    sample, step, _ = case.place
    tried, fitting = 0, unchanged()[:0]
    if case.states:
        kept = []
        for part in _gathered(parts()):
            tried += len(part)
            acts = part[(part.step == step) | (part.step == ALWAYS)]
            some = case.alone.fitting_step(acts, case.own, (sample, step))
            kept.append(_narrowed(case, some))
        fitting = joined(kept)
    if len(fitting) == 0:
        tried, kept = 0, []
        for part in _gathered(parts()):
            tried += len(part)
            kept.append(case.alone.fitting(part, case.own, (sample, step)))
        fitting = joined(kept)
    if len(fitting) == 0:
        return None, 0, tried
    fitting = fitting[np.argsort(np.abs(fitting.delta), kind="stable")]
    exact = fitting
    for i in range(len(case.evidence.sent[case.population.name])):
        exact = case.alone.fitting(exact, case.own, (i, case.steps - 1))
    if len(exact):
        return exact, 0, tried
    fitting = fitting[: MOST_FITTING]
    left = case.alone.differing(fitting, case.own)
    least = int(left.min())
    if least >= case.wrong[case.neuron]:
        return None, 0, tried
    return fitting[left == least], least, tried


def _narrowed(case: Case, changes: Changes) -> Changes:
    """`changes` that give what is seen in a step: where that are too many, fewer of them.

    A spike whose membrane is then reset is given by every weight that is large enough; of so many,
    those are kept that give other samples too, and if still too many, a few of each synapse.
    """
    samples = range(len(case.evidence.sent[case.population.name]))
    for sample in sorted(samples, key=lambda i: i != case.place[0]):
        if len(changes) <= MOST_FITTING:
            return changes
        whole = case.alone.fitting(changes, case.own, (sample, case.steps - 1))
        if len(whole) == 0:
            break
        changes = whole
    else:
        if len(changes) <= MOST_ALIKE:
            return changes
    synapse = np.stack([changes.link, changes.current, changes.number])
    begin = np.flatnonzero((np.diff(synapse, prepend=-1) != 0).any(axis=0))
    return changes[np.concatenate([
        first + _few(changes.delta[first:end])
        for first, end in zip(begin, [*begin[1:], len(changes)], strict=True)])]


def _few(deltas: Array) -> Array:
    """Which of changes of one weight, in order, are tried: all, or the nearest and some others."""
    if len(deltas) <= MOST_VALUES:
        return np.arange(len(deltas))
    near = np.flatnonzero(np.abs(deltas) <= MOST_VALUES // 4)
    return np.union1d(near, np.arange(0, len(deltas), len(deltas) // (MOST_VALUES // 2)))


def _gathered(parts: Iterator[Changes]) -> Iterator[Changes]:
    """Changes in lots of about `ROWS`."""
    waiting: list[Changes] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= ROWS:
            yield joined(waiting)
            waiting = []
    yield joined(waiting)


def _other_weights(case: Case, number: int) -> Iterator[Changes]:
    """Other values of the weights through which something arrived up to the first difference."""
    link = case.links[number]
    stored = case.evidence.network.projections[link.number].format
    assert stored is not None
    heard = _heard(case, link)
    held = link.projection.map.weights()
    for place, sources, numbers in case.alone.synapses(number):
        active = np.isin(sources, heard)
        for source, weight in zip(sources[active], numbers[active], strict=True):
            value = int(held[weight])
            whole = int(case.evidence.network.projections[link.number].map.weights()[weight])
            if link.projection is not case.evidence.network.projections[link.number] and (
                    value == 0 and whole != 0):
                continue  # a split weight feeds its other current
            values = _values(case, stored, link, value)
            yield _changes(number, int(source), int(weight), place, values - value)


def _values(case: Case, stored: SynapseFormat, link: Link, value: int) -> Array:
    """What a weight may be instead of `value`, nearest first where not all are tried."""
    low, high, step = backend(case.evidence.program.target.family).weight_levels(stored)
    if link.projection.format is not None and link.projection.format.sign != stored.sign:
        low, high = 0, max(-low, high)  # a magnitude
    values = np.arange(low, high + 1, step)
    values = values[values != value]
    return values if case.states else values[_few(values - value)]


def _heard(case: Case, link: Link) -> Array:
    """Sources of which something arrived up to the first difference in its sample.

    Where states are seen, only in that step: what arrived before did what was compiled.
    """
    sample, step, _ = case.place
    first = step if case.states else 0
    heard = np.flatnonzero((link.arrived[sample, first : step + 1] != 0).any(axis=0))
    if len(heard) == 0 and case.states:
        heard = np.flatnonzero((link.arrived[sample, : step + 1] != 0).any(axis=0))
    return heard


def _all_spikes(case: Case, times: int) -> Iterator[Changes]:
    for number in range(len(case.links)):
        yield from _other_spikes(case, number, times)


def _other_spikes(case: Case, number: int, times: int) -> Iterator[Changes]:
    """Each spike that arrives up to the first difference, coming `times` times."""
    link = case.links[number]
    sample, last, _ = case.place
    held = link.projection.map.weights()
    for place, sources, numbers in case.alone.synapses(number):
        arrived = link.arrived[sample, : last + 1][:, sources]
        step, column = np.nonzero((arrived != 0) & (held[numbers] != 0))
        weight = numbers[column]
        yield Changes(
            link=np.full(len(step), number), source=sources[column], number=weight,
            current=np.full(len(step), place), delta=(times - 1) * held[weight].astype(np.int64),
            sample=np.full(len(step), sample), step=step)


def _changes(link: int, source: int, number: int, current: int, delta: Array) -> Changes:
    same = [np.full(len(delta), value) for value in (link, source, number, current)]
    always = np.full(len(delta), ALWAYS)
    return Changes(link=same[0], source=same[1], number=same[2], current=same[3],
                   delta=delta.astype(np.int64), sample=always, step=always)


def _weight(case: Case, change: Changes, left: int, tried: tuple[int, int]) -> Explanation:
    link, source = case.links[int(change.link[0])], int(change.source[0])
    projection = case.evidence.network.projections[link.number]
    value = int(projection.map.weights()[int(change.number[0])])
    sign = -1 if projection.split and link.projection.current == 1 else 1
    new, neuron = value + sign * int(change.delta[0]), link.name_of(source)
    shared = isinstance(projection.map, Conv)
    return Explanation(
        rule="weight", differing=left, tried=tried[0], alike=tried[1],
        text=f"{projection.name}: the weight from neuron {neuron} to neuron {case.neuron}"
             + (", shared by all places of a channel," if shared else "")
             + f" is {new}, not {value}",
        place=case.here(projection=projection.name, source=neuron, neuron=case.neuron,
                        weight=int(change.number[0]), compiled=value, found=new))


def _left_by_weight(case: Case, change: Changes) -> int:
    """Values of the population left open by a weight that neurons share."""
    number = int(change.link[0])
    link = case.links[number]
    weights_ = link.projection.map.weights().astype(np.int64)
    weights_[int(change.number[0])] += int(change.delta[0])
    other = replace(link, projection=replace(
        link.projection, map=link.projection.map.with_weights(weights_)))
    links = tuple(other if i == number else x for i, x in enumerate(case.links))
    return int(case.left(replay(case.population, links)).sum())


def _scope(case: Case, change: Changes, times: int, own: int) -> tuple[int, str]:
    """What a spike that comes `times` times leaves open, and to whom it does: the most likely."""
    network, slices = case.evidence.network, case.evidence.program.mapping.slices
    number = [p.name for p in network.populations].index(case.population.name)
    link = case.links[int(change.link[0])]
    event = (int(change.sample[0]), int(change.step[0]), int(change.source[0]))
    everywhere = case.left(replay(case.population, silenced(case.links, link.number, event, times)))
    owner = slice_of_neurons(network, slices, number)
    core = slices.core[owner[case.neuron]]
    here = slices.core[owner] == core
    scopes = [
        (int(everywhere.sum()), "at any neuron"),
        (int(np.where(here, everywhere, case.wrong).sum()), f"at core {core}"),
        (case.with_own(own), f"at neuron {case.neuron}"),
    ]
    least = min(left for left, _ in scopes)
    return next((left, where) for left, where in scopes if left == least)

