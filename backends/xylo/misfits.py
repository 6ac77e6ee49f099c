"""Values of a network that Xylo's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from nmcompile_backends.xylo import encode
from nmcompile_backends.xylo.arithmetic import DASH_LIMIT, STATE_HIGH
from nmcompile_backends.xylo.dash import kept

from nmcompile.backend import Layer, Misfit
from nmcompile.misfits import Room, largest_weight, out_of_scale, slow_leak
from nmcompile.target import Target


def misfits(layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
    """Leaks slower than the largest dash, and what the weights' scale cannot reach."""
    slowest = float(kept(np.array(DASH_LIMIT)))
    for field in ("decay", "current_decay"):
        decay = getattr(layer.population.neuron, field, None)
        if decay is None:
            continue
        held = (f"{target.name} keeps 1 - 1/2**{DASH_LIMIT} at most, and loses at least a unit of "
                "its registers each step")
        misfit = slow_leak(layer.population, field, decay > slowest, slowest, held, steps)
        if misfit is not None:
            yield misfit
            assert misfit.legal is not None
            layer = replace(layer, population=misfit.legal)
    largest = largest_weight(layer) * encode.gain(layer.population)
    if largest > 0:
        # A model's bias ahead of its current is part of the currents that the scale leaves room for
        room = Room(coarsest=1 / largest, threshold=STATE_HIGH,
                    bias=encode.current_room(layer.population),
                    finest=lambda changed: encode.natural_scale(changed, target))
        yield from out_of_scale(layer, target, room, encode.membrane_bias(layer.population))
