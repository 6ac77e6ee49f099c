"""Values of a network that TrueNorth's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from nmcompile_backends.truenorth import encode
from nmcompile_backends.truenorth.arithmetic import LEAK_LIMIT, THRESHOLD_LIMIT

from nmcompile.backend import Layer, Misfit
from nmcompile.ir.neurons import LIF, ResetAt
from nmcompile.misfits import Room, largest_weight, out_of_scale, slow_leak
from nmcompile.target import Target


def misfits(layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
    """Membranes that keep a share of themselves, and what the weights' scale cannot reach."""
    neuron = layer.population.neuron
    assert isinstance(neuron, LIF)
    misfit = slow_leak(layer.population, "decay", np.asarray(neuron.decay < 1), 1.0,
                       f"{target.name} leaks by a constant and not by a factor", steps)
    if misfit is not None:
        assert misfit.legal is not None
        plain = misfit.legal.neuron
        assert isinstance(plain, LIF)
        legal = replace(misfit.legal, neuron=replace(plain, reset_at=ResetAt.SPIKE))
        yield replace(misfit, legal=legal)
        layer = replace(layer, population=legal)
    largest = largest_weight(layer)
    if largest > 0:
        room = Room(coarsest=1 / largest, threshold=THRESHOLD_LIMIT - 1, bias=LEAK_LIMIT,
                    finest=lambda changed: encode.natural_scale(changed, target))
        yield from out_of_scale(layer, target, room, layer.population.bias)
