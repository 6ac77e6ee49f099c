"""Physical parameters of PyNN's neurons into a SpiNNaker core's registers.

The host writes tau_m, cm, potentials and times as accums (neuron_model_leaky_integrate_and_fire.py,
synapse_type_exponential.py); the core computes the rest from them with its own division and
exponential (neuron_model_lif_impl.h, exp_synapse_utils.h).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import prod

import numpy as np
from nmcompile_backends.spinnaker.accum import FRACTION_BITS, ONE, encode, quotient
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.exponential import accum_exponential, fraction_exponential

from nmcompile.errors import ParameterError, RegisterError
from nmcompile.ir.neurons.base import Array

Real = Array | float
UNITS = {"tau_m": " ms", "tau_refrac": " ms", "tau_syn_e": " ms", "tau_syn_i": " ms", "cm": " nF",
         "v_rest": " mV", "v_reset": " mV", "v_thresh": " mV", "v": " mV", "e_rev_e": " mV",
         "e_rev_i": " mV", "i_offset": " nA"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """PyNN's parameters, each one value or one a neuron; the defaults are sPyNNaker's.

    (spynnaker/pyNN/models/neuron/builds/if_curr_exp_base.py, if_cond_exp_base.py.) Times in ms,
    potentials in mV, cm in nF, i_offset in nA; isyn in nA, or in uS times 1024 for a conductance.
    """

    tau_m: Real = 20.0
    cm: Real = 1.0
    v_rest: Real = -65.0
    v_reset: Real = -65.0
    v_thresh: Real = -50.0
    tau_syn_e: Real = 5.0
    tau_syn_i: Real = 5.0
    tau_refrac: Real = 0.1
    i_offset: Real = 0.0
    e_rev_e: Real = 0.0
    e_rev_i: Real = -70.0
    v: Real = -65.0
    isyn_exc: Real = 0.0
    isyn_inh: Real = 0.0


def neuron(
    name: str,
    cell: Cell,
    shape: tuple[int, ...],
    *,
    dt_ms: float = 1.0,
    conductance: bool = False,
    shifts: tuple[int, int] = (0, 0),
) -> SpinnakerNeuron:
    """The registers of population `name` after its core has started.

    shifts  of the excitatory and the inhibitory ring buffer (`weights.ring_buffer_shift`)
    """
    words = {f.name: encode(getattr(cell, f.name), f"{name}: {f.name}", UNITS.get(f.name, ""))
             for f in fields(cell)}
    dt = encode(dt_ms, f"{name}: dt_ms", " ms")
    for field in ("tau_m", "cm", "tau_syn_e", "tau_syn_i"):
        if np.any(words[field] <= 0):
            raise RegisterError(f"{name}: {field}", "is 0 or less once rounded to 1/32768",
                                "SpiNNaker divides by it.")
    if np.any(words["tau_refrac"] < 0) or dt <= 0:
        raise ParameterError(name, "tau_refrac is below 0, or dt_ms is not above 0")
    return SpinnakerNeuron(
        v_rest=words["v_rest"], v_reset=words["v_reset"], threshold=words["v_thresh"],
        resistance=_each(_resistance, name, shape, words["tau_m"], words["cm"]),
        decay=_each(_membrane_decay, name, shape, dt, words["tau_m"]),
        i_offset=words["i_offset"],
        refractory=_each(_steps, name, shape, words["tau_refrac"], dt),
        exc_decay=_each(_synapse_decay, name, shape, dt, words["tau_syn_e"]),
        exc_gain=_each(_synapse_gain, name, shape, dt, words["tau_syn_e"]),
        inh_decay=_each(_synapse_decay, name, shape, dt, words["tau_syn_i"]),
        inh_gain=_each(_synapse_gain, name, shape, dt, words["tau_syn_i"]),
        shift_exc=shifts[0], shift_inh=shifts[1], conductance=conductance,
        reversal_exc=words["e_rev_e"], reversal_inh=words["e_rev_i"],
        v_init=words["v"], exc_init=words["isyn_exc"], inh_init=words["isyn_inh"],
        tau_m=words["tau_m"], cm=words["cm"], tau_syn_e=words["tau_syn_e"],
        tau_syn_i=words["tau_syn_i"],
    )


def delta_neuron(name: str, cell: Cell, shape: tuple[int, ...], *, dt_ms: float = 1.0,
                 shifts: tuple[int, int] = (0, 0)) -> SpinnakerNeuron:
    """As `neuron`, for PyNN's IF_curr_delta, which has no tau_syn (input_type_delta.py)."""
    scale = quotient(ONE, int(encode(dt_ms, f"{name}: dt_ms", " ms")))
    return replace(neuron(name, cell, shape, dt_ms=dt_ms, shifts=shifts), delta=True,
                   scale=np.array(scale, np.int32))


def _each(
    compute: Callable[[int, int], int], name: str, shape: tuple[int, ...], a: Array, b: Array
) -> Array:
    """`compute` for each neuron, or once where both operands are shared."""
    try:
        a, b = np.broadcast_arrays(a, b)
        np.broadcast_to(a, shape)
    except ValueError:
        raise ParameterError(
            name, f"parameters of shapes {a.shape} and {b.shape} for {shape}") from None
    pairs, place = np.unique(np.stack([a.reshape(-1), b.reshape(-1)]), axis=1, return_inverse=True)
    values = np.array([compute(int(x), int(y)) for x, y in pairs.T], np.int64)
    return values[place.reshape(-1)[: prod(a.shape)]].reshape(a.shape)


def _resistance(tau_m: int, cm: int) -> int:
    if (tau_m << FRACTION_BITS) // cm >= 2**31:
        raise RegisterError("tau_m / cm", f"is {tau_m / cm:g} MOhm, an accum holds less than 65536")
    return quotient(tau_m, cm)


def _membrane_decay(dt: int, tau_m: int) -> int:
    return accum_exponential(-quotient(dt, tau_m))


def _steps(tau_refrac: int, dt: int) -> int:
    """Whole steps, rounded up (`lif_ceil_accum`)."""
    return -(-quotient(tau_refrac, dt) >> FRACTION_BITS)


def _synapse_decay(dt: int, tau: int) -> int:
    return fraction_exponential(-quotient(dt, tau))


def _synapse_gain(dt: int, tau: int) -> int:
    """The mean over a step, tau / dt * (1 - decay), with 2**32 - 1 as 1 (`decay_and_init`)."""
    rest = 2**32 - 1 - _synapse_decay(dt, tau)
    return (quotient(tau, dt) * rest >> FRACTION_BITS) & 0xFFFFFFFF
