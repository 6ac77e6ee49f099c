"""Real layers into Speck's integers, equal to sinabs 3.1.3 (backend/dynapcnn/discretize.py)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nmcompile_backends.speck.cores import STATE_BITS, STATE_MIN, WEIGHT_BITS

from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Discretised:
    """A layer in integers, all of them `scale` times the real values.

    weight, bias   8 bits (the chip's leak registers would hold 16)
    threshold_high, threshold_low, initial  16 bits; initial None where none was given
    """

    weight: Array
    bias: Array
    threshold_high: int
    threshold_low: int
    initial: Array | None
    scale: float


def discretize(
    weight: Array,
    bias: Array | None,
    threshold: float,
    v_min: float | None,
    initial: Array | None = None,
) -> Discretised:
    """One layer with the largest scale that keeps every register within its bits.

    A membrane without a lower bound is taken to end at -32768 *before* scaling, as in sinabs: the
    scale is then 1 at most, and weights below 1/2 vanish. Give `v_min`, as sinabs' documents do.
    """
    biases = np.zeros(len(weight), np.float32) if bias is None else bias
    thresholds = np.array([STATE_MIN if v_min is None else v_min, threshold], np.float32)
    scales = [scale_of(weight, WEIGHT_BITS), scale_of(biases, WEIGHT_BITS),
              scale_of(thresholds, STATE_BITS)]
    if initial is not None:
        scales.append(scale_of(initial, STATE_BITS))
    scale = min(scales)
    low, high = scaled(thresholds, scale).tolist()
    return Discretised(
        weight=scaled(weight, scale), bias=scaled(biases, scale), threshold_high=high,
        threshold_low=low, initial=None if initial is None else scaled(initial, scale),
        scale=float(scale))


def scale_of(values: Array, bits: int) -> np.float32:
    """The factor that brings `values` to the end of `bits` bits; infinite where all are 0.

    In float32 and through the reciprocal, as torch divides a number by a tensor.
    """
    low, high = np.float32(-(2 ** (bits - 1))), np.float32(2 ** (bits - 1) - 1)
    reals = np.asarray(values, np.float32)
    smallest, largest = reals.min(), reals.max()
    reaches_high = abs(smallest) <= abs(largest) * np.float32(abs(float(low) / float(high)))
    with np.errstate(divide="ignore"):
        return abs(np.float32(1) / largest * high if reaches_high
                   else np.float32(1) / smallest * low)


def scaled(values: Array, scale: np.float32) -> Array:
    """`values` times `scale` as int32, halves to the even neighbour."""
    return np.rint(np.asarray(values, np.float32) * scale).astype(np.int32)
