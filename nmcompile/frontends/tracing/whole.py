"""Modules that are read as a whole, whose operations are not recorded one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.frontends.adapters.brevitas import (
    activation_levels,
    is_activation_quantiser,
    layer_of,
)
from nmcompile.frontends.adapters.lava_dl import is_delay, steps_of_delay
from nmcompile.frontends.adapters.quantised import Levels, QuantisedActivation
from nmcompile.frontends.tracing.activations import activate
from nmcompile.frontends.tracing.binary import function_of_spikes
from nmcompile.frontends.tracing.elementwise import constant_expr
from nmcompile.frontends.tracing.pooling import is_sum_pool, sum_pool
from nmcompile.frontends.tracing.recorder import Call, Known, Recorder
from nmcompile.frontends.tracing.values import Axis, Expr, Link, NotTraceableError, Value
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import Activation
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, eq=False)
class Ran:
    """A call of such a module: its path, what it was given and what it gave."""

    recorder: Recorder
    path: str
    module: Any
    given: torch.Tensor
    result: Any

    @property
    def out(self) -> torch.Tensor:
        """The tensor among what it gave."""
        return self.result[0] if isinstance(self.result, tuple) else self.result


Reader = Callable[[Ran, Value], Value]


def reader(module: nn.Module) -> Reader | None:
    """How `module` is read; None where its operations are recorded."""
    if is_sum_pool(module):
        return _sum_pool
    if isinstance(module, QuantisedActivation):
        return _levelled
    if is_delay(module):
        return _delayed
    return _quantised if is_activation_quantiser(module) else None


def mark_result(ran: Ran, read: Reader, known: Known | None) -> None:
    """Note what `ran` gave, in terms of what is `known` of its argument."""
    if known is None:
        return
    result = known
    if isinstance(known, Value):
        try:
            result = read(ran, known)
        except NotTraceableError as reason:
            result = ran.recorder.opaque(reason, [known], type(ran.module).__name__)
    ran.recorder.mark(ran.out, result)


def _sum_pool(ran: Ran, value: Value) -> Value:
    return sum_pool(ran.module, ran.path, value, ran.out, ran.recorder.links)


def _quantised(ran: Ran, value: Value) -> Value:
    levels = activation_levels(ran.module, ran.given, ran.result)
    if levels is None:
        raise NotTraceableError("its levels are not evenly spaced, rounded to the nearest and the "
                                "same for all data")
    return _rounded(ran, value, levels, layer_of(ran.path))


def _delayed(ran: Ran, value: Value) -> Value:
    """Each channel later by its own number of steps."""
    features = value.features
    if value.dims[-1] != (Axis("T", len(value.exprs)),) or not features:
        raise NotTraceableError("a delay of something else than a series of steps", True)
    channels = np.broadcast_to(steps_of_delay(ran.module), features[:1])
    if channels.max() >= len(value.exprs):
        raise NotTraceableError(f"a delay of {int(channels.max())} steps, and the sample has "
                                f"{len(value.exprs)}")
    parts = []
    for steps in np.unique(channels):
        part = value
        if np.any(channels != steps):
            kept = (channels == steps).astype(np.float32).reshape(-1, *[1] * (len(features) - 1))
            key = ("delay", ran.path, int(steps))
            link = ran.recorder.links.setdefault(
                key, Link(Scale(factor=kept, in_shape=features), ran.path))
            part = value.then(link, value.dims)
        silent = (Expr((), np.zeros(())),) * int(steps)
        parts.append((*silent, *part.exprs)[: len(value.exprs)])
    exprs = tuple(reduce(Expr.plus, each) for each in zip(*parts, strict=True))
    return Value(value.dims, exprs)


def _levelled(ran: Ran, value: Value) -> Value:
    return _rounded(ran, value, ran.module.levels(), ran.path)


def _rounded(ran: Ran, value: Value, levels: Levels, name: str) -> Value:
    """`value` behind a population of those `levels`."""
    if torch.any(levels.low > 0) or torch.any(levels.high < 0):
        raise NotTraceableError("its levels do not lie around 0")

    def over_features(tensor: torch.Tensor) -> Array:
        flat = constant_expr(tensor.expand(ran.given.shape), value.dims).bias.astype("float32")
        same = flat.reshape(-1)[:1].reshape(())
        return same if (flat == same).all() else flat.reshape(value.features)

    neuron = Activation(low=over_features(levels.low), high=over_features(levels.high),
                        step_size=over_features(levels.size))
    spikes = function_of_spikes(
        Call("quantise", None, (ran.given,), {}, ran.out, ran.recorder), value,
        lambda level: torch.from_numpy(neuron.of(
            level.numpy().reshape(value.features if level.dim() else ())).reshape(level.shape)))
    if spikes is not None:
        return spikes
    return activate(ran.recorder, name, value, neuron, (ran.given, ran.out))
