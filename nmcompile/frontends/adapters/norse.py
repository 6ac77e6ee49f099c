"""Neurons of Norse 1.1: LIF, LIFBox, IAF, LI and LIBox, cells and layers, and recurrent LIF.

    i += x (+ recurrent)    v += dt / tau_mem * (v_leak - v + i)    i -= dt / tau_syn * i
    spike where v - v_th > 0, then v = v_reset

The box neurons take x where the others take i. v is compared after i has arrived and before it has
decayed, so i[t] of the IR is Norse's before its decay, times dt / tau_mem. The membrane is counted
from v_reset.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import UnsupportedLayerError, UnsupportedNeuronError
from nmcompile.frontends.adapters.interface import (
    ONE_STEP,
    STEPS_FIRST,
    Adapter,
    Described,
    Gave,
    Given,
)
from nmcompile.frontends.adapters.parameters import array, fires_at_threshold, gain
from nmcompile.ir.maps import Dense, LinearMap
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF, Neuron, Reset
from nmcompile.ir.neurons.base import Array

PACKAGE = "norse.torch.module."
CELLS = ("LIFCell", "LIFBoxCell", "IAFCell", "LICell", "LIBoxCell", "LIFRecurrentCell")
LAYERS = ("LIF", "IAF", "LI", "LIFRecurrent")
SUPPORTED = "Norse's LIF, LIFBox, IAF, LI, LIBox (cells and layers) and LIFRecurrent"
VARIABLES = {"v": "v", "u": "i", "spikes": "z"}  # of the IR -> field of a state


def _in_library(module: nn.Module) -> bool:
    return type(module).__module__.startswith(PACKAGE)


def _kind(module: nn.Module) -> str:
    return type(module).__name__


def _knows(module: nn.Module) -> bool:
    return _in_library(module) and _kind(module) in (*CELLS, *LAYERS)


def _refuse(path: str, module: nn.Module) -> None:
    if _in_library(module) and not _knows(module) and hasattr(module, "p"):
        raise UnsupportedNeuronError(path, f"Norse's {_kind(module)} cannot be compiled",
                                     f"{SUPPORTED} are supported.")


def _reset(module: Any) -> None:
    if hasattr(module, "record_states"):
        module.record_states = True


def _given(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    given = dict(zip(("input_tensor", "state"), args, strict=False)) | kwargs
    current, state = given["input_tensor"], given.get("state")
    if state is None:
        state = module.state_fallback(current)
        samples = current.shape[1:] if _kind(module) in LAYERS else current.shape
        shape = (*samples[:-1], int(module.hidden_size)) if _recurs(module) else samples
        return Given(current=current, states={
            name: torch.broadcast_to(tensor.detach(), shape)
            for name, tensor in _variables(state).items()})
    return Given(current=current, states=_variables(state))


def _gave(module: Any, given: Given, result: Any) -> Gave:
    output, state = result
    if _kind(module) in CELLS:
        return Gave(output=output, states=_variables(state))
    last = type(state)(*(tensor[-1] for tensor in state))
    series = {name: tensor for name, tensor in _variables(state).items() if name != "spikes"}
    return Gave(output=output, states=_variables(last), series=series, result=(output, last))


def _variables(state: Any) -> dict[str, torch.Tensor]:
    return {name: getattr(state, field) for name, field in VARIABLES.items()
            if hasattr(state, field)}


def _recurs(module: nn.Module) -> bool:
    return "Recurrent" in _kind(module)


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    """Parameters, reset and recurrence of `module` for inputs of `shape`."""
    p, kind = module.p, _kind(module).removesuffix("Cell")
    leaks = kind != "IAF"
    rate = array(module.dt * torch.as_tensor(p.tau_mem_inv)) if leaks else np.ones((), np.float32)
    spiking = kind not in ("LI", "LIBox")
    hard = spiking and getattr(p.reset_method, "__name__", "") != "reset_subtract" if hasattr(
        p, "reset_method") else spiking
    origin = array(p.v_reset) if hard else np.zeros((), np.float32)
    pull = rate * (array(p.v_leak) - origin) if leaks else np.zeros((), np.float32)
    fields: dict[str, Any] = {"decay": 1 - rate if leaks else np.ones((), np.float32)}
    if spiking:
        fields |= {
            "threshold": array(p.v_th) - origin, "reset": Reset.ZERO if hard else Reset.SUBTRACT,
            "fires_at_threshold": _fires_at_threshold(path, p),
        }
    inner, loop = _weights(module, path, shape)
    size = inner[-1].out_shape if inner else shape
    if kind in ("LIF", "LI", "LIFRecurrent"):
        kept = 1 - array(module.dt * torch.as_tensor(p.tau_syn_inv))
        neuron: Neuron = (CubaLIF if spiking else CubaLI)(
            current_decay=kept, v_bias=pull, **fields)
        unit = np.divide(rate, kept, out=np.zeros(np.broadcast_shapes(rate.shape, kept.shape),
                                                  np.float32), where=kept > 0)
        return Described(neuron=neuron, entry=(*inner, *gain(rate, size)), origin=origin,
                         loop=(*loop, *gain(rate, size)) if loop else (), current_unit=unit)
    neuron = LIF(**fields) if spiking else LI(**fields)
    return Described(neuron=neuron, entry=gain(rate, size), origin=origin,
                     bias=np.ascontiguousarray(np.broadcast_to(pull, size)))


def _dt(module: Any) -> float | None:
    """The step of neurons that decay; others do not use theirs."""
    return None if _kind(module).startswith("IAF") else float(module.dt)


def _fires_at_threshold(path: str, p: Any) -> bool:
    threshold = import_module("norse.torch.functional.threshold").threshold
    if p.method == "logistic":
        raise UnsupportedNeuronError(path, "its spikes are drawn at random (method='logistic')",
                                     "Use method='super'.")
    return fires_at_threshold(path, lambda x: threshold(x, p.method, p.alpha),
                              "Use one of Norse's Heaviside methods, as 'super'.")


def _weights(
    module: Any, path: str, shape: tuple[int, ...]
) -> tuple[tuple[LinearMap, ...], tuple[LinearMap, ...]]:
    """The maps of a recurrent module: of its input, and from its spikes to its next input."""
    if not _recurs(module):
        return (), ()
    if len(shape) != 1:
        raise UnsupportedLayerError(
            path, f"a recurrent module over inputs of shape {shape} cannot be compiled",
            "Flatten its input.")
    given, back = array(module.input_weights), array(module.recurrent_weights)
    return (_dense(given),), (_dense(back),)


def _dense(weight: Array) -> Dense:
    return Dense(weight=weight, in_shape=weight.shape[1:], out_shape=weight.shape[:1])


NORSE = Adapter(
    supported=SUPPORTED, knows=_knows, refuse=_refuse,
    axes=lambda module: STEPS_FIRST if _kind(module) in LAYERS else ONE_STEP,
    attributes=lambda module: ("record_states",) if hasattr(module, "record_states") else (),
    reset=_reset, given=_given, gave=_gave, describe=_describe, dt=_dt,
)
