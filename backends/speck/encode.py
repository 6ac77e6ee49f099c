"""Real layers into Speck's registers at a scale, and back into cores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.speck.convolution import as_convolution, volume
from nmcompile_backends.speck.cores import (
    STATE_MAX,
    STATE_MIN,
    WEIGHT_BITS,
    Destination,
    SpeckCore,
    SpeckNetwork,
)
from nmcompile_backends.speck.neuron import SpeckNeuron

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.ir import Network, Population, Projection, SynapseFormat, WeightWidth
from nmcompile.ir.neurons import LIF, Reset
from nmcompile.ir.neurons.base import Array
from nmcompile.misfits import reached


def weight_levels(bits: int) -> tuple[int, int, int]:
    """Lowest and highest of the chip's 8-bit weights that `bits` use, and the step between two.

    Narrower weights are the highest of the 8 bits, so that thresholds stay as fine.
    """
    step = 2 ** (WEIGHT_BITS - bits)
    return -(2 ** (WEIGHT_BITS - 1)), 2 ** (WEIGHT_BITS - 1) - step, step


def natural_scale(layer: Layer) -> float:
    """Units per real unit at which the weights just fill 8 bits, if the other registers can.

    As sinabs' scale (see `discretize`), but a membrane without a lower bound does not limit it.
    """
    scale = min(_weight_limit(layer), _register_limit(layer))
    return scale if np.isfinite(scale) else 1.0


def encode(layer: Layer, scale: float, clip: float) -> EncodedLayer:
    """`layer` in integers at `scale`, or at the largest that threshold, bound and bias allow.

    Weights up to `clip` times beyond 8 bits saturate; there is no exponent to hold larger ones.
    """
    scale = min(scale, _weight_limit(layer) * clip, _register_limit(layer))
    population, neuron = layer.population, layer.population.neuron
    assert isinstance(neuron, LIF)
    chip = SpeckNeuron(
        threshold=np.maximum(_whole(neuron.threshold, scale).reshape(-1)[0], 1),
        v_min=_bound(neuron.v_min, scale), reset=neuron.reset,
        leak=_whole(population.bias, scale), v_init=_whole(neuron.v_init, scale))
    chip.verify(population.name, population.shape)
    return EncodedLayer(
        population=replace(population, neuron=chip, bias=np.zeros((), np.int32)),
        projections=tuple(_projection(p, scale, layer.width) for p in layer.projections),
        unit=1 / scale, current_unit=1 / scale)


def cores(network: Network) -> SpeckNetwork:
    """An integer network as connected cores, in the order of its populations."""
    index = {p.name: i for i, p in enumerate(network.populations)}
    return SpeckNetwork(
        cores=tuple(_core(network, p, index) for p in network.populations),
        inputs=_destinations(network, network.inputs[0].name, index))


def _core(network: Network, population: Population, index: dict[str, int]) -> SpeckCore:
    neuron, (projection,) = population.neuron, network.incoming(population.name)
    assert isinstance(neuron, SpeckNeuron)
    source = volume(network.shape_of(projection.source))
    conv = as_convolution(projection.map, source, population.name)
    shape = volume(population.shape)
    leak = np.broadcast_to(neuron.leak, population.shape).reshape(shape[0], -1)[:, 0]
    return SpeckCore(
        weight=conv.weight.astype(np.int8), in_shape=source, stride=conv.stride,
        padding=conv.padding, threshold_high=int(neuron.threshold),
        threshold_low=int(neuron.v_min), return_to_zero=neuron.reset is Reset.ZERO,
        leak=leak.astype(np.int16) if leak.any() else None,
        initial=np.broadcast_to(neuron.v_init, population.shape).reshape(shape).astype(np.int16),
        destinations=_destinations(network, population.name, index))


def _destinations(
    network: Network, source: str, index: dict[str, int]
) -> tuple[Destination, ...]:
    return tuple(Destination(index[p.target]) for p in network.outgoing(source))


def _fill(values: Array, low: int, high: int) -> float:
    """The largest factor that keeps `values` within low..high; infinite for zeros."""
    reals = np.asarray(values, np.float64)
    ends = ((reals.max(initial=0.0), high), (reals.min(initial=0.0), low))
    return min((limit / end for end, limit in ends if end), default=np.inf)


def _weight_limit(layer: Layer) -> float:
    low, high, _ = layer.width.within(*weight_levels(layer.width.bits))
    return min(_fill(p.map.weights(), low, high) for p in layer.projections)


def _register_limit(layer: Layer) -> float:
    neuron = layer.population.neuron
    assert isinstance(neuron, LIF)
    levels = (reached(level, layer) for level in (neuron.threshold, neuron.v_min))
    values = (*levels, neuron.v_init, layer.population.bias)
    return min(_fill(v, STATE_MIN, STATE_MAX) for v in values)


def _whole(values: Array, scale: float) -> Array:
    scaled = np.rint(np.asarray(values, np.float64) * scale)
    return np.clip(scaled, STATE_MIN, STATE_MAX).astype(np.int32)


def _bound(v_min: Array, scale: float) -> Array:
    """The lower bound, which the chip cannot hold at 0 (data sheet 3.2.4.6.3)."""
    lowest = float(np.asarray(v_min).reshape(-1)[0])
    whole = int(max(np.rint(lowest * scale), STATE_MIN))
    return np.array(min(whole, -1) if lowest <= 0 else whole, np.int32)


def _projection(projection: Projection, scale: float, width: WeightWidth) -> Projection:
    real = projection.map.weights().astype(np.float64) * scale
    low, high, step = width.within(*weight_levels(width.bits))
    whole = np.clip(np.rint(real / step) * step, low, high).astype(np.int16)
    return replace(projection, map=projection.map.with_weights(whole),
                   format=SynapseFormat(bits=width.bits))
