"""What the tracer asks of a library's neuron modules; a library is one Adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.ir.maps import LinearMap
from nmcompile.ir.neurons import Neuron
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """A neuron module in the words of the IR.

    loop        maps, first to last, from the module's own spikes to its input of the next step
    bias        constant current that the module adds by itself, of the population's shape
    spike_value what one spike is worth to its readers, broadcastable to the population's shape
    """

    neuron: Neuron
    loop: tuple[LinearMap, ...] = ()
    bias: Array = field(default_factory=lambda: np.zeros((), np.float32))
    spike_value: Array = field(default_factory=lambda: np.ones((), np.float32))


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """How to run and read the neuron modules of one library.

    knows      whether a module is a neuron of this library that can be compiled
    refuse     raises NmcError(where=path) for a module of this library that cannot
    states     variable ("u", "v", "spikes") -> attribute of the module that keeps it, in the
               order in which forward takes them after the input
    reset      forgets the state of earlier runs
    describe   (module, path, shape of the population) -> Described
    """

    name: str
    knows: Callable[[nn.Module], bool]
    refuse: Callable[[str, nn.Module], None]
    states: Callable[[nn.Module], dict[str, str]]
    reset: Callable[[nn.Module], None]
    describe: Callable[[nn.Module, str, tuple[int, ...]], Described]


def arguments(
    adapter: Adapter, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The input of a call of `module` and the states that the caller passed, by variable."""
    names = ["input_", *adapter.states(module).values()]
    given = dict(zip(names, args, strict=False)) | kwargs
    passed = {variable: given[name] for variable, name in adapter.states(module).items()
              if isinstance(given.get(name), torch.Tensor)}
    return given["input_"], passed


def current_states(adapter: Adapter, module: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors in which `module` keeps its state now, by variable."""
    return {variable: getattr(module, name) for variable, name in adapter.states(module).items()}
