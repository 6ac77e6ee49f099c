"""Values of a network that Loihi's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from nmcompile_backends.loihi import encode
from nmcompile_backends.loihi.arithmetic import THRESHOLD_LIMIT
from nmcompile_backends.loihi.leaks import LEAST, UNITY, largest_factor

from nmcompile.backend import Layer, Misfit
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF
from nmcompile.misfits import Room, largest_weight, out_of_scale, slow_leak
from nmcompile.target import Target

STEP = 2  # between two mantissas of mixed signs


def misfits(layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
    """Slow leaks, and thresholds and biases that the weights' scales cannot reach.

    A decay of less than half a step from 1 would become no leak at all. Where a synaptic current
    may not be without decay (see `leaks`), it is given the slowest. What that does not change over
    `steps` steps is no misfit: a leak that training left at 0.9999997 is none.
    """
    for field in LEAST:
        misfit = _slow_leak(layer, field, target, steps)
        if misfit is not None:
            yield misfit
            assert misfit.legal is not None
            layer = replace(layer, population=misfit.legal)
    largest = largest_weight(layer)
    if isinstance(layer.population.neuron, LI | LIF | CubaLI | CubaLIF) and largest > 0:
        room = Room(
            coarsest=2.0 ** encode.EXPONENTS[0] * STEP / largest,
            finest=lambda changed: encode.natural_scale(changed, target),
            threshold=THRESHOLD_LIMIT, bias=encode.BIAS_LIMIT)
        yield from out_of_scale(layer, target, room, encode.membrane_bias(layer.population))


def _slow_leak(layer: Layer, field: str, target: Target, steps: int) -> Misfit | None:
    population = layer.population
    if not hasattr(population.neuron, field):
        return None
    most = largest_factor(field, population, encode.has_microcode(target))
    decay = np.asarray(getattr(population.neuron, field), np.float64)
    lost = ((decay < 1) | (most < UNITY)) & (np.rint(decay * UNITY) >= UNITY)
    return slow_leak(population, field, lost, most / UNITY,
                     f"{target.name} holds steps of 1/{UNITY}", steps)
