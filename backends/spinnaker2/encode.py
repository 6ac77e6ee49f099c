"""Real layers into SpiNNaker 2's numbers: weights of 8 bits, all else in single precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.ir import Population, Projection, SynapseFormat
from nmcompile.ir.neurons import LI, LIF, Reset
from nmcompile.ir.neurons.base import Array
from nmcompile.misfits import largest_weight
from nmcompile.target import Target

OUT_OF_REACH = np.float32(np.finfo(np.float32).max)  # the threshold of a readout
QUIET = 0.999  # of the threshold, which a membrane may come to ahead of the first step
FORGOTTEN = 1e-3  # a membrane that keeps less of itself than this forgets the steps before


def weight_levels(bits: int) -> tuple[int, int, int]:
    """Lowest and highest weight of `bits`, and the step between two."""
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 1


def natural_scale(layer: Layer, target: Target) -> float:
    """Weight units per real unit at which the largest weight fills its bits."""
    _, high, _ = layer.width.within(*weight_levels(layer.width.bits))
    largest = largest_weight(layer)
    return high / largest if largest > 0 else 1.0


def encode(layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
    """`layer` at `scale` weight units per real unit, the unit of its membrane as well.

    Up to `clip` times beyond the natural scale, the largest weights saturate.
    """
    population = layer.population
    scale = min(scale, natural_scale(layer, target) * clip)
    neuron = _neuron(population, scale)
    neuron.verify(population.name, population.shape)
    return EncodedLayer(
        population=replace(population, neuron=neuron, bias=np.zeros((), np.int32)),
        projections=tuple(_projection(p, scale * unit, layer)
                          for p, unit in zip(layer.projections, layer.units, strict=True)),
        unit=1 / scale, current_unit=1 / scale)


def _neuron(population: Population, scale: float) -> Spinnaker2Neuron:
    model = population.neuron
    assert isinstance(model, LIF | LI)
    decay = np.asarray(model.decay, np.float32)
    offset = np.asarray(population.bias * scale, np.float32)
    threshold, reset = np.full((), OUT_OF_REACH), Reset.ZERO
    if isinstance(model, LIF):
        threshold, reset = np.asarray(model.threshold * scale, np.float32), model.reset
        if model.fires_at_threshold:
            threshold = np.nextafter(threshold, np.float32(-np.inf))
    return Spinnaker2Neuron(
        decay=decay, threshold=threshold, offset=offset, reset=reset, early=population.start,
        v_init=_before(decay, offset, threshold, population.start))


def _before(decay: Array, offset: Array, threshold: Array, early: int) -> Array:
    """The membrane that the offsets of the steps ahead of the network's first bring to 0.

    It stays so low that nothing fires in these steps; strong inhibitory offsets then leave the
    membrane below 0.
    """
    kept = np.maximum(np.asarray(decay, np.float64), FORGOTTEN)
    total = sum((kept ** -(step + 1.0) for step in range(early)), np.zeros_like(kept))
    highest = QUIET * threshold / kept
    lasting = np.minimum(-offset * total, highest)
    return np.where(decay > FORGOTTEN, lasting, 0).astype(np.float32)


def _projection(projection: Projection, scale: float, layer: Layer) -> Projection:
    low, high, _ = layer.width.within(*weight_levels(layer.width.bits))
    real = projection.map.weights().astype(np.float64) * scale
    whole = np.clip(np.rint(real), low, high).astype(np.int16)
    return replace(projection, map=projection.map.with_weights(whole),
                   format=SynapseFormat(bits=layer.width.bits))
