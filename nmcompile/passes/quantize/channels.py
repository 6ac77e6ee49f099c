"""A scale for each neuron or channel, where a chip's thresholds may differ within a layer."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nmcompile.backend import EncodedLayer, Layer
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.maps.base import LinearMap
from nmcompile.ir.neurons.base import Array
from nmcompile.ir.neurons.units import has_free_unit, in_units
from nmcompile.passes.quantize.measure import Seen, real_current

MOST = 16.0  # times finer than the layer's: thresholds grow alike and must stay in their registers
FEWEST = int(np.log2(MOST)) + 1  # thresholds that powers of two up to MOST take
WORTH = 1.3  # times finer, below which no channel gains anything


def gains(layer: Layer, thresholds: int) -> Array | None:
    """How much finer each neuron's unit may be so that its own largest weight fills the bits.

    thresholds  how many different ones a layer may have; where those of all neurons are too
                many, gains are powers of two
    Of the population's shape; None where the unit is not free or nothing is gained.
    """
    if not _is_free(layer) or thresholds < FEWEST:
        return None
    peaks = np.zeros(layer.population.size)
    for projection, unit in zip(layer.projections, layer.units, strict=True):
        np.maximum.at(peaks, _rows(projection.map), np.abs(projection.map.weights()) * unit)
    peaks = _of_channels(layer, peaks)
    finer = np.divide(peaks.max(), peaks, out=np.ones_like(peaks), where=peaks > 0)
    finer = np.minimum(finer, MOST)
    if len(np.unique(finer)) > thresholds:
        finer = 2.0 ** np.floor(np.log2(finer))
    return finer.reshape(layer.population.shape) if finer.max() >= WORTH else None


def trained_gains(layer: Layer, thresholds: int) -> Array | None:
    """The gains that make the steps of weights that were trained as integers one step.

    None where the unit is not free, a weight has no step, the steps of a neuron's differ, or there
    are more of them than `thresholds`.
    """
    if not _is_free(layer):
        return None
    low, high = np.full(layer.population.size, np.inf), np.zeros(layer.population.size)
    for projection, unit in zip(layer.projections, layer.units, strict=True):
        linear = projection.map
        if not isinstance(linear, Dense | Conv) or linear.grid is None:
            return None
        steps = np.broadcast_to(linear.grid.step, linear.weight.shape).reshape(-1) * unit
        rows = _rows(linear)
        np.minimum.at(low, rows, steps)
        np.maximum.at(high, rows, steps)
    high = _of_channels(layer, high)
    low = -_of_channels(layer, -low)
    if np.any(high <= 0) or not np.allclose(low, high, rtol=1e-6):
        return None
    finer: Array = high.max() / high
    return finer.reshape(layer.population.shape) if len(np.unique(finer)) <= thresholds else None


def equalised(layer: Layer, seen: Seen, gain: Array) -> tuple[Layer, Seen]:
    """`layer` with the voltages, weights and biases of each neuron times its `gain`."""
    population = layer.population
    scaled = replace(
        layer, projections=tuple(
            replace(p, map=_with_gain(p.map, gain.reshape(-1))) for p in layer.projections),
        population=replace(
            population, neuron=in_units(population.neuron, gain.astype(np.float32)),
            bias=(population.bias * gain).astype(np.float32)))
    v = seen.v * gain
    peaks = {"v": layer.peaks["v"] * _ratio(v, seen.v)}
    if "u" in layer.peaks:
        before, after = real_current(layer, seen), real_current(scaled, seen)
        peaks["u"] = layer.peaks["u"] * _ratio(after, before)
    return replace(scaled, peaks=peaks), replace(seen, v=v)


def in_own_units(encoded: EncodedLayer, gain: Array) -> EncodedLayer:
    """`encoded` of an equalised layer, with the real value of each neuron's own unit."""
    return replace(encoded, unit=encoded.unit / gain)


def _is_free(layer: Layer) -> bool:
    return bool(layer.projections) and has_free_unit(layer.population.neuron)


def _of_channels(layer: Layer, largest: Array) -> Array:
    """`largest` (n,) of each neuron, or the largest of its channel where kernels are shared."""
    channels = [p.map.out_shape[0] for p in layer.projections if isinstance(p.map, Conv)]
    if not channels:
        return largest
    planes = largest.reshape(channels[0], -1)
    return np.broadcast_to(planes.max(axis=1, keepdims=True), planes.shape).reshape(-1)


def _with_gain(linear: LinearMap, gain: Array) -> LinearMap:
    weights = (linear.weights() * gain[_rows(linear)]).astype(np.float32)
    if isinstance(linear, Dense | Conv) and linear.grid is not None:
        shape = linear.weight.shape
        grid = linear.grid.times(gain[_rows(linear)].reshape(shape))
        return replace(linear, weight=weights.reshape(shape), grid=grid)
    return linear.with_weights(weights)


def _ratio(after: Array, before: Array) -> float:
    largest = float(np.abs(before).max(initial=0.0))
    return float(np.abs(after).max()) / largest if largest > 0 else 1.0


def _rows(linear: LinearMap) -> Array:
    """The target neuron that each weight is for; of a kernel's weight, the first of its channel."""
    if isinstance(linear, Dense):
        n_out, n_in = linear.weight.shape
        return np.repeat(np.arange(n_out), n_in)
    if isinstance(linear, Conv):
        plane = prod(linear.out_shape[1:])
        return np.repeat(np.arange(len(linear.weight)) * plane, linear.weight[0].size)
    assert isinstance(linear, Sparse)
    return linear.target
