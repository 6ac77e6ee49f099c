"""Matrix products, convolutions and batch normalisation as linear maps."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import scipy.sparse
import torch

from nmcompile.frontends.tracing.elementwise import constant_expr
from nmcompile.frontends.tracing.generic import apply_probed
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.values import (
    Axis,
    Expr,
    NotTraceableError,
    Value,
    is_features,
    sizes_of,
)
from nmcompile.ir.maps import Conv, Dense, Grid, LinearMap, Scale, from_matrix
from nmcompile.ir.neurons.base import Array

MAX_SYNAPSES = 1 << 27  # of a layer that is repeated at each position of its features


def _matrix_product(call: Call) -> Result:
    """mm(x, w), addmm(b, x, w): weights (n_in, n_out) on the last axis of x."""
    added = call.name == "addmm"
    x, weight = call.args[1:3] if added else call.args[:2]
    value = call.value(x)
    if value is None or call.value(weight) is not None or weight.layout != torch.strided:
        return apply_probed(call, call.tracked()[0][1])
    if call.kwargs.get("alpha", 1) != 1 or call.kwargs.get("beta", 1) != 1:
        raise NotTraceableError("addmm with alpha or beta")
    if not is_features(value.dims[-1]):
        raise NotTraceableError("a matrix product over samples or steps", True)
    dims = (*value.dims[:-1], (Axis("F", weight.shape[1]),))
    key = ("dense", value.features, call.recorder.key(weight))
    grid = call.recorder.grid(weight.t())
    result = value.then(call.link(key, lambda: _dense(value, weight, grid)), dims)
    return _biased(call, result, call.args[0]) if added else result


def _batched_product(call: Call) -> Result:
    """bmm(a, b) with a constant that is the same for every sample, or for the one batch."""
    a, b = call.args[:2]
    left, right = call.value(a), call.value(b)
    if left is not None and right is None and len(b) == 1 and is_features(left.dims[-1]):
        weight, dims = b[0], (*left.dims[:-1], (Axis("F", b.shape[2]),))
        key = ("dense", left.features, call.recorder.key(weight))
        return left.then(call.link(key, lambda: _dense(left, weight, None)), dims)
    constant = b if left is not None else a
    value = left if left is not None else right
    if value is None or (left is not None and right is not None) or not torch.equal(
            constant, constant[:1].expand_as(constant)):
        raise NotTraceableError("a product of two tensors that depend on spikes")
    first = constant[0]
    function = (lambda x: x @ first) if left is not None else (lambda x: first @ x)
    return apply_probed(call, value, function, ("bmm", call.recorder.key(first)))


def _dense(value: Value, weight: torch.Tensor, grid: Grid | None) -> LinearMap:
    n_in, n_out = weight.shape
    before = prod(value.features) // n_in
    matrix = np.ascontiguousarray(_array(weight).T)
    if before == 1:
        return Dense(weight=matrix, in_shape=(n_in,), out_shape=(n_out,), grid=grid)
    if before * weight.numel() > MAX_SYNAPSES:
        raise NotTraceableError(f"it makes more than {MAX_SYNAPSES:,} synapses")
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
    if len(x.shape) != weight.dim() or not _is_of_features(value):
        raise NotTraceableError("a convolution over samples or steps", True)
    if transposed or weight.dim() > 4:
        return apply_probed(call, value)
    shape = sizes_of(value.dims[1:])
    key = ("conv", shape, call.recorder.key(weight), *map(tuple, (stride, padding, dilation)),
           groups)
    flat = weight.dim() == 3

    def build() -> LinearMap:
        kernel, grid = _array(weight), call.recorder.grid(weight)
        if flat and grid is not None and grid.step.ndim == 3:
            grid = replace(grid, step=grid.step[:, :, None])
        return Conv(
            weight=kernel[:, :, None] if flat else kernel, grid=grid,
            in_shape=(shape[0], 1, shape[1]) if flat else (shape[0], shape[1], shape[2]),
            stride=_pair(stride, 1), padding=_pair(padding, 0), dilation=_pair(dilation, 1),
            groups=groups,
        )

    dims = (value.dims[0], *((Axis("F", n),) for n in call.out.shape[1:]))
    result = value.then(call.link(key, build), dims)
    if bias is None:
        return result
    return _biased(call, result, bias.reshape(1, -1, *[1] * (x.dim() - 2)))


def _is_of_features(value: Value) -> bool:
    """True where the features are the axes behind the first, and no part of that."""
    return all(map(is_features, value.dims[1:])) and all(
        axis.tag != "F" or axis.size == 1 for axis in value.dims[0])


def _pair(values: list[int], first: int) -> tuple[int, int]:
    return (first, values[0]) if len(values) == 1 else (values[0], values[1])


def _batch_norm(call: Call) -> Result:
    """(x - mean) / sqrt(var + eps) * weight + bias, per channel on axis 1."""
    x, weight, bias, mean, variance = call.args[:5]
    eps = call.args[7] if call.name == "native_batch_norm" else call.args[6]
    if call.name == "native_batch_norm" and call.args[5]:
        raise NotTraceableError("statistics of the batch; use track_running_stats=True")
    value = call.value(x)
    if value is None or len(value.dims) < 2 or not _is_of_features(value):
        raise NotTraceableError("batch normalisation over samples or steps", True)
    inverse = 1 / np.sqrt(_array(variance, np.float64) + eps)
    factor = inverse if weight is None else inverse * _array(weight, np.float64)
    shift = -_array(mean, np.float64) * factor
    shift = shift if bias is None else shift + _array(bias, np.float64)
    shape = sizes_of(value.dims[1:])
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
    "mm": _matrix_product, "addmm": _matrix_product, "bmm": _batched_product,
    "convolution": _convolution, "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
}
