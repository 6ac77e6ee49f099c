"""Neurons of snnTorch 1.0 with the timing that their code has.

A delayed reset of step t comes in step t + 1; in which part of it, differs between the classes. In
RSynaptic, as in Lapicque and Alpha, it is always delayed: 1.0 drops what reset_delay=False does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import UnsupportedNeuronError
from nmcompile.frontends.adapters.interface import (
    ONE_STEP,
    STEPS_FIRST,
    Adapter,
    Described,
    Gave,
    Given,
)
from nmcompile.frontends.adapters.parameters import (
    array,
    fires_at_threshold,
    gain,
    recurrent_map,
)
from nmcompile.ir.maps import Dense, LinearMap, Scale
from nmcompile.ir.neurons import LIF, Alpha, CubaLIF, Neuron, Reset, ResetAt
from nmcompile.ir.neurons.base import Array

STATES: dict[str, dict[str, str]] = {
    "Leaky": {"v": "mem"},
    "Synaptic": {"u": "syn", "v": "mem"},
    "RLeaky": {"spikes": "spk", "v": "mem"},
    "RSynaptic": {"spikes": "spk", "u": "syn", "v": "mem"},
    "Lapicque": {"v": "mem"},
    "Alpha": {"e": "syn_exc", "i": "syn_inh", "v": "mem"},
    "LeakyParallel": {},
}
SUPPORTED = ("snnTorch's Leaky, RLeaky, Synaptic, RSynaptic, Lapicque, Alpha and LeakyParallel")
# The reset of the spike of one step, applied in the next (reset_delay=True), by class.
DELAYED_ZERO = {"Leaky": ResetAt.LEAK}  # the others: ResetAt.INPUT
ALWAYS_DELAYED = ("RSynaptic", "Lapicque", "Alpha")
RESETS = {"_base_sub": Reset.SUBTRACT, "_base_zero": Reset.ZERO, "_base_int": Reset.NONE}
STEP = "Use a surrogate of snntorch.surrogate whose forward is a Heaviside step."


def _in_library(module: nn.Module) -> bool:
    return type(module).__module__.startswith("snntorch.")


def _knows(module: nn.Module) -> bool:
    return _in_library(module) and type(module).__name__ in STATES


def _refuse(path: str, module: nn.Module) -> None:
    kind = type(module).__name__
    if not _in_library(module) or kind == "RecurrentOneToOne":
        return
    if kind not in STATES:
        raise UnsupportedNeuronError(
            path, f"snnTorch's {kind} cannot be compiled", f"{SUPPORTED} are supported.")
    if kind == "LeakyParallel":
        return
    if module.inhibition:
        raise UnsupportedNeuronError(
            path, "inhibition=True (only the largest membrane fires) cannot be compiled",
            "Train with inhibition=False.")
    if module.state_quant:
        raise UnsupportedNeuronError(
            path, "state_quant (a quantised membrane) cannot be compiled",
            "Train with state_quant=False; the compiler quantises for the chip.")


def _states(module: nn.Module) -> dict[str, str]:
    return STATES[type(module).__name__]


def _reset(module: nn.Module) -> None:
    for name in _states(module).values():
        setattr(module, name, torch.zeros(0))


def _given(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    names = ["input_", *_states(module).values()]
    passed = dict(zip(names, args, strict=False)) | kwargs
    states = {variable: passed[name] if isinstance(passed.get(name), torch.Tensor)
              else getattr(module, name) for variable, name in _states(module).items()}
    return Given(current=passed["input_"], states=states)


def _gave(module: Any, given: Given, result: Any) -> Gave:
    if type(module).__name__ == "LeakyParallel":
        membrane, _ = module.rnn(given.current)
        return Gave(output=result, states={}, series={"v": membrane})
    output = result[0] if isinstance(result, tuple) else result
    states = {variable: getattr(module, name) for variable, name in _states(module).items()}
    return Gave(output=output, states=states)


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    """Parameters, reset and recurrence of `module` for a population of `shape`."""
    kind = type(module).__name__
    worth = array(module.graded_spikes_factor)
    fields: dict[str, Any] = {
        "threshold": array(module.threshold),
        "fires_at_threshold": fires_at_threshold(path, module.spike_grad, STEP),
    }
    if kind == "LeakyParallel":
        return replace(_parallel(path, module, fields), spike_value=worth)
    fields["reset"], reset_at = _reset_of(path, module)
    beta = np.clip(array(module.beta), 0, 1)
    entry: tuple[LinearMap, ...] = ()
    neuron: Neuron
    if kind == "Alpha":
        alpha = np.clip(array(module.alpha), 0, 1)
        neuron = Alpha(rise_decay=beta, decay=alpha, **fields,
                       gain=np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1)
    elif kind in ("Synaptic", "RSynaptic"):
        neuron = CubaLIF(decay=beta, current_decay=np.clip(array(module.alpha), 0, 1),
                         reset_at=reset_at, **fields)
    elif kind == "Lapicque":
        entry = gain(array(module.time_step / module.C), shape)
        neuron = LIF(decay=array(1 - module.time_step / (module.R * module.C)),
                     reset_at=reset_at, **fields)
    else:
        neuron = LIF(decay=beta, reset_at=reset_at, **fields)
    loop, bias = _recurrence(path, module, shape)
    return Described(neuron=neuron, entry=entry, loop=loop, bias=bias, spike_value=worth)


def _parallel(path: str, module: Any, fields: dict[str, Any]) -> Described:
    """LeakyParallel: v = relu(beta * v + W x + b), which never resets."""
    rnn = module.rnn
    back, weight = array(rnn.weight_hh_l0), array(rnn.weight_ih_l0)
    if np.any(back != np.diag(np.diag(back))):
        raise UnsupportedNeuronError(
            path, "with weight_hh_enable=True its membranes act on each other, which "
            "cannot be compiled", "Use weight_hh_enable=False.")
    if np.any(fields["threshold"] < 0):
        raise UnsupportedNeuronError(
            path, "a threshold below 0 under a membrane that never is cannot be "
            "compiled")
    zero = np.zeros((), np.float32)
    bias = array(rnn.bias_ih_l0) + array(rnn.bias_hh_l0) if rnn.bias else zero
    neuron = LIF(decay=np.ascontiguousarray(np.diag(back)), reset=Reset.NONE, v_min=zero, **fields)
    entry = Dense(weight=weight, in_shape=weight.shape[1:], out_shape=weight.shape[:1])
    return Described(neuron=neuron, entry=(entry,), bias=bias)


def _reset_of(path: str, module: Any) -> tuple[Reset, ResetAt]:
    reset = RESETS.get(getattr(module.state_function, "__name__", ""))
    if reset is None:
        raise UnsupportedNeuronError(path, "its state_function is not one of snnTorch's own")
    kind = type(module).__name__
    delayed = kind in ALWAYS_DELAYED or module.reset_delay
    if reset is Reset.NONE and delayed:
        return reset, ResetAt.SPIKE
    if delayed:
        zeroed = DELAYED_ZERO.get(kind, ResetAt.INPUT)
        return reset, ResetAt.INPUT if reset is Reset.SUBTRACT else zeroed
    after = (Reset.SUBTRACT, Reset.ZERO, Reset.NONE)[int(module.reset_mechanism_val)]
    if after is not reset:
        raise UnsupportedNeuronError(path, "reset_mechanism was changed after construction with "
                                     "reset_delay=False", "Set it in the constructor.")
    if reset is Reset.ZERO and bool((torch.as_tensor(module.threshold) < 0).any()):
        raise UnsupportedNeuronError(
            path, "a negative threshold with reset_delay=False cannot be compiled")
    return reset, {Reset.SUBTRACT: ResetAt.UNDELAYED}.get(reset, ResetAt.SPIKE)


def _recurrence(
    path: str, module: Any, shape: tuple[int, ...]
) -> tuple[tuple[LinearMap, ...], Array]:
    """The maps from the module's spikes to its next input, and the bias that comes with them."""
    if type(module).__name__ not in ("RLeaky", "RSynaptic"):
        return (), np.zeros((), np.float32)
    graded = gain(array(module.graded_spikes_factor), shape)
    if type(module.recurrent).__name__ == "RecurrentOneToOne":
        each = Scale(factor=array(module.recurrent.V), in_shape=shape)
        return (*graded, each), np.zeros((), np.float32)
    loop, bias = recurrent_map(f"{path}.recurrent", module.recurrent, shape)
    return (*graded, loop), bias


SNNTORCH = Adapter(
    supported=SUPPORTED, knows=_knows, refuse=_refuse,
    axes=lambda module: STEPS_FIRST if type(module).__name__ == "LeakyParallel" else ONE_STEP,
    attributes=lambda module: tuple(_states(module).values()),
    reset=_reset, given=_given, gave=_gave, describe=_describe,
)
