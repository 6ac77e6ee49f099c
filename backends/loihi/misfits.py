"""Values of a network that Loihi's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from nmcompile_backends.loihi.arithmetic import DECAY_BITS

from nmcompile.backend import Misfit
from nmcompile.ir import Population
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target

# Largest factor in 4096ths: v keeps (4096 - dv), u keeps (4096 - (du + 1)) of itself
# (lava-nc proc/lif/models.py, `subthr_dynamics`); theta and r as v (proc/atrlif/models.py).
LARGEST = {"decay": 4096, "current_decay": 4095, "adaptation_decay": 4096, "refractory_decay": 4096}
CHANGE = 0.005  # of a state over the run; a leak whose loss changes less is rounded like others
STATES = {"decay": "membrane", "current_decay": "synaptic current",
          "adaptation_decay": "rise of the threshold", "refractory_decay": "refractoriness"}


def misfits(population: Population, target: Target, steps: int) -> tuple[Misfit, ...]:
    """Leaks that are so slow that the decay register would take them for another kind of neuron.

    A decay of less than half a step from 1 would become no leak at all, and a synaptic current
    that never decays is given the slowest decay. What that does not change over `steps` steps is
    no misfit: a leak that training left at 0.9999997 is none.
    """
    return tuple(_slow_leaks(population, target, steps))


def _slow_leaks(population: Population, target: Target, steps: int) -> Iterator[Misfit]:
    for field, most in LARGEST.items():
        decay = np.asarray(getattr(population.neuron, field, 0.0), np.float64)
        current = field == "current_decay"
        lost = (decay * 2**DECAY_BITS > most - 0.5) & (decay > 0 if current else decay < 1)
        lost &= np.rint(decay * 2**DECAY_BITS) >= (most + 1 if current else most)
        lost &= np.abs(decay**steps - (most / 2**DECAY_BITS) ** steps) > CHANGE
        if not np.any(lost):
            continue
        legal = np.where(lost, most / 2**DECAY_BITS, decay).astype(np.float32)
        neuron: Any = population.neuron
        population = replace(population, neuron=replace(neuron, **{field: legal}))
        yield Misfit(
            where=population.name,
            what=f"the {STATES[field]} keeps {_span(decay[lost])} of itself each step, "
            f"{target.name} holds steps of 1/{2**DECAY_BITS}",
            nearest=f"{most / 2**DECAY_BITS:g}",
            effect=_effect(field, decay[lost]), legal=population)


def _span(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _effect(field: str, decay: Array) -> str:
    if np.all(decay >= 1):
        return "with a time constant of 4,096 steps in place of none"
    steps = f"a time constant of {1 / (1 - float(decay.max())):,.0f} steps"
    after = "with one of 4,096" if field == "current_decay" else "without any leak"
    return f"{after} in place of {steps}"
