"""Rules that parameters of several neuron models share."""

from __future__ import annotations

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array


def require_shape(where: str, field: str, value: Array, shape: tuple[int, ...]) -> None:
    """Raise unless `value` is finite-shaped: a scalar or broadcastable to `shape` as a whole."""
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ParameterError(where, f"{field} has shape {value.shape}, the population {shape}")
    if np.any(np.isnan(value)):
        raise ParameterError(where, f"{field} holds a NaN")


def require_decay(where: str, field: str, value: Array, lowest: int = 0) -> None:
    """Raise unless every per-step decay factor lies within `lowest`..1."""
    if np.any(value < lowest) or np.any(value > 1):
        raise ParameterError(
            where,
            f"{field} spans {np.min(value):g} to {np.max(value):g}, expected {lowest} to 1",
            "Convert a time constant with exp(-dt / tau).",
        )
