"""Real layers into Xylo's integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.xylo.arithmetic import (
    HIDDEN_SPIKES,
    NO_ALIAS,
    OUTPUT_SPIKES,
    STATE_HIGH,
    WEIGHT_HIGH,
    WEIGHT_LOW,
    XyloNeuron,
)
from nmcompile_backends.xylo.dash import kept, membrane_dash, synapse_dash
from nmcompile_backends.xylo.quantize import Neurons, scaled

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.ir import Population, SynapseFormat
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF
from nmcompile.ir.neurons.base import Array
from nmcompile.misfits import largest_weight, reached
from nmcompile.target import Target

# Weights are not shifted: a shift is one for all input, all recurrent or all output weights, and
# Rockpool's own mapper and quantisers leave all three at 0 (syns61201/xylo_mapper.py).
WEIGHT_BITS = 8
INITIAL_LAG = 1  # steps until the first input reaches the first hidden neurons


def weight_levels(bits: int) -> tuple[int, int, int]:
    """Lowest and highest of the chip's 8-bit weights that `bits` use, and the step between two.

    Narrower weights are the highest of the 8 bits, so that thresholds stay as fine.
    """
    step = 2 ** (WEIGHT_BITS - bits)
    return WEIGHT_LOW, WEIGHT_HIGH + 1 - step, step


def natural_scale(layer: Layer, target: Target) -> float:
    """The scale at which the layer's largest weight is 127, or else every register holds."""
    return min(_weight_scale(layer), _register_scale(layer))


def encode(layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
    """`layer` in integers at `scale`, or the largest at which every register holds.

    Weights up to `clip` times beyond 127 saturate. The synaptic current of Xylo passes its decay
    before the membrane sees it, and its decay is not quite the model's: weights are scaled so that
    a spike brings the same charge to the membrane.
    """
    population, factor = layer.population, gain(layer.population)
    scale = min(scale, _weight_scale(layer) * clip, _register_scale(layer))
    weights = tuple(p.map.weights().astype(np.float64) * unit * factor
                    for p, unit in zip(layer.projections, layer.units, strict=True))
    whole = scaled(Neurons(weights=weights, threshold=_threshold(population, scale),
                           bias=membrane_bias(population)), scale)
    stored = SynapseFormat(bits=layer.width.bits)
    projections = tuple(replace(p, map=p.map.with_weights(_whole(w * scale, layer)), format=stored)
                        for p, w in zip(layer.projections, weights, strict=True))
    neuron = _neuron(layer, whole.threshold, whole.bias)
    neuron.verify(population.name, population.shape)
    return EncodedLayer(
        population=replace(population, neuron=neuron, bias=np.zeros((), np.int32)),
        projections=projections, unit=1 / scale, current_unit=1 / (scale * factor))


def _neuron(layer: Layer, threshold: Array, bias: Array) -> XyloNeuron:
    population = layer.population
    return XyloNeuron(
        dash_syn=_dash_syn(population).reshape((1,) * (1 + len(population.shape))),
        dash_mem=membrane_dash(_neuron_of(population).decay), threshold=threshold, bias=bias,
        alias=np.full((), NO_ALIAS, np.int32),
        most=OUTPUT_SPIKES if layer.last else HIDDEN_SPIKES,
        early=max(population.start - INITIAL_LAG, 0))


def _neuron_of(population: Population) -> LIF | CubaLIF | LI | CubaLI:
    neuron = population.neuron
    assert isinstance(neuron, LIF | CubaLIF | LI | CubaLI)
    return neuron


def _dash_syn(population: Population) -> Array:
    """The one dash of the layer's synaptic currents; legalize has refused several."""
    decay = np.asarray(getattr(population.neuron, "current_decay", 0.0))
    return synapse_dash(decay).reshape(-1)[:1]


def gain(population: Population) -> float:
    """Weight on Xylo over weight of the model, so that the currents of a spike sum up equally.

    The model's current of a spike sums to w / (1 - a), Xylo's to w * k / (1 - k), with a the
    model's decay and k the chip's.
    """
    decay = float(np.mean(getattr(population.neuron, "current_decay", 0.0)))
    factor = float(kept(_dash_syn(population))[0])
    return (1 - factor) / factor / (1 - min(decay, float(kept(np.array(15)))))


def membrane_bias(population: Population) -> Array:
    """The bias behind the synaptic current, where a bias ahead of it settles at b / (1 - a)."""
    neuron = _neuron_of(population)
    ahead = np.asarray(population.bias, np.float64)
    if isinstance(neuron, LIF | LI):
        return ahead
    decay = np.minimum(neuron.current_decay, kept(np.array(15)))
    return ahead / (1 - decay) + neuron.v_bias


def _threshold(population: Population, scale: float) -> Array:
    """Real thresholds; that of a readout of its membrane is as far away as it can be."""
    neuron = _neuron_of(population)
    if isinstance(neuron, LIF | CubaLIF):
        return np.asarray(neuron.threshold, np.float64)
    return np.full((), STATE_HIGH / scale)


def _whole(weights: Array, layer: Layer) -> Array:
    low, high, step = layer.width.within(*weight_levels(layer.width.bits))
    return np.clip(np.rint(weights / step) * step, low, high).astype(np.int16)


def _weight_scale(layer: Layer) -> float:
    _, high, _ = layer.width.within(*weight_levels(layer.width.bits))
    largest = largest_weight(layer) * gain(layer.population)
    return high / largest if largest > 0 else 1e6


def _register_scale(layer: Layer) -> float:
    """Largest scale at which threshold, bias and the states seen stay in 16 bits."""
    population = layer.population
    arriving = layer.peaks.get("u", 0.0) / float(kept(_dash_syn(population))[0])
    peaks = [layer.peaks.get("v", 0.0), arriving, float(np.abs(membrane_bias(population)).max())]
    if isinstance(population.neuron, LIF | CubaLIF):
        peaks.append(float(reached(population.neuron.threshold, layer).max(initial=0.0)))
    return STATE_HIGH / max(peaks) if max(peaks) > 0 else 1e6


def current_room(population: Population) -> float:
    """Largest synaptic current, in registers' units, that does not saturate as it arrives."""
    return STATE_HIGH * float(kept(_dash_syn(population))[0])
