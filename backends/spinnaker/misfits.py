"""Values of a network that SpiNNaker's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from nmcompile_backends.spinnaker import encode
from nmcompile_backends.spinnaker.dynamics import dynamics
from nmcompile_backends.spinnaker.leaks import slowest_membrane, slowest_synapse

from nmcompile.backend import Layer, Misfit
from nmcompile.misfits import Room, largest_weight, out_of_scale, slow_leak
from nmcompile.target import Target


def misfits(layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
    """Leaks slower than the longest time constants, and what the weights' scale cannot reach."""
    for field, slowest in (("decay", slowest_membrane()), ("current_decay", slowest_synapse())):
        decay = getattr(layer.population.neuron, field, None)
        if decay is None:
            continue
        misfit = slow_leak(layer.population, field, np.asarray(decay > slowest), slowest,
                           f"{target.name} keeps {slowest:.6g} at most", steps)
        if misfit is not None:
            yield misfit
            assert misfit.legal is not None
            layer = replace(layer, population=misfit.legal)
    largest = largest_weight(layer)
    if largest > 0:
        found = dynamics(layer.population)
        finest = 2.0**encode.LARGEST_SHIFT
        settling = encode.HIGHEST * float(np.min(1 - found.keeps))  # a bias drives v to bias / that
        highest = encode.HIGHEST / encode.HEADROOM
        room = Room(coarsest=1 / largest, threshold=highest, bias=settling,
                    finest=lambda changed: finest * encode.natural_scale(changed, target))
        yield from out_of_scale(layer, target, room,
                                encode.settled_bias(layer.population, found.kept))
