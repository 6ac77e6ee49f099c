"""Real layers into TrueNorth's integers: weights of four bits on four axons for each line.

A line (a source that reaches a core) has an axon of each type, and every neuron has the values
1, 2, 4 and -8 times 2**exponent for them. So the crossbar's four bits of a line and a neuron are a
weight of four bits in two's complement. The exponent only makes thresholds and leaks finer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.truenorth.arithmetic import (
    LEAK_LIMIT,
    THRESHOLD_LIMIT,
    TrueNorthNeuron,
)

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.ir import Projection, SynapseFormat, WeightWidth
from nmcompile.ir.neurons import LIF
from nmcompile.ir.neurons.base import Array
from nmcompile.misfits import largest_weight, reached
from nmcompile.target import Target

PLACES = (1, 2, 4, -8)  # values of the four axon types, times 2**exponent
EXPONENTS = (0, 4)  # -8 * 2**4 is within the 9 bits of a value


def weight_levels(bits: int) -> tuple[int, int, int]:
    """Lowest and highest weight of `bits`, at most 4, and the step between two."""
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 1


def natural_scale(layer: Layer, target: Target) -> float:
    """Membrane units per real unit at which weights fill their bits times 2**4, or what fits."""
    peak = largest_weight(layer)
    _, high, _ = layer.width.within(*weight_levels(layer.width.bits))
    full = high * 2.0 ** EXPONENTS[1] / peak if peak > 0 else np.inf
    return min(full, _register_limit(layer))


def encode(layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
    """`layer` in integers at `scale` membrane units per real unit, or the largest that fits.

    All projections share one exponent, since a neuron has one value for each axon type. Weights
    up to `clip` times the largest saturate.
    """
    population = layer.population
    neuron = population.neuron
    assert isinstance(neuron, LIF)
    scale = min(scale, _register_limit(layer))
    strict = 0 if neuron.fires_at_threshold else 1  # V - 1 >= threshold is V > threshold
    threshold = np.clip(np.rint(neuron.threshold * scale), neuron.threshold > 0, THRESHOLD_LIMIT)
    floor = np.minimum(strict - np.rint(neuron.v_min * scale), THRESHOLD_LIMIT)
    encoded = TrueNorthNeuron(
        leak=_whole(population.bias * scale), threshold=_whole(threshold), floor=_whole(floor),
        reset_value=_whole(np.full((), -strict)), reset=neuron.reset,
        v_init=_whole(np.rint(neuron.v_init * scale) - strict))
    encoded.verify(population.name, population.shape)
    real = [p.map.weights().astype(np.float64) * scale * unit
            for p, unit in zip(layer.projections, layer.units, strict=True)]
    levels = layer.width.within(*weight_levels(layer.width.bits))
    largest = max((float(np.abs(w).max(initial=0.0)) for w in real), default=0.0)
    exponent = _exponent(largest / levels[1] / clip)
    return EncodedLayer(
        population=replace(population, neuron=encoded, bias=np.zeros((), np.int32)),
        projections=tuple(_projection(p, w, exponent, layer.width)
                          for p, w in zip(layer.projections, real, strict=True)),
        unit=1 / scale, current_unit=1 / scale)


def _register_limit(layer: Layer) -> float:
    """Largest scale at which threshold, floor, leak and the membranes seen fit."""
    neuron = layer.population.neuron
    assert isinstance(neuron, LIF)
    bound = float(np.abs(reached(neuron.v_min, layer)).max(initial=0.0))
    level = float(reached(neuron.threshold, layer).max(initial=0.0))
    room = THRESHOLD_LIMIT - 1
    ceilings = [
        (room, level), (room, bound), (room, layer.peaks.get("v", 0.0)),
        (room, float(np.abs(neuron.v_init).max())),
        (LEAK_LIMIT, float(np.abs(layer.population.bias).max())),
    ]
    return min((limit / peak for limit, peak in ceilings if peak > 0), default=1e6)


def _exponent(fill: float) -> int:
    """The smallest exponent whose power of two is at least `fill`."""
    wanted = int(np.ceil(np.log2(fill) - 1e-9)) if fill > 0 else 0
    return min(max(wanted, EXPONENTS[0]), EXPONENTS[1])


def _projection(
    projection: Projection, real: Array, exponent: int, width: WeightWidth
) -> Projection:
    low, high, _ = width.within(*weight_levels(width.bits))
    mantissa = np.clip(np.rint(real / 2.0**exponent), low, high)
    return replace(projection, map=projection.map.with_weights(mantissa.astype(np.int16)),
                   format=SynapseFormat(bits=width.bits, exponent=exponent))


def _whole(values: Array) -> Array:
    return np.rint(np.asarray(values, np.float64)).astype(np.int32)
