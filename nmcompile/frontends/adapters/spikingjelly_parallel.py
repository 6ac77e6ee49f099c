"""Parallel spiking neurons of SpikingJelly 2.0: PSN, MaskedPSN and SlidingPSN, where causal.

In step t, of inputs x, with weights W or w and biases b:

    h[t] = sum over s of W[t, s] x[s] + b[t]             PSN; MaskedPSN with its masked weights
    h[t] = sum over i < k of w[k - 1 - i] x[t - i] + b   SlidingPSN
    spike where h >= 0, as the surrogate has it
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
from nmcompile.frontends.adapters.parameters import array, fires_at_threshold
from nmcompile.frontends.adapters.spikingjelly import PARALLEL, in_library
from nmcompile.ir.neurons import PSN
from nmcompile.ir.neurons.base import Array


def _knows(module: nn.Module) -> bool:
    return in_library(module) and type(module).__name__ in PARALLEL


def _axes(module: Any) -> str:
    return ONE_STEP if getattr(module, "step_mode", "m") == "s" else STEPS_FIRST


def _reset(module: Any) -> None:
    if hasattr(module, "reset"):
        module.reset()


def _given(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    (current,) = (*args, *kwargs.values())
    return Given(current=current, states={})


def _gave(module: Any, given: Given, result: torch.Tensor) -> Gave:
    return Gave(output=result, states={})


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    """Weights and biases of `module` as a window over the past."""
    sliding = type(module).__name__ == "SlidingPSN"
    taps = array(module.weight)[None, ::-1] if sliding else _window(path, module)
    return Described(neuron=PSN(
        taps=np.ascontiguousarray(taps), offsets=array(module.bias).reshape(-1),
        fires_at_threshold=fires_at_threshold(
            path, module.surrogate_function, "Use a surrogate of SpikingJelly with spiking=True."),
    ))


def _window(path: str, module: Any) -> Array:
    """taps[t, i] = W[t, t - i]; NmcError where a weight reaches into the future."""
    masked = module.masked_weight() if hasattr(module, "masked_weight") else module.weight
    weight = array(masked)
    ahead = np.argwhere(np.triu(weight, 1))
    if len(ahead):
        steps = int(np.max(ahead[:, 1] - ahead[:, 0]))
        raise UnsupportedNeuronError(path, f"its weights reach {steps} steps into the future",
                                     "Train a SlidingPSN, or a MaskedPSN with lambda_ at 1.")
    rows = len(weight)
    step, ago = np.indices((rows, rows))
    return np.where(ago <= step, weight[step, np.maximum(step - ago, 0)], 0).astype(np.float32)


SPIKINGJELLY_PARALLEL = Adapter(
    supported="", knows=_knows, refuse=lambda path, module: None,
    axes=_axes, attributes=lambda module: tuple(
        name for name in ("queue", "time_step") if hasattr(module, name)),
    reset=_reset, given=_given, gave=_gave, describe=_describe,
)
