"""Average and sum pooling as linear maps, max pooling as gates or ReLUs."""

from __future__ import annotations

from collections.abc import Hashable
from functools import reduce
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.frontends.tracing.activations import are_values, largest_of
from nmcompile.frontends.tracing.binary import bits
from nmcompile.frontends.tracing.extremes import EXTREMES, extreme_of_bits
from nmcompile.frontends.tracing.generic import apply_probed
from nmcompile.frontends.tracing.recorder import Call, Handlers, Known, Result
from nmcompile.frontends.tracing.values import (
    Axis,
    Dims,
    Link,
    NotTraceableError,
    Opaque,
    Value,
    is_features,
    sizes_of,
)
from nmcompile.frontends.tracing.windows import (
    Windows,
    adaptive,
    by_position,
    regular,
    sum_over,
)
from nmcompile.ir.maps import pool

ONLY_SPIKES = ("max pooling of something else than the spikes of one layer; pool behind the "
               "neurons, or use average pooling")

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
        plane = sizes_of(value.dims[-axes:])
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
    """Max pooling along the last one, two or three axes."""
    axes = 1 if call.name == "max_pool1d" else int(call.name[8])
    sizes, counts = _planes(call, axes)
    kernel, stride, padding, dilation = (_each(n, axes) for n in (
        call.args[1], call.argument(2, "stride", None) or call.args[1],
        call.argument(3, "padding", 0), call.argument(4, "dilation", 1)))
    windows = tuple(map(regular, sizes, counts, kernel, stride, padding, dilation))
    plain = all(d == 1 for d in dilation) and not call.argument(5, "ceil_mode", False)
    largest = _largest(call, windows, (kernel, stride, padding) if plain else None)
    return largest if axes == 1 else [largest, _place(call)]


def _adaptive_max_pool(call: Call) -> Result:
    axes = int(call.name[17])
    sizes, counts = _planes(call, axes)
    windows = tuple(map(adaptive, sizes, counts))
    kernel = tuple(n // m for n, m in zip(sizes, counts, strict=True))
    even = all(n % m == 0 for n, m in zip(sizes, counts, strict=True))
    return [_largest(call, windows, (kernel, kernel, (0,) * axes) if even else None), _place(call)]


def _planes(call: Call, axes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes of the pooled axes before and after."""
    if not all(map(is_features, _value(call).dims[-axes:])):
        raise NotTraceableError("pooling over samples or steps", True)
    out = call.out[0] if isinstance(call.out, tuple) else call.out
    return tuple(call.args[0].shape[-axes:]), tuple(out.shape[-axes:])


def _each(size: Any, axes: int) -> tuple[int, ...]:
    numbers = (size,) if isinstance(size, int) else tuple(map(int, size))
    return numbers * axes if len(numbers) == 1 else numbers


def _place(call: Call) -> Opaque:
    """The indices that max pooling gives beside the values."""
    return call.recorder.opaque(NotTraceableError("where in a window the largest is"),
                                [_value(call)], call.name)


def _largest(
    call: Call, windows: tuple[Windows, ...], plain: tuple[tuple[int, ...], ...] | None
) -> Known | None:
    """The largest of each window: gates that fire with any spike, or ReLUs of differences.

    plain  kernel, stride and padding where these say all
    """
    value, axes = _value(call), len(windows)
    if are_values(call, value):
        return largest_of(call, tuple(map(by_position, windows)))
    found = bits(call, value)
    if found is None:
        raise NotTraceableError(ONLY_SPIKES)
    out = call.out[0] if isinstance(call.out, tuple) else call.out

    def sums(spikes: Value) -> Value:
        if plain is not None and axes < 3:
            window = Window(spikes, out, plain[0], plain[1], plain[2], axes)
            return spikes.then(window.link(call.recorder.links, call.recorder.module(), False),
                               window.dims)
        dims = (*value.dims[:-axes], *((Axis("F", len(w)),) for w in windows))
        shape = tuple(a.size for dim in dims for a in dim if a.tag == "F")
        sizes = tuple(call.args[0].shape[-axes:])
        return spikes.then(call.link(("windows", value.features, *map(tuple, windows)), lambda: (
            sum_over(windows, sizes, value.features, shape))), dims)

    each = reduce(np.multiply.outer, [np.array(list(map(len, w))) for w in windows]).reshape(-1)
    planes = prod(value.features) // prod(call.args[0].shape[-axes:])
    return extreme_of_bits(call, found, sums, np.tile(each, planes), largest=True)


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
    **dict.fromkeys(("max_pool1d", "max_pool2d_with_indices", "max_pool3d_with_indices"),
                    _max_pool),
    **dict.fromkeys(("adaptive_max_pool2d", "adaptive_max_pool3d"), _adaptive_max_pool),
    **EXTREMES,
}
