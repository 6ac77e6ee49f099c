"""NIR's neurons in discrete time, by forward Euler with a given dt.

    LIF      v += dt / tau * (v_leak - v + r i)
    CubaLIF  u += dt / tau_syn * (w_in i - u)    v += dt / tau_mem * (v_leak - v + r u)
    LI       as LIF, and CubaLI as CubaLIF, without spikes
    IF, I    v += r i: their r counts a step, as the exporters of Sinabs and snnTorch write it
    Threshold  fires where its input is above the threshold, without memory

A neuron fires where v > v_threshold and is then at v_reset. Where v_reset is not zero, v is
counted from it, so that the reset is one to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from nmcompile.errors import UnsupportedNeuronError
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF, Neuron, Reset, ResetAt
from nmcompile.ir.neurons.base import Array

SPIKING = (nir.IF, nir.LIF, nir.CubaLIF, nir.Threshold)
NEURONS = (*SPIKING, nir.LI, nir.I, nir.CubaLI)
NEARLY_ONE = 1e-6  # exporters store r = tau / dt in float32


@dataclass(frozen=True, kw_only=True, eq=False)
class Discrete:
    """A neuron, the factor of what arrives, and the constant current."""

    neuron: Neuron
    gain: Array
    bias: Array


def discretise(name: str, node: Any, dt: float) -> Discrete:
    """NIR node `node` in steps of `dt` seconds; arrays keep the node's shape."""
    if isinstance(node, nir.CubaLIF | nir.CubaLI):
        return _cuba(name, node, dt)
    if isinstance(node, nir.Threshold):
        return Discrete(neuron=LIF(decay=_f32(0), threshold=_f32(node.threshold),
                                   reset=Reset.NONE), gain=np.ones(()), bias=np.zeros(()))
    if isinstance(node, nir.I):
        return Discrete(neuron=LI(decay=_f32(1)), gain=_gain(node.r), bias=np.zeros(()))
    if isinstance(node, nir.LI):
        rate = _rate(name, node.tau, dt)
        return Discrete(neuron=LI(decay=_f32(1 - rate)), gain=_gain(rate * node.r),
                        bias=rate * node.v_leak)
    zero, origin = np.zeros_like(node.v_threshold), np.asarray(node.v_reset, np.float64)
    rate = _rate(name, node.tau, dt) if isinstance(node, nir.LIF) else zero
    leak = node.v_leak if isinstance(node, nir.LIF) else zero
    gain = _gain(rate * node.r if isinstance(node, nir.LIF) else node.r)
    neuron = LIF(decay=_f32(1 - rate), threshold=_f32(node.v_threshold - origin),
                 v_init=_f32(0.0 - origin), reset=Reset.ZERO, reset_at=ResetAt.SPIKE)
    return Discrete(neuron=neuron, gain=gain, bias=rate * (leak - origin))


def _cuba(name: str, node: Any, dt: float) -> Discrete:
    current, membrane = _rate(name, node.tau_syn, dt), _rate(name, node.tau_mem, dt)
    origin = np.asarray(getattr(node, "v_reset", 0.0), np.float64)
    fields: dict[str, Any] = {
        "current_decay": _f32(1 - current), "decay": _f32(1 - membrane),
        "v_bias": _f32(membrane * (node.v_leak - origin)), "v_init": _f32(0.0 - origin),
    }
    neuron = CubaLI(**fields) if isinstance(node, nir.CubaLI) else CubaLIF(
        threshold=_f32(node.v_threshold - origin), reset=Reset.ZERO, reset_at=ResetAt.SPIKE,
        **fields)
    return Discrete(neuron=neuron, gain=_gain(current * node.w_in * membrane * node.r),
                    bias=np.zeros(()))


def _rate(name: str, tau: Any, dt: float) -> Array:
    taus = np.asarray(tau, np.float64)
    if not np.all(taus >= dt * (1 - NEARLY_ONE)):
        raise UnsupportedNeuronError(
            name, f"a time constant of {np.min(taus):g} s is shorter than a step of "
            f"{dt:g} s", "Write the exporter's dt into the graph's metadata as 'dt'.")
    return np.minimum(dt / taus, 1.0)


def _gain(gain: Any) -> Array:
    gain = np.asarray(gain, np.float64)
    return np.where(np.abs(gain - 1) < NEARLY_ONE, 1.0, gain)


def _f32(values: Any) -> Array:
    array = np.asarray(values, np.float32)
    same = array.size > 0 and np.all(array == array.flat[0])
    return array.reshape(-1)[0].reshape(()) if same else array
