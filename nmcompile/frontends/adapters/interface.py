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

ONE_STEP, STEPS_FIRST, SAMPLES_FIRST, MERGED = "B", "TB", "BT", "(BT)"
STEPS_LAST = "B..T"


def _scalar(value: float) -> Array:
    return np.full((), value, np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """A neuron module in the words of the IR.

    entry       maps, first to last, from the module's input to the neuron's current
    loop        maps, first to last, from the module's own spikes to its current of the next step
    bias        constant current that the module adds by itself, of the population's shape
    spike_value what one spike is worth to its readers, broadcastable to the population's shape
    origin      membrane of the module at which that of the IR is 0
    current_unit what one unit of the module's synaptic current is in the IR
    threshold   what the module adds to a threshold's rise b in the state that it keeps
    """

    neuron: Neuron
    entry: tuple[LinearMap, ...] = ()
    loop: tuple[LinearMap, ...] = ()
    bias: Array = field(default_factory=lambda: _scalar(0))
    spike_value: Array = field(default_factory=lambda: _scalar(1))
    origin: Array = field(default_factory=lambda: _scalar(0))
    current_unit: Array = field(default_factory=lambda: _scalar(1))
    threshold: Array = field(default_factory=lambda: _scalar(0))

    def in_ir(self, variable: str, values: Array) -> Array:
        """Values of a variable of the module, over leading axes, in the units of the IR."""
        if variable == "v":
            return values - self.origin if np.any(self.origin) else values
        if variable == "b":
            return values - self.threshold if np.any(self.threshold) else values
        return values * self.current_unit if variable == "u" else values


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What one call of a neuron module was given.

    states  variable -> the state that it starts from, where it was set before or passed
    more    the other currents of a neuron that takes several
    """

    current: torch.Tensor
    states: dict[str, torch.Tensor]
    more: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Gave:
    """What one call of a neuron module gave.

    output  spikes, or the membrane of an integrator
    states  variable -> the state after the call, as the model's code can see it
    series  variable -> the state after each step of the call, axes as in the output; only for a
            call of several steps
    """

    output: torch.Tensor
    states: dict[str, torch.Tensor]
    series: dict[str, torch.Tensor] = field(default_factory=dict)
    result: Any = None


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """How to run and read the neuron modules of one library.

    supported  what a message says can be compiled; empty where another adapter's says it
    knows      whether a module is a neuron of this library that can be compiled
    refuse     raises NmcError(where=path) for a module of this library that cannot
    axes       the axes in front of a module's input: ONE_STEP, STEPS_FIRST, SAMPLES_FIRST or
               MERGED (samples and steps as one axis); STEPS_LAST has the steps behind the features
    attributes names in which a module keeps its state, given back after a run
    reset      forgets the state of earlier runs
    dt         seconds of one step, where the module says it
    sized      told the samples and steps of a call ahead of it
    given      (module, args, kwargs) of a call -> Given
    gave       (module, what given() told of the call, result) -> Gave
    describe   (module, path, shape of its input) -> Described
    """

    supported: str
    knows: Callable[[nn.Module], bool]
    refuse: Callable[[str, nn.Module], None]
    axes: Callable[[nn.Module], str]
    attributes: Callable[[nn.Module], tuple[str, ...]]
    reset: Callable[[nn.Module], None]
    given: Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], Given]
    gave: Callable[[nn.Module, Given, Any], Gave]
    describe: Callable[[nn.Module, str, tuple[int, ...]], Described]
    dt: Callable[[nn.Module], float | None] = lambda module: None
    sized: Callable[[nn.Module, int, int], None] = lambda module, samples, steps: None
