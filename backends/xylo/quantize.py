"""Neurons' real weights, thresholds and biases in Xylo's registers, at one scale or one each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nmcompile_backends.xylo.arithmetic import STATE_HIGH, STATE_LOW, WEIGHT_HIGH, WEIGHT_LOW

from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Neurons:
    """What is scaled together.

    weights           matrices (sources, n) of every synapse
    threshold, bias   (n,)
    """

    weights: tuple[Array, ...]
    threshold: Array
    bias: Array


def common_scale(neurons: Neurons) -> float:
    """The scale at which the largest weight or bias is 127, or else the threshold fits.

    As in Rockpool 3.1 `global_quantize`, which treats hidden and output neurons apart, except
    where a threshold would leave its register: Rockpool then rounds what it rounded before.
    """
    peaks = [float(np.abs(w).max(initial=0.0)) for w in (*neurons.weights, neurons.bias)]
    scale = WEIGHT_HIGH / max(peaks) if max(peaks) > 0 else 1.0
    return min(scale, STATE_HIGH / float(neurons.threshold.max()))


def scale_of_each(neurons: Neurons) -> Array:
    """(n,) for each neuron the scale at which its largest weight is 127 or its threshold fits.

    As in Rockpool 3.1 `channel_quantize`, except that a bias follows its neuron's scale always.
    """
    peaks = np.max([np.abs(w).max(axis=0, initial=0.0) for w in neurons.weights], axis=0)
    scale = np.divide(WEIGHT_HIGH, peaks, out=np.ones(len(peaks)), where=peaks > 0)
    return np.minimum(scale, STATE_HIGH / neurons.threshold)


def scaled(neurons: Neurons, scale: float | Array) -> Neurons:
    """`neurons` in integers: rounded to nearest, halves to even, and cut to their registers."""
    return Neurons(
        weights=tuple(_whole(w * scale, WEIGHT_LOW, WEIGHT_HIGH, np.int16)
                      for w in neurons.weights),
        threshold=_whole(neurons.threshold * scale, 1, STATE_HIGH, np.int32),
        bias=_whole(neurons.bias * scale, STATE_LOW, STATE_HIGH, np.int32),
    )


def _whole(values: Array, low: int, high: int, kind: type) -> Array:
    return np.clip(np.rint(values), low, high).astype(kind)
