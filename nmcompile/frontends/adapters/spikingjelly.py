"""Neurons of SpikingJelly 2.0: IFNode, LIFNode and ParametricLIFNode in both step modes.

    h = v + x                                       IFNode
    h = v + (x - (v - v_reset)) / tau               LIFNode, ParametricLIFNode
    h = v - (v - v_reset) / tau + x                 the same with decay_input=False
    spike where h - v_threshold >= 0, then v = v_reset, or v = h - v_threshold where v_reset is None

The membrane is counted from v_reset. It starts from the module's reset value, or from a number that
`v` was set to, or from what the model's forward sets.
"""

from __future__ import annotations

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
from nmcompile.frontends.adapters.parameters import array, fires_at_threshold, gain
from nmcompile.ir.neurons import LIF, Reset

PACKAGE = "spikingjelly.activation_based.neuron."
KINDS = ("IFNode", "LIFNode", "ParametricLIFNode")
PARALLEL = ("PSN", "MaskedPSN", "SlidingPSN")  # in spikingjelly_parallel.py
SUPPORTED = "SpikingJelly's IFNode, LIFNode, ParametricLIFNode, PSN, MaskedPSN and SlidingPSN"


def in_library(module: nn.Module) -> bool:
    """True for neurons of SpikingJelly."""
    return type(module).__module__.startswith(PACKAGE)


def _knows(module: nn.Module) -> bool:
    return in_library(module) and type(module).__name__ in KINDS


def _refuse(path: str, module: nn.Module) -> None:
    if not in_library(module):
        return
    if type(module).__name__ not in (*KINDS, *PARALLEL):
        raise UnsupportedNeuronError(
            path, f"SpikingJelly's {type(module).__name__} cannot be compiled",
            f"{SUPPORTED} are supported.")
    if getattr(module, "_neuron_precision", None) is not None:
        raise UnsupportedNeuronError(path, "a membrane of reduced precision cannot be compiled",
                                     "Keep it in float32; the compiler quantises for the chip.")


def _steps(module: Any) -> bool:
    return bool(getattr(module, "_step_mode", "s") == "m")


def _reset(module: Any) -> None:
    started = module.v
    module.reset()
    if isinstance(started, int | float):  # an array is what an earlier run left
        module.v = started
    module.store_v_seq = _steps(module)


def _given(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    (current,) = (*args, *kwargs.values())
    v = module.v
    if isinstance(v, int | float):
        shape = current.shape[1:] if _steps(module) else current.shape
        v = torch.full(shape, float(v))
    return Given(current=current, states={"v": v})


def _gave(module: Any, given: Given, result: torch.Tensor) -> Gave:
    series = {"v": module.v_seq} if _steps(module) else {}
    return Gave(output=result, states={"v": module.v}, series=series)


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    """Parameters and reset of `module` for a population of `shape`."""
    rate = _rate(module)
    hard = module.v_reset is not None
    origin = array(module.v_reset if hard else 0.0)
    neuron = LIF(
        decay=np.clip(1 - rate, 0, 1).astype(np.float32),
        threshold=array(module.v_threshold) - origin,
        reset=Reset.ZERO if hard else Reset.SUBTRACT,
        fires_at_threshold=fires_at_threshold(
            path, module.surrogate_function,
            "Use a surrogate of SpikingJelly with spiking=True."),
    )
    decayed = getattr(module, "decay_input", False)
    return Described(neuron=neuron, entry=gain(rate, shape) if decayed else (), origin=origin)


def _rate(module: Any) -> Any:
    """The part of the membrane that leaks in a step: 1 / tau."""
    if type(module).__name__ == "LIFNode":
        return np.float32(1 / module.tau) * np.ones((), np.float32)
    if type(module).__name__ == "ParametricLIFNode":
        return array(module.w.detach().sigmoid())
    return np.zeros((), np.float32)


SPIKINGJELLY = Adapter(
    supported=SUPPORTED, knows=_knows, refuse=_refuse,
    axes=lambda module: STEPS_FIRST if _steps(module) else ONE_STEP,
    attributes=lambda module: ("v", "store_v_seq"),
    reset=_reset, given=_given, gave=_gave, describe=_describe,
)
