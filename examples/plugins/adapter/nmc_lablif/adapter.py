"""What the tracer has to know to run and read a RefractoryLeaky."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from nmc_refractory import RefractoryLIF
from torch import nn

from nmc_lablif.neuron import RefractoryLeaky
from nmcompile.errors import UnsupportedNeuronError
from nmcompile.frontends.adapters.interface import ONE_STEP, Adapter, Described, Gave, Given


def _refuse(path: str, module: nn.Module) -> None:
    if isinstance(module, RefractoryLeaky) and module.refractory < 0:
        raise UnsupportedNeuronError(
            path, f"a refractory period of {module.refractory} steps is below 0")


def _states(module: Any) -> dict[str, torch.Tensor]:
    return {"r": module.r, "v": module.v}  # the tensors themselves: the tracer follows them


def _given(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
    (current,) = (*args, *kwargs.values())
    return Given(current=current, states=_states(module))


def _gave(module: nn.Module, given: Given, result: torch.Tensor) -> Gave:
    return Gave(output=result, states=_states(module))


def _describe(module: Any, path: str, shape: tuple[int, ...]) -> Described:
    def scalar(value: float) -> np.ndarray[Any, Any]:
        return np.full((), value, np.float32)

    return Described(neuron=RefractoryLIF(
        decay=scalar(module.decay), threshold=scalar(module.threshold),
        refractory=scalar(module.refractory)))


LABLIF = Adapter(
    supported="lablif's RefractoryLeaky",
    knows=lambda module: isinstance(module, RefractoryLeaky),
    refuse=_refuse,
    axes=lambda module: ONE_STEP,
    attributes=lambda module: ("v", "r"),
    reset=lambda module: module.reset(),  # type: ignore[operator]
    given=_given,
    gave=_gave,
    describe=_describe,
)
