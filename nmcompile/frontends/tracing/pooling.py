"""Average and sum pooling as linear maps, max pooling of spikes as neurons."""

from __future__ import annotations

from collections.abc import Hashable
from math import prod
from typing import Any

import torch
from torch import nn

from nmcompile.frontends.tracing.activations import is_graded, largest_of
from nmcompile.frontends.tracing.any_of import any_of
from nmcompile.frontends.tracing.generic import apply_probed
from nmcompile.frontends.tracing.recorder import Call, Handlers, Known, Result
from nmcompile.frontends.tracing.values import (
    Axis,
    Dims,
    Link,
    NotTraceableError,
    Value,
    is_features,
)
from nmcompile.ir.maps import pool

Pair = tuple[int, int]


class Window:
    """Windows of `kernel` at every `stride` over the last axes of `value`, one or two of them.

    shape  (channels, rows, columns) of what they lie over
    dims   axes of the result, whose last sizes are those of `out`
    """

    def __init__(
        self, value: Value, out: torch.Tensor, kernel: Any, stride: Any, padding: Any,
        axes: int = 2,
    ) -> None:
        if not all(map(is_features, value.dims[-axes:])):
            raise NotTraceableError("pooling over samples or steps", True)
        plane = [prod(a.size for a in dim) for dim in value.dims[-axes:]]
        rows = plane[0] if axes == 2 else 1
        self.shape = (prod(value.features) // (rows * plane[-1]), rows, plane[-1])
        self.kernel, self.stride = _pair(kernel, 1, axes), _pair(stride or kernel, 1, axes)
        self.padding = _pair(padding, 0, axes)
        behind = tuple((Axis("F", n),) for n in out.shape[-axes:])
        self.dims: Dims = (*value.dims[:-axes], *behind)

    def link(self, links: dict[Hashable, Link], module: str, average: bool) -> Link:
        """The mean or the sum of each window, made once for each module."""
        key = ("pool", module, self.shape, self.kernel, self.stride, self.padding, average)
        if key not in links:
            links[key] = Link(
                pool(self.shape, self.kernel, self.stride, self.padding, average), module)
        return links[key]


def _pair(size: Any, first: int, axes: int) -> Pair:
    numbers = (size,) if isinstance(size, int) else tuple(int(n) for n in size)
    return (numbers[0] if axes == 2 else first, numbers[-1])


def _value(call: Call) -> Value:
    value = call.value(call.args[0])
    if value is None:
        raise NotTraceableError("pooling over samples or steps", True)
    return value


def _averages(call: Call, window: Window) -> Result:
    link = window.link(call.recorder.links, call.recorder.module(), average=True)
    return _value(call).then(link, window.dims)


def _average_pool(call: Call) -> Result:
    kernel, padding = call.args[1], call.argument(3, "padding", (0, 0))
    ceil, counted = call.argument(4, "ceil_mode", False), call.argument(5, "", True)
    window = Window(_value(call), call.out, kernel, call.argument(2, "stride", None), padding)
    if ceil or call.argument(6, "", None) or (any(padding) and not counted):
        return apply_probed(call, _value(call))
    return _averages(call, window)


def _even(call: Call, out: torch.Tensor) -> Window | None:
    """The windows of an adaptive pooling; None where they are of several sizes."""
    before, after = call.args[0].shape[-2:], out.shape[-2:]
    kernel = [n // m for n, m in zip(before, after, strict=True)]
    window = Window(_value(call), out, kernel, kernel, (0, 0))
    return None if any(n % m for n, m in zip(before, after, strict=True)) else window


def _adaptive_pool(call: Call) -> Result:
    window = _even(call, call.out)
    return apply_probed(call, _value(call)) if window is None else _averages(call, window)


def _max_pool(call: Call) -> Result:
    """Max pooling of spikes, which is 1 where any spike of the window is."""
    flat = call.name == "max_pool1d"
    padding, dilation = call.argument(3, "padding", [0]), call.argument(4, "dilation", [1])
    out = call.out if flat else call.out[0]
    window = Window(_value(call), out, call.args[1], call.argument(2, "stride", None), padding,
                    axes=1 if flat else 2)
    if any(n != 1 for n in dilation) or call.argument(5, "ceil_mode", False):
        raise NotTraceableError("max pooling with dilation or ceil_mode")
    largest = _largest(call, window, flat)
    return largest if flat else [largest, None]


def _adaptive_max_pool(call: Call) -> Result:
    window = _even(call, call.out[0])
    if window is None:
        raise NotTraceableError("adaptive max pooling with windows of several sizes")
    return [_largest(call, window), None]


def _largest(call: Call, window: Window, flat: bool = False) -> Known | None:
    """The largest of each window: neurons that fire with any spike, or ReLUs of differences."""
    if is_graded(call, _value(call)):
        kernel = (window.kernel, window.stride, window.padding)
        return largest_of(call, *kernel, flat)
    sums = window.link(call.recorder.links, call.recorder.module(), average=False)
    features = tuple(a.size for dim in window.dims for a in dim if a.tag == "F")
    return Value(window.dims, any_of(call, _value(call), sums, features))


def is_sum_pool(module: nn.Module) -> bool:
    """True for LPPool2d of order 1, which torch computes with a sign and a magnitude."""
    return isinstance(module, nn.LPPool2d) and module.norm_type == 1 and not module.ceil_mode


def sum_pool(
    module: Any, path: str, value: Value, out: torch.Tensor, links: dict[Hashable, Link]
) -> Value:
    """`value` after a sum over the windows of `module`, which gave `out`."""
    window = Window(value, out, module.kernel_size, module.stride, 0)
    return value.then(window.link(links, path, average=False), window.dims)


POOLING: Handlers = {
    "avg_pool2d": _average_pool, "_adaptive_avg_pool2d": _adaptive_pool,
    **dict.fromkeys(("max_pool1d", "max_pool2d_with_indices"), _max_pool),
    "adaptive_max_pool2d": _adaptive_max_pool,
}
