"""Matrix products, convolutions, pooling and batch normalisation as linear maps."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import nn

from nmcompile.frontends.tracing.elementwise import constant_expr
from nmcompile.frontends.tracing.generic import apply_probed
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.values import (
    Axis,
    Expr,
    Link,
    NotTraceableError,
    Value,
    is_features,
)
from nmcompile.ir.maps import Conv, Dense, LinearMap, Scale, from_matrix, pool
from nmcompile.ir.neurons.base import Array


def _matrix_product(call: Call) -> Result:
    """mm(x, w), addmm(b, x, w): weights (n_in, n_out) on the last axis of x."""
    added = call.name == "addmm"
    x, weight = call.args[1:3] if added else call.args[:2]
    value = call.value(x)
    if value is None or call.value(weight) is not None:
        return apply_probed(call, call.tracked()[0][1])
    if call.kwargs.get("alpha", 1) != 1 or call.kwargs.get("beta", 1) != 1:
        raise NotTraceableError("addmm with alpha or beta")
    if not is_features(value.dims[-1]):
        raise NotTraceableError("a matrix product over samples or steps", True)
    dims = (*value.dims[:-1], (Axis("F", weight.shape[1]),))
    key = ("dense", value.features, call.recorder.key(weight))
    result = value.then(call.link(key, lambda: _dense(value, weight)), dims)
    return _biased(call, result, call.args[0]) if added else result


def _dense(value: Value, weight: torch.Tensor) -> LinearMap:
    n_in, n_out = weight.shape
    before = prod(value.features) // n_in
    matrix = np.ascontiguousarray(_array(weight).T)
    if before == 1:
        return Dense(weight=matrix, in_shape=(n_in,), out_shape=(n_out,))
    repeated = scipy.sparse.kron(scipy.sparse.eye_array(before), matrix.T, format="csr")
    return from_matrix(scipy.sparse.csr_array(repeated.astype(np.float32)), (before, n_in),
                       (before, n_out))


def _biased(call: Call, value: Value, bias: torch.Tensor) -> Value:
    if call.value(bias) is not None:
        raise NotTraceableError("a bias that depends on spikes")
    added = constant_expr(bias.expand(call.out.shape), value.dims)
    return value.each(lambda expr: expr.plus(added))


def _convolution(call: Call) -> Result:
    """aten.convolution(x, weight, bias, stride, padding, dilation, transposed, _, groups)."""
    x, weight, bias, stride, padding, dilation, transposed, _, groups = call.args
    value = call.value(x)
    if value is None or call.value(weight) is not None:
        raise NotTraceableError("a kernel that depends on spikes")
    if len(x.shape) != weight.dim() or not all(map(is_features, value.dims[1:])):
        raise NotTraceableError("a convolution over samples or steps", True)
    if transposed or weight.dim() > 4:
        return apply_probed(call, value)
    shape = tuple(prod(a.size for a in dim) for dim in value.dims[1:])
    key = ("conv", shape, call.recorder.key(weight), *map(tuple, (stride, padding, dilation)),
           groups)
    flat = weight.dim() == 3

    def build() -> LinearMap:
        kernel = _array(weight)
        return Conv(
            weight=kernel[:, :, None] if flat else kernel,
            in_shape=(shape[0], 1, shape[1]) if flat else (shape[0], shape[1], shape[2]),
            stride=_pair(stride, 1), padding=_pair(padding, 0), dilation=_pair(dilation, 1),
            groups=groups,
        )

    dims = (value.dims[0], *((Axis("F", n),) for n in call.out.shape[1:]))
    result = value.then(call.link(key, build), dims)
    if bias is None:
        return result
    return _biased(call, result, bias.reshape(1, -1, *[1] * (x.dim() - 2)))


def _pair(values: list[int], first: int) -> tuple[int, int]:
    return (first, values[0]) if len(values) == 1 else (values[0], values[1])


def _average_pool(call: Call) -> Result:
    value = _features_behind_first(call)
    kernel = call.args[1]
    stride = call.argument(2, "stride", None) or kernel
    padding = call.argument(3, "padding", (0, 0))
    ceil, counted = call.argument(4, "ceil_mode", False), call.argument(5, "", True)
    if ceil or call.argument(6, "", None) or (any(padding) and not counted):
        return apply_probed(call, value)
    return _pooled(call, value, _two(kernel), _two(stride), _two(padding))


def _adaptive_pool(call: Call) -> Result:
    value = _features_behind_first(call)
    heights, widths = call.args[0].shape[-2:], call.out.shape[-2:]
    if any(n % m for n, m in zip(heights, widths, strict=True)):
        return apply_probed(call, value)
    kernel = (heights[0] // widths[0], heights[1] // widths[1])
    return _pooled(call, value, kernel, kernel, (0, 0))


def _pooled(
    call: Call, value: Value, kernel: tuple[int, int], stride: tuple[int, int],
    padding: tuple[int, int],
) -> Value:
    height, width = call.args[0].shape[-2:]
    channels = prod(value.features) // (height * width)
    shape = (channels, height, width)
    dims = (*value.dims[:-2], *((Axis("F", n),) for n in call.out.shape[-2:]))
    return value.then(
        call.link(("pool", shape, kernel, stride, padding),
                  lambda: pool(shape, kernel, stride, padding, average=True)), dims)


def _max_pool(call: Call) -> Result:
    """Max pooling of spikes, which is 1 where any spike of the window is."""
    value = _features_behind_first(call)
    flat = call.name == "max_pool1d"
    kernel = call.args[1]
    stride = call.argument(2, "stride", None) or kernel
    padding, dilation = call.argument(3, "padding", [0]), call.argument(4, "dilation", [1])
    if any(n != 1 for n in dilation) or call.argument(5, "ceil_mode", False):
        raise NotTraceableError("max pooling with dilation or ceil_mode")
    height, width = (1 if flat else call.args[0].shape[-2]), call.args[0].shape[-1]
    return _any_in_window(call, value, (height, width), (
        _pair(kernel, 1), _pair(stride, 1), _pair(padding, 0)) if flat else (
        _two(kernel), _two(stride), _two(padding)))


def _adaptive_max_pool(call: Call) -> Result:
    value = _features_behind_first(call)
    before, after = call.args[0].shape[-2:], call.out[0].shape[-2:]
    if any(n % m for n, m in zip(before, after, strict=True)):
        raise NotTraceableError("adaptive max pooling with windows of several sizes")
    kernel = (before[0] // after[0], before[1] // after[1])
    return _any_in_window(call, value, tuple(before), (kernel, kernel, (0, 0)))


def _any_in_window(
    call: Call, value: Value, plane: tuple[int, ...], window: tuple[tuple[int, int], ...]
) -> Result:
    height, width = plane
    shape = (prod(value.features) // (height * width), height, width)
    kernel, stride, padding = window
    link = call.link(("any", shape, *window),
                     lambda: pool(shape, kernel, stride, padding, average=False))
    out = call.out[0] if isinstance(call.out, tuple) else call.out
    behind = 1 if call.name == "max_pool1d" else 2
    dims = (*value.dims[:-behind], *((Axis("F", n),) for n in out.shape[-behind:]))
    features = tuple(a.size for dim in dims for a in dim if a.tag == "F")
    result = Value(dims, call.recorder.any_of(call, value, link, features))
    return [result, None] if isinstance(call.out, tuple) else result


def is_sum_pool(module: nn.Module) -> bool:
    """True for LPPool2d of order 1, which torch computes with a sign and a magnitude."""
    return isinstance(module, nn.LPPool2d) and module.norm_type == 1 and not module.ceil_mode


def sum_pool(
    module: Any, path: str, value: Value, out: torch.Tensor, links: dict[Hashable, Link]
) -> Value:
    """`value` after a sum over the windows of `module`, which gave `out`."""
    if not all(map(is_features, value.dims[-2:])):
        raise NotTraceableError("pooling over samples or steps", True)
    height, width = (prod(a.size for a in dim) for dim in value.dims[-2:])
    shape = (prod(value.features) // (height * width), height, width)
    kernel = _both(module.kernel_size)
    stride = kernel if module.stride is None else _both(module.stride)
    dims = (*value.dims[:-2], *((Axis("F", n),) for n in out.shape[-2:]))
    key = ("sum pool", shape, kernel, stride)
    if key not in links:
        links[key] = Link(pool(shape, kernel, stride, (0, 0), average=False), path)
    return value.then(links[key], dims)


def _both(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _features_behind_first(call: Call) -> Value:
    value = call.value(call.args[0])
    pooled = 1 if call.name == "max_pool1d" else 2
    if value is None or not all(map(is_features, value.dims[-pooled:])):
        raise NotTraceableError("pooling over samples or steps", True)
    return value


def _two(values: list[int]) -> tuple[int, int]:
    return (values[0], values[-1])


def _batch_norm(call: Call) -> Result:
    """(x - mean) / sqrt(var + eps) * weight + bias, per channel on axis 1."""
    x, weight, bias, mean, variance = call.args[:5]
    eps = call.args[7] if call.name == "native_batch_norm" else call.args[6]
    if call.name == "native_batch_norm" and call.args[5]:
        raise NotTraceableError("statistics of the batch; use track_running_stats=True")
    value = call.value(x)
    if value is None or len(value.dims) < 2 or not all(map(is_features, value.dims[1:])):
        raise NotTraceableError("batch normalisation over samples or steps", True)
    inverse = 1 / np.sqrt(_array(variance, np.float64) + eps)
    factor = inverse if weight is None else inverse * _array(weight, np.float64)
    shift = -_array(mean, np.float64) * factor
    shift = shift if bias is None else shift + _array(bias, np.float64)
    shape = tuple(prod(a.size for a in dim) for dim in value.dims[1:])
    aligned = (-1, *[1] * (len(shape) - 1))
    factor = factor.astype(np.float32).reshape(aligned)
    link = call.link(("scale", shape, factor.tobytes()),
                     lambda: Scale(factor=factor, in_shape=shape))
    constant = np.broadcast_to(shift.reshape(aligned), shape).reshape(-1)
    scaled = value.then(link, value.dims)
    shifted = scaled.each(lambda expr: Expr(expr.terms, expr.bias + constant))
    return [replace(shifted, dims=value.dims), None, None]


def _array(tensor: torch.Tensor, dtype: type = np.float32) -> Array:
    return tensor.detach().numpy().astype(dtype)


LAYERS: Handlers = {
    "mm": _matrix_product, "addmm": _matrix_product, "convolution": _convolution,
    "avg_pool2d": _average_pool, "_adaptive_avg_pool2d": _adaptive_pool,
    **dict.fromkeys(("max_pool1d", "max_pool2d_with_indices"), _max_pool),
    "adaptive_max_pool2d": _adaptive_max_pool,
    "native_batch_norm": _batch_norm, "_native_batch_norm_legit_no_training": _batch_norm,
}
