"""Continuous LIF parameters into SpiNNaker 2's, as py-spinnaker2's `s2_nir.py` converts NIR graphs.

A time step adds a weight to the membrane as it is; what a NIR neuron multiplies its input with
(r * dt / tau) goes into the threshold instead.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron

from nmcompile.errors import NmcError
from nmcompile.ir.neurons import Reset
from nmcompile.ir.neurons.base import Array

WEIGHT_LIMIT = 127  # s2_nir.py `create_populations` scales the largest weight to it


class Integrator(Enum):
    """How a step of dt integrates tau dv/dt = v_leak - v + r i (s2_nir.py `IntegratorMethod`)."""

    FORWARD = "forward"
    EXPONENTIAL = "exponential"


def step_share(tau: Array, dt: float, integrator: Integrator) -> Array:
    """The share of its way to rest that a membrane goes in one step of dt (unit of tau)."""
    ratio = dt / np.asarray(tau, np.float64)
    return ratio if integrator is Integrator.FORWARD else 1 - np.exp(-ratio)


def neuron(
    *,
    tau: Array,
    r: Array,
    v_threshold: Array,
    v_leak: Array,
    bias: Array,
    dt: float,
    weight_scale: float = 1.0,
    integrator: Integrator = Integrator.EXPONENTIAL,
    reset: Reset = Reset.SUBTRACT,
) -> tuple[Spinnaker2Neuron, Array]:
    """Registers, and units of the membrane per unit of NIR's (s2_nir.py `convert_LIF`).

    tau, dt       in the same unit
    bias          current ahead of r, in the unit of the weights before their scale
    weight_scale  what the weights are multiplied with before they become integers
    """
    share = step_share(tau, dt, integrator)
    scale = weight_scale / (share * r)
    registers = (1 - share, v_threshold * scale, share * v_leak * scale + bias * weight_scale)
    decay, threshold, offset = (np.asarray(a, np.float32) for a in registers)
    return Spinnaker2Neuron(decay=decay, threshold=threshold, offset=offset, reset=reset), scale


def full_scale(weights: Array) -> float:
    """The scale at which the largest weight becomes 127; 1 where all are zero."""
    largest = float(np.abs(weights).max(initial=0.0))
    return WEIGHT_LIMIT / largest if largest > 0 else 1.0


def quantise(name: str, weights: Array, scale: float) -> Array:
    """(int8) `weights` at `scale`, cut toward zero (s2_nir.py `get_conv2d_params`, `astype(int8)`).

    Raises NmcError beyond -128..127.
    """
    whole = np.trunc(np.asarray(weights, np.float64) * scale)
    if whole.size and (whole.min() < -WEIGHT_LIMIT - 1 or whole.max() > WEIGHT_LIMIT):
        raise NmcError(name, f"weights span {whole.min():.0f} to {whole.max():.0f} at scale "
                       f"{scale:g}, SpiNNaker 2 holds -128 to 127")
    return whole.astype(np.int8)
