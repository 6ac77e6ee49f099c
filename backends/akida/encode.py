"""Real layers into Akida's integers: weights of few bits, a threshold and a step a filter.

A real layer sends level * clip(rint((v + offset) / level), 0, most). With v = unit * w, w whole,
that is clip(ceil((w - threshold) / step), 0, most) for threshold = (level / 2 - offset) / unit and
step = level / unit, but for ties: the register holds floor(threshold), which w, being whole,
exceeds where it exceeds the threshold, and the step in sixteenths.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.akida import limits
from nmcompile_backends.akida.arithmetic import (
    ACT_BITS,
    HALF,
    INPUT_HALF,
    INPUT_STEP_LIMIT,
    STEP_LIMIT,
    STEP_UNIT,
    AkidaNeuron,
)
from nmcompile_backends.akida.geometry import geometry
from nmcompile_backends.akida.layer import WEIGHT_LIMITS
from nmcompile_backends.akida.neuron import AkidaActivation

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.errors import ChipLayerError, DataValueError, WidthError
from nmcompile.ir import Input, SpikeFormat, SynapseFormat
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons.base import Array
from nmcompile.misfits import largest_weight
from nmcompile.target import Target

INPUT_BITS = 8  # of a weight of the input layer


def input_format(port: Input, values: Array, target: Target) -> SpikeFormat:
    """Whole numbers from 0 on, as many as the first layer takes.

    Values that are such numbers and need all of the bits are sent as they are; others in units of
    their largest, for grey values may follow where black and white ones calibrate. Raises NmcError
    for values below 0.
    """
    form = port.format
    low, peak = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if low < 0:
        raise DataValueError(
            f"input {port.name}", f"values reach down to {low:g}, {target.name} takes them from 0 "
            "on", "Give data from 0 on, as pixels are, and train with them.")
    whole = form.limit / 2 < peak <= form.limit and not np.any(values % 1)
    return replace(form, scale=1.0 if whole or not peak else peak / form.limit)


def weight_levels(bits: int) -> tuple[int, int, int]:
    """Lowest and highest weight of `bits`, and the step between two."""
    return -WEIGHT_LIMITS[bits], WEIGHT_LIMITS[bits], 1


def natural_scale(layer: Layer, target: Target) -> float:
    """Membrane units per real unit at which the largest weight fills its bits, or what fits."""
    if _pools(layer):
        return 1 / layer.units[0]
    peak = largest_weight(layer)
    return min(_levels(layer)[1] / peak if peak > 0 else 1.0, _register_limit(layer))


def encode(layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
    """`layer` at `scale`, at which weights up to `clip` times the largest saturate."""
    if _pools(layer):
        if 1 / layer.units[0] > _register_limit(layer):
            raise ChipLayerError(
                layer.population.name, "its bias or its levels are too large beside the sums that "
                f"it averages for Akida's registers, which end at {HALF - 1:,} of their units",
                "Average behind the activation, ahead of a fully connected layer.")
        return _encoded(layer, 1 / layer.units[0], tuple(
            np.ones(len(p.map.weights()), np.int8) for p in layer.projections), 2)
    scale = min(scale, natural_scale(layer, target) * clip, _register_limit(layer))
    low, high = _levels(layer)
    bits = INPUT_BITS if _activation(layer).at_input else layer.width.bits
    _require_fit(layer, bits)
    weights = tuple(
        np.clip(np.rint(p.map.weights().astype(np.float64) * (scale * unit)), low, high).astype(
            np.int8)
        for p, unit in zip(layer.projections, layer.units, strict=True))
    return _encoded(layer, scale, weights, bits)


def _encoded(
    layer: Layer, scale: float, weights: tuple[Array, ...], bits: int
) -> EncodedLayer:
    real = _activation(layer)
    projections = tuple(
        replace(p, map=p.map.with_weights(whole), format=SynapseFormat(bits=bits))
        for p, whole in zip(layer.projections, weights, strict=True))
    neuron = _neuron(layer.population.name, real, scale)
    neuron.verify(layer.population.name, layer.population.shape)
    message = float(real.step_size) if real.activation else 1 / scale
    return EncodedLayer(
        population=replace(layer.population, neuron=neuron, bias=np.zeros((), np.int32)),
        projections=projections, unit=1 / scale, current_unit=1 / scale, message_unit=message)


def _neuron(name: str, real: AkidaActivation, scale: float) -> AkidaNeuron:
    """The registers at `scale` units of v in one of the layer's."""
    size, unit = real.step_size.astype(np.float64), real.unit.astype(np.float64)
    threshold, step, bits = np.zeros(()), np.ones(()), ACT_BITS[-1]
    if real.activation:
        bits = _bits(name, real)
        threshold = np.floor((size / 2 * unit - real.offset.astype(np.float64)) * scale)
        step = np.rint(size * unit * scale * STEP_UNIT / 2 ** (ACT_BITS[-1] - bits))
    return AkidaNeuron(
        threshold=threshold.astype(np.int32), act_step=np.maximum(step, 1).astype(np.int32),
        act_bits=bits, pool=real.pool, adds=real.adds,
        activation=real.activation, sends=real.sends, at_input=real.at_input)


def _register_limit(layer: Layer) -> float:
    """The largest scale at which thresholds and steps fit their registers."""
    real = _activation(layer)
    if not real.activation:
        return np.inf
    half, most = (INPUT_HALF, INPUT_STEP_LIMIT) if real.at_input else (HALF, STEP_LIMIT)
    size = (real.step_size * real.unit).astype(np.float64)
    largest = float(np.abs(size / 2 - real.offset).max())
    return min((half - 1) / max(largest, 1e-300), most / STEP_UNIT / float(size.max()))


def _bits(name: str, real: AkidaActivation) -> int:
    """Bits of what a layer sends."""
    for bits in ACT_BITS:
        if real.levels == 2**bits - 1:
            return bits
    raise WidthError(name, f"it sends {real.levels} levels above 0, Akida v1 has 1, 3 or 15",
                     "Train with activations of 1, 2 or 4 bits, unsigned.")


def _require_fit(layer: Layer, bits: int) -> None:
    """Raise NmcError where filters of weights of `bits` are too large for a processor."""
    name, real = layer.population.name, _activation(layer)
    linear = layer.projections[0].map
    if not isinstance(linear, Conv) or real.at_input:
        return
    separable = linear.groups > 1
    found = geometry(linear, limits.SEPARABLE_WAYS if separable else limits.WAYS)
    assert found is not None
    require = limits.require_separable if separable else limits.require_channels
    require(name, found.size, linear.in_shape[0], bits)


def _levels(layer: Layer) -> tuple[int, int]:
    """Lowest and highest weight; those of the input layer have bits of their own."""
    bits = INPUT_BITS if _activation(layer).at_input else layer.width.bits
    low, high, _ = layer.width.within(*weight_levels(bits))
    return low, high


def _activation(layer: Layer) -> AkidaActivation:
    neuron = layer.population.neuron
    assert isinstance(neuron, AkidaActivation)
    return neuron


def _pools(layer: Layer) -> bool:
    """Whether a population only takes the maximum or the sum of places of the one before it."""
    return not isinstance(layer.projections[0].map, Conv | Dense)
