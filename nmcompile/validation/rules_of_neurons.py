"""Explanations by what a neuron does: its registers, its additions, which neuron is which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array, accumulator_of, rules_of
from nmcompile.validation.alone import unchanged
from nmcompile.validation.explanations import Case, Explanation
from nmcompile.validation.replay import SPIKES, Adding, only, replay, with_register

FEW = 64  # neurons among which exchanged ones are looked for
ADDING: tuple[tuple[Adding, str, str], ...] = (
    ("backwards", "order", "spikes are added in the opposite order"),
    ("at once", "saturation", "sums saturate once behind all additions, not in each"),
    ("wrapping", "saturation", "additions wrap and do not saturate"),
)


def registers(case: Case) -> Iterator[Explanation]:
    """One register, of all neurons or of the first that differs, is off by one or another word."""
    variants = list(_variants(case.population))
    for name, rule, value, told, what in variants:
        changed = _verified(with_register(case.population, name, value))
        if changed is not None:
            place = case.here(register=name, **what)
            yield from _register(case, changed, (rule, f"{name} {told}", place), len(variants))


def biases(case: Case) -> Iterator[Explanation]:
    """The bias is off by one."""
    for by in (1, -1):
        bias = case.population.bias + np.asarray(by, case.population.bias.dtype)
        yield from _register(case, replace(case.population, bias=bias),
                             ("bias", f"bias {_off(by)}", case.here(register="bias", offset=by)),
                             2)


def _register(
    case: Case, changed: Population, told: tuple[str, str, dict[str, int | str]], tried: int
) -> Iterator[Explanation]:
    """A population with one register changed; by itself where only one neuron's is."""
    rule, text, place = told
    own = int(case.alone.changed(changed).differing(unchanged(), case.own)[0])
    if own >= case.wrong[case.neuron]:
        return
    everyone = int(case.left(replay(changed, case.links)).sum())
    single = case.with_own(own)
    if everyone <= single:
        yield Explanation(rule=rule, text=f"{text}, in all neurons", place=place,
                          differing=everyone, tried=tried)
    else:
        yield Explanation(
            rule=rule, text=f"{text}, in neuron {case.neuron}",
            place={**place, "neuron": case.neuron}, differing=single,
            tried=tried * case.population.size)


def additions(case: Case) -> Iterator[Explanation]:
    """Spikes are added otherwise than one after the other, each sum saturating."""
    if accumulator_of(case.population.neuron) is None:
        return
    for adding, rule, text in ADDING:
        left = int(case.left(replay(case.population, case.links, adding)).sum())
        yield Explanation(rule=rule, text=text, place=case.here(), differing=left,
                          tried=len(ADDING))


def exchanged(case: Case) -> Iterator[Explanation]:
    """The first neuron that differs and another one stand in each other's place."""
    one, wrong = case.neuron, case.wrong
    others = np.setdiff1d(np.flatnonzero(wrong), [one])
    for both in (True, False):
        variables = [name for name in case.seen if both or name == SPIKES]
        if not both and (len(variables) == len(case.seen) or not variables):
            return
        for other in others[:FEW]:
            left = _left_exchanged(case, one, int(other), variables)
            yield Explanation(
                rule="swapped neurons",
                text=f"neurons {one} and {other} are exchanged"
                     + ("" if both else ", in what they send but not in what they hold"),
                place=case.here(neuron=one, other=int(other)),
                differing=case.differing - int(wrong[one] + wrong[other]) + left,
                tried=case.population.size)


def _left_exchanged(case: Case, one: int, other: int, variables: list[str]) -> int:
    left = 0
    for name, values in case.seen.items():
        pair = [other, one] if name in variables else [one, other]
        left += int(np.count_nonzero(values[:, :, [one, other]] != case.compiled[name][:, :, pair]))
    return left


def unsent(case: Case) -> Iterator[Explanation]:
    """Neurons fired as compiled, but a spike of theirs did not leave, or one left too many."""
    if SPIKES not in case.seen:
        return
    given, due = case.seen[SPIKES], case.compiled[SPIKES]
    wrong = (given != due).sum(axis=(0, 1))
    inside = wrong == case.wrong  # states are those of a neuron that sent what was due
    for rule, text, is_it, tried in (
        ("lost spike", "{} of neuron {} {} not sent, though the neuron did what follows a spike",
         (due != 0) & (given == 0), 1),
        ("extra spike", "{} of neuron {} {} sent without the neuron doing what follows a spike",
         (due == 0) & (given != 0), due.size),
    ):
        explained = inside & (wrong > 0) & (is_it.sum(axis=(0, 1)) == wrong)
        if not explained[case.neuron]:
            continue
        count = int(wrong[explained].sum())
        sample, step, neuron = case.place
        which = f"the spike of step {step} of sample {sample}" if count == 1 else f"{count} spikes"
        who = str(neuron) if count == 1 else ", ".join(map(str, np.flatnonzero(explained)[:5]))
        yield Explanation(
            rule=rule, text=text.format(which, who, "was" if count == 1 else "were"),
            place=case.here(neuron=neuron, sample=sample, step=step), changes=count,
            differing=case.differing - count, tried=tried)


def _variants(
    population: Population,
) -> Iterator[tuple[str, str, Any, str, dict[str, Any]]]:
    """Register, rule, another value, words for it, and its offset or value as plain data.

    For each register that the neuron's rules name.
    """
    neuron = population.neuron
    for name, (rule, *values) in rules_of(neuron).items():
        value = getattr(neuron, name)
        if values or isinstance(value, bool | Enum):
            yield from ((name, rule, other, f"is {_word(other)}, not {_word(value)}",
                         {"value": _word(other)})
                        for other in values or _others(value) if other != value)
        else:
            yield from ((name, rule, _next(value, by), _off(by), {"offset": by})
                        for by in (1, -1))


def _others(value: bool | Enum) -> tuple[Any, ...]:
    return (True, False) if isinstance(value, bool) else tuple(type(value))


def _word(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _next(value: Array | int, by: int) -> Array | int:
    """The next integer or float up or down."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.nextafter(value, np.asarray(by * np.inf, value.dtype))
    if isinstance(value, np.ndarray):
        return np.asarray(value + by, value.dtype)
    return value + by


def _off(by: int) -> str:
    return f"is {'one more' if by > 0 else 'one less'} than compiled"


def _verified(population: Population) -> Population | None:
    """`population`, None where its registers do not hold the value."""
    try:
        population.neuron.verify(population.name, population.shape)
        only(population, 0).neuron.verify(population.name, (1,))
    except NmcError:
        return None
    return population
