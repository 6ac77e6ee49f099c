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
from torch import nn

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.recorder import Call, Handlers, Known, Recorder, Result
from nmcompile.frontends.tracing.values import (
    Expr,
    NotTraceableError,
    Opaque,
    Term,
    Value,
)
from nmcompile.ir.neurons import Activation

MODULES = ("ReLU", "ReLU6", "Hardtanh", "LeakyReLU", "PReLU", "Hardsigmoid", "MaxPool1d",
           "MaxPool2d", "AdaptiveMaxPool2d", "Relu", "Clip", "LeakyRelu", "PRelu", "HardSigmoid",
           "MaxPool", "GlobalMaxPool", "Abs", "Max", "Min")  # of torch, then of ONNX
OTHERS = ("sigmoid", "tanh", "elu", "gelu", "silu", "softplus", "hardswish", "mish", "exp", "selu",
          "celu", "log_sigmoid_forward", "erf")
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

    An activation f never falls: f(clip(x, l, h)) = clip(f(x), f(l), f(h)).
    """
    terms = [term for expr in value.exprs for term in expr.terms]
    node = recorder.neurons.get(terms[0].source)
    if node is None or any(len(e.terms) != 1 or np.any(e.bias) for e in value.exprs) or any(
            t.links or t.source != node.path for t in terms):
        return None
    first = node.described.neuron
    if not isinstance(first, Activation) or np.any(first.step_size):
        return None
    low, high = neuron.of(first.low), neuron.of(first.high)
    if np.any(low > 0) or np.any(high < 0):
        return None
    currents = tuple(node.currents[0 if node.static else t.step or 0] for t in terms)
    return Value(value.dims, currents), replace(neuron, low=low, high=high)


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
        return _traced(call, lambda x: torch.clamp(x - shift, low - shift, high - shift) + shift)
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


def _traced(
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
        return _traced(call, lambda x, w: w * x + (1 - w) * torch.relu(x), slope)
    return _traced(call, lambda x: slope * x + (1 - slope) * torch.relu(x))


def _larger(call: Call) -> Result:
    """max(a, b) = relu(a - b) + b, min(a, b) = a - relu(a - b)."""
    if call.name == "minimum":
        return _traced(call, lambda a, b: a - torch.relu(a - b), call.args[1])
    return _traced(call, lambda a, b: torch.relu(a - b) + b, call.args[1])


def largest_of(call: Call, kernel: tuple[int, int], stride: tuple[int, int],
               padding: tuple[int, int], flat: bool) -> Known | None:
    """Max pooling of values as ReLUs of differences, first along columns and then along rows.

    Where no value is below 0, one more ReLU holds the result, so that what follows has one source.
    flat  true where the tensor has one axis to pool
    """
    positive = _never_negative(call)
    if any(padding) and not positive:
        raise NotTraceableError("max pooling with padding of values that may be negative")

    def pooled(x: torch.Tensor) -> torch.Tensor:
        planes = x.unsqueeze(-2) if flat else x
        planes = nn.functional.pad(planes, (padding[1], padding[1], padding[0], padding[0]))
        for axis in (-1, -2):
            parts = _shifted(planes, axis, kernel[axis], stride[axis])
            while len(parts) > 1:
                parts = [reduce(torch.maximum, parts[i : i + 2]) for i in range(0, len(parts), 2)]
            planes = parts[0]
        planes = torch.relu(planes) if positive else planes
        return planes.squeeze(-2) if flat else planes

    return _traced(call, pooled)


def _shifted(x: torch.Tensor, axis: int, kernel: int, stride: int) -> list[torch.Tensor]:
    """The first, second, ... element of each window along `axis`."""
    reach = (x.shape[axis] - kernel) // stride * stride + 1
    places = [slice(None)] * x.dim()
    parts = []
    for first in range(kernel):
        places[axis] = slice(first, first + reach, stride)
        parts.append(x[tuple(places)])
    return parts


def is_graded(call: Call, value: Value) -> bool:
    """True where all that `value` depends on sends graded values."""
    sources = {term.source for expr in value.exprs for term in expr.terms}
    known = call.recorder.neurons
    return all(s in known and known[s].described.neuron.graded for s in sources)


def _never_negative(call: Call) -> bool:
    value = call.value(call.args[0])
    assert value is not None
    terms = [term for expr in value.exprs for term in expr.terms]
    neurons = [call.recorder.neurons[term.source].described.neuron for term in terms]
    return (
        all(isinstance(n, Activation) and np.all(n.low >= 0) for n in neurons)
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
    "round": _round,
    "abs": lambda call: _traced(call, lambda x: 2 * torch.relu(x) - x),
    "hardsigmoid": lambda call: _traced(call, lambda x: torch.clamp(x / 6 + 0.5, 0.0, 1.0)),
    **dict.fromkeys(("maximum", "minimum"), _larger),
    **dict.fromkeys(OTHERS, _other),
}
