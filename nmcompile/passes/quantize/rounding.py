"""Round the weights of dense layers so that their errors cancel on the inputs that occur."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.backend import Backend, EncodedLayer, Layer
from nmcompile.ir import Projection
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.quantize._rounding_kernels import round_rows

DAMPING = 0.01  # of the mean input power, added to each input's own
WORK = 2e10  # multiplications that rounding one projection may take


def rounded_by_inputs(
    layer: Layer, encoded: EncodedLayer, arriving: list[Array], backend: Backend
) -> EncodedLayer:
    """`encoded` with the dense weights rounded one source after the other.

    The error that rounding a source's weights makes in the summed input is taken back, as far as
    the inputs are correlated, by the sources that are still to be rounded: optimal brain
    quantization in the fixed order of Frantar et al. 2022 (GPTQ, arXiv 2210.17323, sec. 3).
    """
    projections = tuple(
        _rounded(real, whole, unit / encoded.current_unit, sent, backend)
        for real, whole, unit, sent in zip(
            layer.projections, encoded.projections, layer.units, arriving, strict=True
        )
    )
    return replace(encoded, projections=projections)


def _rounded(
    real: Projection, whole: Projection, scale: float, sent: Array, backend: Backend
) -> Projection:
    if not isinstance(real.map, Dense) or whole.format is None:
        return whole
    n_out, n_in = real.map.weight.shape
    if n_out * n_in**2 > WORK:
        return whole
    low, high, step = backend.weight_levels(whole.format)
    weight = real.map.weight.astype(np.float64) * (scale / 2.0**whole.format.exponent)
    round_rows(weight, _factor(sent.reshape(-1, n_in)), low, high, step)
    return replace(whole, map=whole.map.with_weights(weight.astype(np.int16)))


def _factor(inputs: Array) -> Array:
    """Upper Cholesky factor of the inverse of the damped input correlation."""
    correlation = inputs.T @ inputs / len(inputs)
    power = float(np.trace(correlation)) / len(correlation) or 1.0
    damped = correlation + DAMPING * power * np.eye(len(correlation))
    return np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(damped)).T)
