"""Values that are the binary spikes of one population, each element one neuron: logic on them.

A function of a spike is affine, f(s) = f(0) + (f(1) - f(0)) s. A product of two of them is a
neuron without memory that fires where both do.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import prod

import numpy as np
import torch

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.elementwise import scaled
from nmcompile.frontends.tracing.generic import fallback
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.values import Expr, NotTraceableError, Value
from nmcompile.ir.maps import Scale, Sparse
from nmcompile.ir.neurons import LIF, Reset
from nmcompile.ir.neurons.base import Array

FUNCTIONS = (
    "relu", "relu_", "clamp", "clamp_", "clamp_min", "clamp_max", "hardtanh", "leaky_relu", "abs",
    "sign", "sqrt", "pow", "exp", "sigmoid", "tanh", "elu", "gelu", "silu", "softplus", "hardswish",
    "hardsigmoid", "gt", "ge", "lt", "le", "eq", "ne", "logical_not", "bitwise_not", "round",
    "floor", "ceil",
)
BOTH = LIF(decay=np.zeros((), np.float32), threshold=np.full((), 0.5, np.float32),
           reset=Reset.NONE)  # fires where two literals, each 0 or 1, add up to 2, less 1


def levels(call: Call, value: Value) -> tuple[Array, Array] | None:
    """What each element of `value` is without and with a spike, as scalars or flat arrays.

    None where the elements are not single binary neurons, the same for every step.
    """
    first = value.exprs[0]
    if any(len(e.terms) != 1 for e in value.exprs) or first.terms[0].variable != "spikes":
        return None
    links = first.terms[0].links
    source = call.recorder.neurons.get(first.terms[0].source)
    if source is None or source.described.neuron.graded or getattr(
            source.described.neuron, "spikes_per_step", 1) > 1:
        return None
    if any(e.terms[0].links != links or e.terms[0].source != source.path
           or not np.array_equal(e.bias, first.bias) for e in value.exprs):
        return None
    gain = np.ones(())
    for link in links:
        linear = link.map
        if isinstance(linear, Scale):
            gain = gain * np.broadcast_to(linear.factor, linear.in_shape).reshape(-1)
        elif isinstance(linear, Sparse) and _selects(linear):
            gain = linear.apply(np.broadcast_to(gain, (1, prod(linear.in_shape))))[0]
        else:
            return None
    return first.bias, first.bias + gain


def _selects(linear: Sparse) -> bool:
    """True where each target has at most one source."""
    return len(np.unique(linear.target)) == len(linear.target)


def function_of_spikes(
    call: Call, value: Value, function: Callable[[torch.Tensor], torch.Tensor]
) -> Value | None:
    """`function`, which works on single elements, of binary spikes; None where they are others."""
    found = levels(call, value)
    if found is None:
        return None
    quiet, fired = (function(torch.tensor(level, dtype=torch.float32)).to(torch.float64).numpy()
                    for level in found)
    worth = found[1] - found[0]
    slope = np.divide(fired - quiet, worth, out=np.zeros_like(worth + fired), where=worth != 0)
    shift = quiet - slope * found[0]
    return scaled(call, value, slope).each(lambda e: Expr(e.terms, e.bias + shift))


def product(call: Call, a: Value, b: Value) -> Value:
    """The product of binary spikes, or of one less them: neurons that fire where both do."""
    of_a, of_b = _height(call, a), _height(call, b)
    if of_a is None or of_b is None or a.dims != b.dims:
        raise NotTraceableError("a product of two tensors that depend on spikes")
    path = call.recorder.module()
    steps = [max(x.last_step(), y.last_step()) for x, y in zip(a.exprs, b.exprs, strict=True)]
    node = _population(call.recorder.neurons, f"{path}.and" if path else "and", steps, a.features)
    literals = (scaled(call, v, 1 / h).exprs for v, h in ((a, of_a), (b, of_b)))
    less = Expr((), np.full((), -1.0))
    node.currents.extend(x.plus(y).plus(less) for x, y in zip(*literals, strict=True))
    node.record("spikes", (call.out != 0).to(torch.float32), a.dims)
    fired = Value(a.dims, node.sent("spikes", range(steps[0], steps[-1] + 1),
                                    call.recorder.links))
    return scaled(call, fired, of_a * of_b)


def _height(call: Call, value: Value) -> Array | None:
    """What `value` is where it is not 0; None where it has not two levels of which one is 0."""
    found = levels(call, value)
    if found is None:
        return None
    quiet, fired = found
    height = quiet + fired
    zero = not np.any(quiet) or not np.any(fired)
    return height if zero and np.all(height != 0) else None


def _population(
    known: dict[str, Calls], name: str, steps: list[int], shape: tuple[int, ...]
) -> Calls:
    """The population of this place whose next step is the first of `steps`, or a new one."""
    for number in count(1):
        path = name if number == 1 else f"{name}_{number}"
        node = known.setdefault(path, Calls(path, Described(neuron=BOTH), shape))
        if len(node.currents) == steps[0]:
            break
        if not node.currents:
            del known[path]
            raise NotTraceableError("a product of spikes in some of the steps only")
    if steps != list(range(steps[0], steps[0] + len(steps))):
        raise NotTraceableError("a product of spikes in some of the steps only")
    return node


def with_spikes(handlers: Handlers) -> Handlers:
    """`handlers` with those of elementwise functions and products first tried on binary spikes."""
    def tried(name: str) -> Callable[[Call], Result]:
        def handle(call: Call) -> Result:
            value = call.value(call.args[0])
            if value is not None and not any(isinstance(a, torch.Tensor) for a in call.args[1:]):
                found = function_of_spikes(call, value, lambda x: call.function(
                    x, *call.args[1:], **call.kwargs))
                if found is not None:
                    return found
            return handlers.get(name, fallback)(call)
        return handle

    def multiplied(name: str) -> Callable[[Call], Result]:
        def handle(call: Call) -> Result:
            a, b = call.value(call.args[0]), call.value(call.args[1])
            if a is not None and b is not None and call.args[0] is not call.out and (
                    levels(call, a) is not None and levels(call, b) is not None):
                return product(call, a, b)
            return handlers[name](call)
        return handle

    return {**handlers, **{name: tried(name) for name in FUNCTIONS},
            **{name: multiplied(name) for name in ("mul", "mul_")}}
