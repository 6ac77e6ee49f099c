"""Decays as Xylo's bit shifts: x - (x >> dash) keeps 1 - 2**-dash of x."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.xylo.arithmetic import DASH_LIMIT

from nmcompile.ir.neurons.base import Array

DASHES = np.arange(DASH_LIMIT + 1)


def kept(dash: Array) -> Array:
    """The per-step factor of each `dash`: 0, 1/2, 3/4, 7/8 and so on."""
    return 1.0 - 2.0 ** -np.asarray(dash, np.float64)


def membrane_dash(decay: Array) -> Array:
    """The dash whose factor is nearest to each per-step `decay`, 0..15; int32."""
    return _nearest(decay, DASHES)


def synapse_dash(decay: Array) -> Array:
    """As `membrane_dash`, 1..15: with dash 0 a current would be gone before the membrane sees it.

    XyloSim decays the currents ahead of the membrane (XyloIAFNeuron.cpp, `evolve`).
    """
    return _nearest(decay, DASHES[1:])


def dash_of_time_constant(tau: Array, dt: float) -> Array:
    """The dash that Rockpool gives to a time constant, log2(tau / dt) to the nearest; int32.

    Rockpool 3.1 xylo_graph_modules.py (`_convert_from`) and transform/quantize_methods.py, which
    rounds; time constants up to dt have none.
    """
    steps = np.asarray(tau, np.float64) / dt
    if np.any(steps <= 1):
        raise ValueError(f"a time constant of {np.min(tau):g} s within one step of {dt:g} s")
    return np.rint(np.log2(steps)).astype(np.int32)


def _nearest(decay: Array, dashes: Array) -> Array:
    distance = np.abs(kept(dashes) - np.asarray(decay, np.float64)[..., None])
    return dashes[distance.argmin(axis=-1)].astype(np.int32)
