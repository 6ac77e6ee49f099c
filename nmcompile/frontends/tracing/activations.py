"""Activations of artificial networks: populations that send a graded value and keep nothing.

What can be said with a ReLU is: leaky_relu(x) = a x + (1 - a) relu(x), |x| = 2 relu(x) - x,
max(a, b) = relu(a - b) + b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from itertools import count
from math import inf
from typing import Any

import numpy as np
import torch

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.extent import MAX_RESULT
from nmcompile.frontends.tracing.generic import fallback
from nmcompile.frontends.tracing.recorder import Call, Handlers, Known, Recorder, Result
from nmcompile.frontends.tracing.values import (
    Expr,
    NotTraceableError,
    Opaque,
    Term,
    Value,
)
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import Activation
from nmcompile.ir.neurons.base import Array

MODULES = ("ReLU", "ReLU6", "Hardtanh", "LeakyReLU", "PReLU", "Hardsigmoid", "MaxPool1d",
           "MaxPool2d", "MaxPool3d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "Relu", "Clip",
           "LeakyRelu", "PRelu", "HardSigmoid", "MaxPool", "GlobalMaxPool", "Abs", "Max",
           "Min")  # of torch, then of ONNX
OTHERS = ("sigmoid", "tanh", "elu", "gelu", "silu", "softplus", "hardswish", "mish", "exp", "selu",
          "celu", "log_sigmoid_forward", "erf")
EDGE = 2.0**-20  # of a level: a value on the edge, and one so little below it, belong to the level
NEAREST = "it is no ReLU; ReLU, clamp, Hardtanh, LeakyReLU and quantised activations go in"


def activate(
    recorder: Recorder, name: str, value: Value, neuron: Activation,
    tensors: tuple[torch.Tensor | None, torch.Tensor],
) -> Value:
    """`value` behind `neuron`s, which become a population called `name` or one numbered after it.

    tensors  the values themselves before (None where they are gone) and after
    """
    if not value.exprs[0].terms:
        raise NotTraceableError("an activation of a constant")
    inner = _inner(recorder, value, neuron)
    if inner is not None:
        return activate(recorder, name, inner[0], inner[1], (None, tensors[1]))
    static = value.is_static()
    if static and any(e.terms != value.exprs[0].terms for e in value.exprs):
        raise NotTraceableError("an activation of values that differ between steps")
    steps = [expr.last_step() for expr in value.exprs]
    node = _population(recorder.neurons, name, value, neuron)
    if not static and steps != list(range(len(node.currents), len(node.currents) + len(steps))):
        raise NotTraceableError("an activation in some of the steps only")
    if not (static and node.currents):
        node.currents.extend(value.exprs[:1] if static else value.exprs)
        before, after = tensors
        node.record("spikes", after, value.dims)
        if before is not None:
            node.record("v", before, value.dims)
    exprs = (Expr((Term(node.path, "spikes", None if static else step),), np.zeros(()))
             for step in steps)
    return Value(value.dims, tuple(exprs))


def _inner(
    recorder: Recorder, value: Value, neuron: Activation
) -> tuple[Value, Activation] | None:
    """What a plain activation whose result `value` is took, and both activations as one.

    An activation f never falls: f(c clip(x, l, h) + b) = clip(f(c x + b), f(c l + b), f(c h + b))
    for every c above 0.
    """
    terms = [term for expr in value.exprs for term in expr.terms]
    node, links = recorder.neurons.get(terms[0].source), terms[0].links
    if node is None or any(len(e.terms) != 1 for e in value.exprs) or any(
            t.links != links or t.source != node.path for t in terms):
        return None
    first = node.described.neuron
    scales = [link.map for link in links if isinstance(link.map, Scale)]
    if not isinstance(first, Activation) or np.any(first.step_size) or len(scales) < len(
            links) or any(np.any(scale.factor <= 0) for scale in scales):
        return None
    shift = value.exprs[0].bias
    if any(not np.array_equal(e.bias, shift) for e in value.exprs):
        return None
    gain = reduce(np.multiply, (scale.factor for scale in scales), np.ones((), np.float32))
    shift = shift.reshape(node.shape) if shift.ndim else shift
    low, high = (neuron.of((gain * bound + shift).astype(np.float32))
                 for bound in (first.low, first.high))
    if np.any(low > 0) or np.any(high < 0):
        return None
    currents = tuple(node.currents[0 if node.static else t.step or 0] for t in terms)
    for link in links:
        currents = tuple(current.then(link) for current in currents)
    moved = tuple(Expr(c.terms, c.bias + value.exprs[0].bias) for c in currents)
    return Value(value.dims, moved), replace(neuron, low=low, high=high)


def _population(
    known: dict[str, Calls], name: str, value: Value, neuron: Activation
) -> Calls:
    """The population whose next step this is, or a new one."""
    static, first = value.is_static(), value.exprs[0]
    for number in count(1):
        path = name if number == 1 else f"{name}_{number}"
        node = known.get(path)
        if node is None:
            shape = value.features or (1,)
            known[path] = Calls(path, Described(neuron=neuron), shape, static=static)
            return known[path]
        alike = _is_alike(node.described.neuron, neuron)
        same = alike and node.currents and node.currents[0].terms == first.terms and (
            np.array_equal(node.currents[0].bias, first.bias))
        if same if static else not node.static and len(node.currents) == first.last_step():
            if not alike:
                raise NotTraceableError("an activation whose bounds differ between steps")
            return node
    raise AssertionError


def _is_alike(first: object, second: Activation) -> bool:
    return isinstance(first, Activation) and all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("low", "high", "step_size"))


def name_of(recorder: Recorder, operation: str) -> str:
    """The module's path for an activation module, the path and the operation for a function."""
    path, kind = recorder.modules[-1] if recorder.modules else ("", "")
    operation = operation.strip("_")
    return path if kind in MODULES and path else f"{path}.{operation}" if path else operation


