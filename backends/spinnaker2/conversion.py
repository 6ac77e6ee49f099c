"""Continuous LIF parameters into SpiNNaker 2's, as py-spinnaker2's `s2_nir.py` converts NIR graphs.

A time step adds a weight to the membrane as it is; what a NIR neuron multiplies its input with
(r * dt / tau) goes into the threshold instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron

from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import Reset
from nmcompile.ir.neurons.base import Array

WEIGHT_LIMIT = 127  # s2_nir.py `create_populations` scales the largest weight to it


class Integrator(Enum):
    """How a step of dt integrates tau dv/dt = v_leak - v + r i (s2_nir.py `IntegratorMethod`)."""

    FORWARD = "forward"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, kw_only=True, eq=False)
class Continuous:
    """NIR's LIF with the bias of the map ahead of it, in the unit of that map's weights."""

    tau: Array
    r: Array
    v_threshold: Array
    v_leak: Array
    bias: Array


def step_share(tau: Array, dt: float, integrator: Integrator) -> Array:
    """The share of its way to rest that a membrane goes in one step of dt (unit of tau)."""
    ratio = dt / np.asarray(tau, np.float64)
    return ratio if integrator is Integrator.FORWARD else 1 - np.exp(-ratio)


def neuron(
    lif: Continuous,
    *,
    dt: float,
    weight_scale: float = 1.0,
    integrator: Integrator = Integrator.EXPONENTIAL,
    reset: Reset = Reset.SUBTRACT,
) -> tuple[Spinnaker2Neuron, Array]:
    """Registers, and units of the membrane per unit of NIR's (s2_nir.py `convert_LIF`).

    dt            in the unit of tau
    weight_scale  what the weights are multiplied with before they become integers
    """
    share = step_share(lif.tau, dt, integrator)
    scale = weight_scale / (share * lif.r)
    offset = share * lif.v_leak * scale + lif.bias * weight_scale
    registers = (1 - share, lif.v_threshold * scale, offset)
    decay, threshold, constant = (np.asarray(a, np.float32) for a in registers)
    return Spinnaker2Neuron(decay=decay, threshold=threshold, offset=constant, reset=reset), scale


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
        raise RegisterError(name, f"weights span {whole.min():.0f} to {whole.max():.0f} at scale "
                            f"{scale:g}, SpiNNaker 2 holds -128 to 127")
    return whole.astype(np.int8)
