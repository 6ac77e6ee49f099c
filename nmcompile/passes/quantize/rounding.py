"""Round weights so that their errors cancel on the inputs that occur."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.backend import Backend, EncodedLayer, Layer
from nmcompile.ir import Projection
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.quantize._rounding_kernels import round_rows

DAMPING = 0.01  # of the mean input power, added to each input's own
PATCHES = 100_000  # windows that a convolution's correlation is measured on
WORK = 2e10  # multiplications that rounding one projection may take
CUBES = 0.5  # multiplications in whose time a correlation of n inputs is inverted, / n**3; measured


def rounded_by_inputs(
    layer: Layer, encoded: EncodedLayer, arriving: tuple[Array, ...], backend: Backend
) -> EncodedLayer:
    """`encoded` with dense and kernel weights rounded one source or tap after the other.

    The error that rounding a weight makes in the summed input is taken back, as far as
    the inputs are correlated, by those that are still to be rounded: optimal brain
    quantization in the fixed order of Frantar et al. 2022 (GPTQ, arXiv 2210.17323, sec. 3).
    """
    projections = tuple(
        _rounded(real, whole, unit / encoded.current_unit, sent,
                 layer.width.within(*backend.weight_levels(whole.format)))
        if whole.format is not None else whole
        for real, whole, unit, sent in zip(
            layer.projections, encoded.projections, layer.units, arriving, strict=True
        )
    )
    return replace(encoded, projections=projections)


def _rounded(
    real: Projection, whole: Projection, scale: float, sent: Array, levels: tuple[int, int, int]
) -> Projection:
    assert whole.format is not None
    real_weight = real.map.weights().astype(np.float64) * (scale / 2.0**whole.format.exponent)
    inputs = sent.reshape(-1, sent.shape[-1])
    if isinstance(real.map, Dense):
        groups = [inputs]
        weight = real_weight.reshape(1, *real.map.weight.shape)
    elif isinstance(real.map, Conv):
        groups = _patches(real.map, inputs)
        weight = real_weight.reshape(real.map.groups, -1, groups[0].shape[1])
    else:
        return whole
    used, taps = _used(real.map), weight.shape[2]
    if not used.any() or weight.size * taps + CUBES * len(groups) * taps**3 > WORK:
        return whole
    for rows, seen in zip(weight, groups, strict=True):
        kept = np.ascontiguousarray(rows[:, used])
        round_rows(kept, _factor(seen[:, used]), *levels)
        rows[:, used] = kept
    stored = weight.reshape(-1).astype(whole.map.weights().dtype)
    return replace(whole, map=whole.map.with_weights(stored))


def _used(linear: Dense | Conv) -> Array:
    """(taps,) bool of a row of weights; places that no kernel has, such as padding, stay 0."""
    if isinstance(linear, Dense):
        return np.ones(linear.weight.shape[1], bool)
    places = np.any(linear.weight, axis=(0, 1), keepdims=True)
    return np.broadcast_to(places, (1, *linear.weight.shape[1:])).reshape(-1)


def _patches(conv: Conv, inputs: Array) -> list[Array]:
    """For each group, the windows that its kernels saw (k, taps), evenly picked."""
    every = max(1, len(inputs) * conv.out_shape[1] * conv.out_shape[2] // PATCHES)
    windows = conv.windows(inputs[::every]).transpose(3, 1, 2, 0, 4, 5)
    return [
        part.reshape(-1, part.shape[3] * part.shape[4] * part.shape[5])
        for part in np.split(windows, conv.groups, 3)
    ]


def _factor(inputs: Array) -> Array:
    """Upper Cholesky factor of the inverse of the damped input correlation."""
    correlation = inputs.T @ inputs / len(inputs)
    power = float(np.trace(correlation)) / len(correlation) or 1.0
    damped = correlation + DAMPING * power * np.eye(len(correlation))
    return np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(damped)).T)