def _bounded(call: Call, low: float, high: float) -> Result:
    """clip(x, low, high) around 0; other bounds are reached by a shift."""
    value = call.value(call.args[0])
    if value is None or not low < high:
        raise NotTraceableError("bounds that depend on spikes or leave nothing")
    if _keeps_input(call, value):
        return value
    given = call.args[0]
    if not low <= 0 <= high:
        shift = low if low > 0 else high
        return traced(call, lambda x: torch.clamp(x - shift, low - shift, high - shift) + shift)
    neuron = Activation(low=np.full((), low, np.float32), high=np.full((), high, np.float32))
    before = None if given is call.out else given
    return activate(call.recorder, name_of(call.recorder, call.name), value, neuron,
                    (before, call.out))


def _keeps_input(call: Call, value: Value) -> bool:
    """True where a module that rounds what it is given leaves the sample as it is."""
    path, given = call.recorder.module(), call.args[0]
    sources = {term.source for expr in value.exprs for term in expr.terms}
    if path not in call.recorder.rounding or sources & call.recorder.neurons.keys():
        return False
    if given is call.out or not torch.equal(given, call.out):
        return False
    call.recorder.told[f"{path} rounds and bounds its input, which leaves the sample as it is; "
                       "other values are taken unrounded"] = None
    return True


def _round(call: Call) -> Result:
    """The nearest whole number, halves to the even one."""
    value = call.value(call.args[0])
    if value is None or call.kwargs.get("decimals", 0):
        raise NotTraceableError("rounding to decimals")
    if _keeps_input(call, value):
        return value
    neuron = Activation(low=np.full((), -inf, np.float32), step_size=np.ones((), np.float32))
    return activate(call.recorder, name_of(call.recorder, call.name), value, neuron,
                    (call.args[0], call.out))


def _floor(call: Call) -> Result:
    """The whole number below or above: rint(x - 1/2), where an edge still belongs to its level."""
    value, given = call.value(call.args[0]), call.args[0]
    if value is None or given is call.out:
        raise NotTraceableError("it changes a tensor in place")
    half = EDGE - 0.5 if call.name == "floor" else 0.5 - EDGE
    if not torch.equal(torch.round(given + half), call.out):
        raise NotTraceableError("values that lie on the edge between two levels")
    return traced(call, lambda x: torch.round(x + half))


def _chosen(call: Call) -> Result:
    """where(mask, x, y) as mask x + (1 - mask) y."""
    if len({id(tensor) for tensor, _ in call.tracked()}) == 1:
        return fallback(call)
    x, y = (part if isinstance(part, torch.Tensor) else torch.tensor(part)
            for part in call.args[1:3])

    def run(mask: torch.Tensor) -> torch.Tensor:
        there = mask.to(torch.float32)
        return there * x + (1 - there) * y

    return traced(call, run)


def traced(
    call: Call, function: Callable[..., torch.Tensor], *more: Any
) -> Known | None:
    """What `function` of the first argument is, found by running it under the recorder."""
    with call.recorder:
        result = function(call.args[0], *more)
    known = call.recorder.known(result)
    if isinstance(known, Opaque):
        raise NotTraceableError(known.error.what, known.mixes_axes)
    return known


def _number(bound: object, default: float) -> float:
    if isinstance(bound, torch.Tensor):
        if bound.numel() != 1:
            raise NotTraceableError("bounds that are tensors")
        return float(bound)
    return default if bound is None else float(bound)  # type: ignore[arg-type]


