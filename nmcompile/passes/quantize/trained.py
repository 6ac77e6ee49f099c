"""Weights that were trained as integers go to the chip as these integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nmcompile.backend import Backend, EncodedLayer, Layer
from nmcompile.errors import NmcError
from nmcompile.ir import Projection
from nmcompile.ir.maps import Conv, Dense
from nmcompile.target import Target

# Weights of 4 bits fill 8 bits with 2**4 or 2**5. Where graded inputs bring large sums, exponents
# below 0 shift these back into the state.
POWERS = range(-8, 13)
EXACT = 1e-4  # of a step, by which a stored weight may miss the trained one


def as_trained(layer: Layer, backend: Backend, target: Target) -> Iterator[EncodedLayer]:
    """`layer` with the integers it was trained with, times each power of two that registers hold.

    Nothing where weights were not trained as integers, or with different steps in one map.
    """
    steps = [_step(p) * unit for p, unit in zip(layer.projections, layer.units, strict=True)]
    if not steps or min(steps) <= 0:
        return
    share = None  # of a weight that the chip's neurons take for one
    for power in POWERS:
        scale = 2.0**power / min(steps) * (share or 1.0)
        encoded = _encoded(layer, scale, backend, target)
        if encoded is not None and share is None:
            share = encoded.current_unit * scale
            encoded = _encoded(layer, scale * share, backend, target)
        if encoded is not None and all(_same(real, whole, unit / encoded.current_unit)
               for real, whole, unit in zip(
                   layer.projections, encoded.projections, layer.units, strict=True)):
            yield encoded


def _encoded(
    layer: Layer, scale: float, backend: Backend, target: Target
) -> EncodedLayer | None:
    """`layer` at `scale`; None where that is so coarse that the chip refuses its bias."""
    try:
        return backend.encode(layer, scale, 1.0, target)
    except NmcError:
        return None


def _step(projection: Projection) -> float:
    """The one step of a projection's weights, 0 where there is none."""
    linear = projection.map
    if not isinstance(linear, Dense | Conv) or linear.grid is None:
        return 0.0
    step = linear.grid.step
    return float(step.flat[0]) if np.allclose(step, step.flat[0], rtol=1e-6) else 0.0


def _same(real: Projection, whole: Projection, scale: float) -> bool:
    """Whether the stored weights are the real ones times `scale`, which are whole numbers."""
    if whole.format is None:
        return False
    stored = whole.map.weights() * 2.0**whole.format.exponent
    wanted = real.map.weights().astype(np.float64) * scale
    return bool(np.all(np.abs(stored - wanted) <= EXACT * scale * _step(real)))
