"""The largest, the smallest, any and all along axes of features: gates, or ReLUs of differences."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch

from nmcompile.frontends.tracing.activations import are_values, traced
from nmcompile.frontends.tracing.binary import Bits, bits, laid_out
from nmcompile.frontends.tracing.elementwise import scaled
from nmcompile.frontends.tracing.gates import gate, name_of_gate
from nmcompile.frontends.tracing.generic import apply_probed
from nmcompile.frontends.tracing.recorder import Call, Handlers, Known, Result
from nmcompile.frontends.tracing.values import Expr, NotTraceableError, Value, is_features
from nmcompile.ir.neurons.base import Array

POOLS = ("MaxPool1d", "MaxPool2d", "MaxPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
         "AdaptiveMaxPool3d")
ONLY_SPIKES = ("it is taken of something else than the spikes of one layer or the activations of "
               "an artificial network")
WHICH = "which of them it is"


def extreme_of_bits(
    call: Call, found: Bits, sums: Callable[[Value], Value], count: Array | int, largest: bool
) -> Value:
    """The largest or smallest of each group of binary spikes, as the spikes of gates.

    sums   the sum over each group
    count  spikes of each group, a flat array or a number
    """
    quiet, fired = np.unique(found.quiet), np.unique(found.fired)
    if len(quiet) != 1 or len(fired) != 1 or quiet == fired:
        raise NotTraceableError("it is taken of spikes that differ in size")
    total = sums(found.spikes(call))
    every = (fired > quiet) != largest
    if every:
        total = total.each(lambda e: Expr(e.terms, e.bias + 1 - count))
    out = call.out[0] if isinstance(call.out, tuple) else call.out
    middle = laid_out((quiet + fired) / 2, total.dims)
    seen = (out.to(torch.float64) - middle) * float(fired[0] - quiet[0]) > 0
    source = found.value.exprs[0].terms[0].source
    name = name_of_gate(call, POOLS, "all" if every else "any")
    if name in ("any", "all"):
        name = f"{source}.{name}"
    spikes = scaled(call, gate(call, name, total, seen), fired[0] - quiet[0])
    return spikes.each(lambda e: Expr(e.terms, e.bias + quiet[0]))


def _along(call: Call, value: Value) -> list[int]:
    """The axes of features that `call` reduces, from the last to the first."""
    listed = call.argument(1, "dim", None)
    n = len(value.dims)
    wanted = listed if isinstance(listed, list | tuple) else [] if listed is None else [listed]
    axes = sorted({int(d) % n for d in wanted}, reverse=True) or list(range(n))[::-1]
    if not all(is_features(value.dims[i]) for i in axes):
        raise NotTraceableError("it is taken over samples or steps", True)
    return axes


def _extreme(largest: bool, default: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
             ) -> Callable[[Call], Result]:
    def handle(call: Call) -> Result:
        value = call.value(call.args[0])
        if value is None or (len(call.args) > 1 and isinstance(call.args[1], torch.Tensor)):
            raise NotTraceableError(ONLY_SPIKES)
        axes, keep = _along(call, value), bool(call.argument(2, "keepdim", False))
        found = bits(call, value)
        result: Known | None = None
        if found is not None:
            result = _gated(call, found, axes, keep, largest)
        elif are_values(call, value):
            result = traced(call, lambda x: _folded(x, axes, keep, default))
        if result is None:
            raise NotTraceableError(ONLY_SPIKES)
        if isinstance(call.out, torch.Tensor):
            return result
        return [result, call.recorder.opaque(NotTraceableError(WHICH), [value], call.name)]
    return handle


def _gated(call: Call, found: Bits, axes: list[int], keep: bool, largest: bool) -> Value:
    count = int(np.prod([call.args[0].shape[i] for i in axes]))

    def sums(spikes: Value) -> Value:
        return apply_probed(call, spikes, lambda x: x.sum(axes, keepdim=keep),
                            ("sum of a group", *axes, keep))

    return extreme_of_bits(call, found, sums, count, largest)


def _folded(
    x: torch.Tensor, axes: list[int], keep: bool,
    larger: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    for axis in axes:
        parts = list(x.unbind(axis))
        while len(parts) > 1:
            parts = [reduce(larger, parts[i : i + 2]) for i in range(0, len(parts), 2)]
        x = parts[0].unsqueeze(axis) if keep else parts[0]
    return x


def _truth(largest: bool) -> Callable[[Call], Result]:
    """Any and all, which ask whether values are something else than 0."""
    def handle(call: Call) -> Known | None:
        more: list[Any] = [call.argument(1, "dim", None), bool(call.argument(2, "keepdim", False))]
        dim = list(range(call.args[0].dim())) if more[0] is None else more[0]

        def run(x: torch.Tensor) -> torch.Tensor:
            there = (x != 0).to(torch.float32)
            return there.amax(dim, more[1]) if largest else there.amin(dim, more[1])

        return traced(call, run)
    return handle


def _product(call: Call) -> Result:
    """The product of spikes that are 0 or 1."""
    value = call.value(call.args[0])
    found = None if value is None else bits(call, value)
    if found is None or np.any(found.quiet) or np.any(found.fired != 1):
        raise NotTraceableError("a product of something else than spikes of 0 and 1")
    return _extreme(False, torch.minimum)(call)


EXTREMES: Handlers = {
    **dict.fromkeys(("amax", "max"), _extreme(True, torch.maximum)),
    **dict.fromkeys(("amin", "min"), _extreme(False, torch.minimum)),
    "any": _truth(True), "all": _truth(False), "prod": _product,
}
