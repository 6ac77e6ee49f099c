"""Layers with payloads into Loihi 2's integers: relays, sigma-delta neurons, delta encoders."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.loihi.relay import PEAK, LoihiRelay
from nmcompile_backends.loihi.sigma_delta import (
    MESSAGE_LIMIT,
    MESSAGE_SHIFT,
    STATE_LIMIT,
    LoihiSigmaDelta,
)

from nmcompile.backend import Layer
from nmcompile.ir.neurons import Activation, SigmaDelta
from nmcompile.ir.neurons.base import Array, Neuron

RESERVE = 2.0  # times the peaks on calibration data that states and messages have room for
MESSAGE = 2.0**MESSAGE_SHIFT


def is_graded(neuron: Neuron) -> bool:
    """Whether the layer is one of this module: it sends payloads."""
    return isinstance(neuron, Activation | SigmaDelta)


def graded_limit(layer: Layer) -> float:
    """Largest scale (weight units per real unit) at which states and messages seen have room.

    A sigma-delta layer whose messages have a step of their own gets the scale that gives it.
    """
    neuron, peaks = layer.population.neuron, layer.peaks
    if isinstance(neuron, Activation):
        return PEAK / (peaks.get("v") or 1.0)
    encodes = isinstance(neuron, SigmaDelta) and not neuron.accumulates
    finer = MESSAGE if encodes else 1.0  # state units in a weight unit
    step = float(np.max(neuron.spike_step)) if isinstance(neuron, SigmaDelta) else 0.0
    if step > 0:
        return MESSAGE / finer / step
    state = max(peaks.get("sigma", 0.0), peaks.get("v", 0.0)) or 1.0
    change = 2 * (peaks.get("v") or 1.0)
    return min(STATE_LIMIT / finer / state, MESSAGE_LIMIT * MESSAGE / finer / change) / RESERVE


def fixed_scale(neuron: Neuron) -> bool:
    """Whether messages have a step of their own, which `graded_limit` then gives them."""
    return isinstance(neuron, SigmaDelta) and bool(np.any(neuron.spike_step))


def graded_neuron(layer: Layer, scale: float) -> tuple[LoihiRelay | LoihiSigmaDelta, float, float]:
    """The neuron of `layer` at `scale`, and the real value of a unit of its v and its message."""
    neuron = layer.population.neuron
    if isinstance(neuron, Activation):
        return LoihiRelay(), 1 / scale, 1 / scale
    assert isinstance(neuron, SigmaDelta)
    if neuron.accumulates:
        return LoihiSigmaDelta(
            threshold=_whole(neuron.threshold * scale), offset=_whole(neuron.offset * scale),
            rectified=neuron.rectified), 1 / scale, MESSAGE / scale
    return LoihiSigmaDelta(
        threshold=_whole(neuron.threshold * scale) << MESSAGE_SHIFT,
        offset=_whole(neuron.offset * scale * MESSAGE), rectified=neuron.rectified,
        accumulates=False, shift=MESSAGE_SHIFT), 1 / (scale * MESSAGE), 1 / scale


def _whole(values: Array) -> Array:
    return np.rint(np.asarray(values, np.float64)).astype(np.int32)