def _clamp(call: Call) -> Result:
    low, high = call.argument(1, "min"), call.argument(2, "max")
    if call.name.startswith("clamp_max"):
        low, high = None, call.argument(1, "max")
    return _bounded(call, _number(low, -inf), _number(high, inf))


def _hardtanh(call: Call) -> Result:
    return _bounded(call, call.argument(1, "min_val", -1.0), call.argument(2, "max_val", 1.0))


def _leaky(call: Call) -> Result:
    slope = call.argument(1, "negative_slope", 0.01)
    if call.args[0] is call.out:
        raise NotTraceableError("it changes a tensor in place")
    if call.name == "_prelu_kernel":
        return traced(call, lambda x, w: w * x + (1 - w) * torch.relu(x), slope)
    return traced(call, lambda x: slope * x + (1 - slope) * torch.relu(x))


def _larger(call: Call) -> Result:
    """max(a, b) = relu(a - b) + b, min(a, b) = a - relu(a - b)."""
    if call.name == "minimum":
        return traced(call, lambda a, b: a - torch.relu(a - b), call.args[1])
    return traced(call, lambda a, b: torch.relu(a - b) + b, call.args[1])


def largest_of(call: Call, windows: tuple[list[Array], ...]) -> Known | None:
    """Max pooling of values as ReLUs of differences, one axis after the other, the last one first.

    Where no value is below 0, one more ReLU holds the result, so that what follows has one source.
    windows  for each of the last axes the indices of the first, second, ... element of each window
    """
    positive = _never_negative(call)
    longest = max(sum(len(part) for part in parts) for parts in windows)
    if longest * call.args[0].numel() > MAX_RESULT:
        raise NotTraceableError("max pooling of windows too large to be followed")

    def pooled(x: torch.Tensor) -> torch.Tensor:
        for axis, indices in zip(range(-1, -1 - len(windows), -1), windows[::-1], strict=True):
            parts = [_at(x, axis, each) for each in indices]
            while len(parts) > 1:
                parts = [reduce(torch.maximum, parts[i : i + 2]) for i in range(0, len(parts), 2)]
            x = parts[0]
        return torch.relu(x) if positive else x

    return traced(call, pooled)


def _at(x: torch.Tensor, axis: int, indices: Array) -> torch.Tensor:
    """The elements at `indices`, as a slice where they are evenly spaced."""
    step = int(indices[1] - indices[0]) if len(indices) > 1 else 1
    if step > 0 and np.all(np.diff(indices) == step):
        places = [slice(None)] * x.dim()
        places[axis] = slice(int(indices[0]), int(indices[-1]) + 1, step)
        return x[tuple(places)]
    return x.index_select(axis, torch.from_numpy(indices))


def are_values(call: Call, value: Value) -> bool:
    """True where all that `value` depends on sends graded values, or never changes."""
    sources = {term.source for expr in value.exprs for term in expr.terms}
    known = call.recorder.neurons
    return all(known[s].described.neuron.graded if s in known else value.is_static()
               for s in sources)


def _never_negative(call: Call) -> bool:
    value = call.value(call.args[0])
    assert value is not None
    terms = [term for expr in value.exprs for term in expr.terms]
    nodes = [call.recorder.neurons.get(term.source) for term in terms]
    return (
        all(n and isinstance(n.described.neuron, Activation)
            and np.all(n.described.neuron.low >= 0) for n in nodes)
        and all(np.all(link.map.weights() >= 0) for term in terms for link in term.links)
        and all(np.all(expr.bias >= 0) for expr in value.exprs)
    )


def _other(call: Call) -> Result:
    raise NotTraceableError(NEAREST)


ACTIVATIONS: Handlers = {
    **dict.fromkeys(("relu", "relu_"), lambda call: _bounded(call, 0.0, inf)),
    **dict.fromkeys(("clamp", "clamp_", "clamp_min", "clamp_min_", "clamp_max", "clamp_max_"),
                    _clamp),
    **dict.fromkeys(("hardtanh", "hardtanh_"), _hardtanh),
    **dict.fromkeys(("leaky_relu", "leaky_relu_", "_prelu_kernel"), _leaky),
    "round": _round, **dict.fromkeys(("floor", "ceil"), _floor), "where": _chosen,
    "abs": lambda call: traced(call, lambda x: 2 * torch.relu(x) - x),
    "hardsigmoid": lambda call: traced(call, lambda x: torch.clamp(x / 6 + 0.5, 0.0, 1.0)),
    **dict.fromkeys(("maximum", "minimum"), _larger),
    **dict.fromkeys(OTHERS, _other),
}
