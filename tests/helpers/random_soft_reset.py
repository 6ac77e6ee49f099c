"""Random neurons of Loihi 1 that are reset by a synapse, and networks of their parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.loihi.soft_reset import LoihiSoftReset

from helpers.loihi_programs import dense, network, port, projection, weights
from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Dense


def soft_reset(rng: np.random.Generator, shape: tuple[int, ...]) -> LoihiSoftReset:
    """Registers at their ends as often as between."""
    def one(low: int, high: int, small: int) -> np.ndarray:
        each = shape if rng.random() < 0.5 else ()
        values = rng.choice([low, high, rng.integers(low, small), rng.integers(low, small)],
                            int(np.prod(each)))
        return values.reshape(each).astype(np.int32)

    return LoihiSoftReset(
        dv=one(0, 4095, 4096), threshold=one(0, 131071, 900), bias_exponent=int(rng.integers(0, 8)),
        bias_mantissa=one(-4095, 4095, 300), reset_mantissa=one(0, 255, 256),
        reset_exponent=int(rng.integers(0, 8)), v_init=one(1 - 2**23, 2**23 - 1, 9000))


def subtracting(seed: int) -> Network:
    """Two layers that fire now and then: compartments, and the synapses that reset them."""
    rng = np.random.default_rng(seed)
    image, zero = (2, 4, 5), np.zeros((), np.int32)
    layers = [Population(name=name, shape=shape, bias=zero, start=start, neuron=replace(
        soft_reset(rng, shape), threshold=rng.integers(20, 300, shape), bias_mantissa=zero,
        v_init=rng.integers(-900, 900, shape)))
        for name, shape, start in (("a", image, 1), ("b", (9,), 2))]
    parts, synapses = zip(*(layer.neuron.parts(layer) for layer in layers), strict=True)
    return network((port((8,)),), parts, (
        projection("in", "a", Dense(weight=weights(rng, (40, 8)), in_shape=(8,), out_shape=image)),
        projection("a", "b", dense(weights(rng, (9, 40))), exponent=-1), *synapses))
