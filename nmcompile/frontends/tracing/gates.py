"""Gates: neurons without memory that fire where some or all of binary spikes are there."""

from __future__ import annotations

from itertools import count

import numpy as np
import torch

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.recorder import Call
from nmcompile.frontends.tracing.values import Expr, NotTraceableError, Value
from nmcompile.ir.neurons import LIF, Reset

GATE = LIF(decay=np.zeros((), np.float32), threshold=np.full((), 0.5, np.float32),
           reset=Reset.NONE)  # fires where a sum of bits and whole constants is 1 or more
SOME_STEPS = "a function of several spikes in some of the steps only"


def gate(call: Call, name: str, currents: Value, fired: torch.Tensor) -> Value:
    """The spikes of neurons that fire where `currents` is 1 or more and not where it is 0 or less.

    name   of the population, numbered where the place runs several times in a step
    fired  where they did in this run, with the axes of `currents`
    """
    steps = [expr.last_step() for expr in currents.exprs]
    shape = currents.features or (1,)
    node = _population(call.recorder.neurons, name, steps, shape)
    node.currents.extend(currents.exprs)
    node.record("spikes", fired.to(torch.float32), currents.dims)
    sent = node.sent("spikes", range(steps[0], steps[-1] + 1), call.recorder.links)
    return Value(currents.dims, sent)


def name_of_gate(call: Call, kinds: tuple[str, ...], operation: str) -> str:
    """The path of a module of `kinds`, the path and the operation for others."""
    path, kind = call.recorder.modules[-1] if call.recorder.modules else ("", "")
    return path if kind in kinds and path else f"{path}.{operation}" if path else operation


def _population(
    known: dict[str, Calls], name: str, steps: list[int], shape: tuple[int, ...]
) -> Calls:
    """The population of this place whose next step is the first of `steps`, or a new one."""
    if steps != list(range(steps[0], steps[0] + len(steps))):
        raise NotTraceableError(SOME_STEPS)
    for number in count(1):
        path = name if number == 1 else f"{name}_{number}"
        node = known.get(path)
        if node is None:
            break
        if node.described.neuron is GATE and node.shape == shape and (
                len(node.currents) == steps[0]):
            return node
    if steps[0]:
        raise NotTraceableError(SOME_STEPS)
    known[path] = Calls(path, Described(neuron=GATE), shape)
    return known[path]


def summed(value: Value, other: Value, constant: float) -> Value:
    """The sum of two values with the same axes, and a constant."""
    shift = Expr((), np.full((), constant))
    pairs = zip(value.exprs, other.exprs, strict=True)
    exprs = tuple(x.plus(y) for x, y in pairs)
    return Value(value.dims, tuple(e.plus(shift) for e in exprs) if constant else exprs)


