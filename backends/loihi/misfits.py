"""Values of a network that Loihi's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from nmcompile_backends.loihi.leaks import LEAST, UNITY, largest_factor

from nmcompile.backend import Misfit
from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target

CHANGE = 0.005  # of a state over the run; a leak whose loss changes less is rounded like others
STATES = {"decay": "membrane", "current_decay": "synaptic current"}


def misfits(population: Population, target: Target, steps: int) -> tuple[Misfit, ...]:
    """Leaks that are so slow that the decay register would take them for another kind of neuron.

    A decay of less than half a step from 1 would become no leak at all. Where a synaptic current
    may not be without decay (see `leaks`), it is given the slowest. What that does not change over
    `steps` steps is no misfit: a leak that training left at 0.9999997 is none.
    """
    return tuple(_slow_leaks(population, target, steps))


def _slow_leaks(population: Population, target: Target, steps: int) -> Iterator[Misfit]:
    for field in LEAST:
        most = largest_factor(field, population, target)
        decay = np.asarray(getattr(population.neuron, field, 0.0), np.float64)
        lost = (decay < 1) | (most < UNITY)
        lost &= np.rint(decay * UNITY) >= UNITY
        lost &= np.abs(decay**steps - (most / UNITY) ** steps) > CHANGE
        if not np.any(lost):
            continue
        legal = np.where(lost, most / UNITY, decay).astype(np.float32)
        neuron: Any = population.neuron
        population = replace(population, neuron=replace(neuron, **{field: legal}))
        yield Misfit(
            where=population.name,
            what=f"the {STATES[field]} keeps {_span(decay[lost])} of itself each step, "
            f"{target.name} holds steps of 1/{UNITY}",
            nearest=f"{most / UNITY:g}",
            effect=_effect(most, decay[lost]), legal=population)


def _span(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _effect(most: int, decay: Array) -> str:
    if np.all(decay >= 1):
        return "with a time constant of 4,096 steps in place of none"
    steps = f"a time constant of {1 / (1 - float(decay.max())):,.0f} steps"
    after = "with one of 4,096" if most < UNITY else "without any leak"
    return f"{after} in place of {steps}"
