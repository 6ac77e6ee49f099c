"""Convolutions and shifts over the steps, whose results are connections with delays.

Each tap of a kernel is one with a delay of its own.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import scipy.sparse
import torch

from nmcompile.frontends.tracing.elementwise import constant_expr
from nmcompile.frontends.tracing.generic import fallback
from nmcompile.frontends.tracing.layers import LAYERS
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.values import (
    Axis,
    Expr,
    Link,
    NotTraceableError,
    Value,
    is_features,
    sizes_of,
)
from nmcompile.ir.maps import Conv, Dense, Grid, LinearMap, from_matrix

DENSE_FROM = 0.25  # a tap with this share of weights other than 0 is stored densely
NOTHING = Expr((), np.zeros(()))


def _over_steps(value: Value | None) -> bool:
    """True for (samples, channels, steps)."""
    return (value is not None and len(value.dims) == 3 and is_features(value.dims[1])
            and len(value.dims[2]) == 1 and value.dims[2][0].tag == "T")


def _convolution(call: Call) -> Result:
    value = call.value(call.args[0])
    weight = call.args[1]
    if value is not None and _beside_steps(value, weight):
        return _flat(call, value)
    if value is None or not _over_steps(value) or weight.dim() != 3:
        return LAYERS["convolution"](call)
    bias, stride, padding, dilation, transposed, _, groups = call.args[2:9]
    if call.value(weight) is not None or transposed or stride != [1]:
        raise NotTraceableError("a convolution over steps that is transposed or strided")
    around = (NOTHING,) * padding[0]
    exprs = (*around, *value.exprs, *around)
    taps = _taps(call, weight, groups)
    reach = dilation[0] * (weight.shape[2] - 1)
    if any(not any(e.terms for e in exprs[dilation[0] * k : len(exprs) - reach + dilation[0] * k])
           for k, _ in taps):
        raise NotTraceableError(f"a kernel that reaches beyond the sample's {_steps(value)} steps")
    result = tuple(
        reduce(Expr.plus, (exprs[step + dilation[0] * k].then(link) for k, link in taps), NOTHING)
        for step in range(len(exprs) - reach)
    )
    dims = (value.dims[0], (Axis("F", len(weight)),), (Axis("T", len(result)),))
    found = Value(dims, result)
    if bias is None:
        return found
    added = constant_expr(bias.reshape(1, -1, 1).expand(call.out.shape), dims)
    return found.each(lambda expr: expr.plus(added))


def _steps(value: Value) -> int:
    return sum(bool(expr.terms) for expr in value.exprs)


def _beside_steps(value: Value, weight: torch.Tensor) -> bool:
    """True for (samples, channels, rows, columns, steps) and a kernel of one step."""
    return (weight.dim() == 5 and weight.shape[4] == 1 and len(value.dims) == 5
            and all(map(is_features, value.dims[1:4]))
            and value.dims[4] == (Axis("T", len(value.exprs)),))


def _flat(call: Call, value: Value) -> Result:
    """A convolution over rows and columns of each step; one position of its kernel is a matrix."""
    weight, bias, stride, padding, dilation, transposed, _, groups = call.args[1:9]
    if bias is not None or transposed or (stride[2], padding[2]) != (1, 0):
        return fallback(call)
    kernel = weight[..., 0]
    shape = sizes_of(value.dims[1:4])
    grid = _grid(call, weight)
    key = ("beside", shape, call.recorder.key(weight), *map(tuple, (stride, padding, dilation)),
           groups)

    def build() -> LinearMap:
        values = np.ascontiguousarray(kernel.detach().numpy(), np.float32)
        if groups == 1 and kernel.shape[2:] == shape[1:] and not any(padding):
            return Dense(weight=values.reshape(len(values), -1), in_shape=shape,
                         out_shape=(len(values),), grid=grid)
        return Conv(weight=values, in_shape=(shape[0], shape[1], shape[2]), groups=groups,
                    stride=(stride[0], stride[1]), padding=(padding[0], padding[1]),
                    dilation=(dilation[0], dilation[1]), grid=grid)

    sizes = call.out.shape[1:4]
    dims = (value.dims[0], *((Axis("F", size),) for size in sizes), value.dims[4])
    return value.then(call.link(key, build), dims)


def _grid(call: Call, weight: torch.Tensor) -> Grid | None:
    """The grid of 8-bit weights that the running module has rounded."""
    step = call.recorder.steps.get(call.recorder.module())
    if step is None:
        return None
    levels = (weight / step).detach()
    if torch.any(levels != torch.round(levels)) or levels.min() < -128 or levels.max() > 127:
        return None
    return Grid(step=np.full((), step, np.float32), bits=8)


def _taps(call: Call, weight: torch.Tensor, groups: int) -> list[tuple[int, Link]]:
    """The taps that have weights other than 0, and their maps."""
    kernel = weight.detach().numpy()
    key = call.recorder.key(weight)
    return [
        (k, call.link(("tap", key, groups, k), lambda k=k: _tap(kernel[:, :, k], groups)))  # type: ignore[misc]
        for k in range(kernel.shape[2]) if np.any(kernel[:, :, k])
    ]


def _tap(weight: np.ndarray, groups: int) -> LinearMap:
    """One tap (n_out, n_in / groups) as a map."""
    n_out, per_group = weight.shape
    n_in = per_group * groups
    if groups == 1 and np.count_nonzero(weight) >= DENSE_FROM * weight.size:
        return Dense(weight=np.ascontiguousarray(weight, np.float32), in_shape=(n_in,),
                     out_shape=(n_out,))
    blocks = np.split(weight.astype(np.float32), groups)
    matrix = scipy.sparse.block_diag([block.T for block in blocks], format="csr")
    return from_matrix(scipy.sparse.csr_array(matrix), (n_in,), (n_out,))


def _padded(call: Call) -> Result:
    """Zeros before and after the steps."""
    value, pads = call.value(call.args[0]), call.args[1]
    if value is None or len(pads) != 2 or not _over_steps(value):
        return fallback(call)
    if call.argument(2, "value", 0) != 0:
        raise NotTraceableError("steps that are padded with something else than zeros")
    if min(pads) < 0:
        raise NotTraceableError("steps that are cut by a negative padding")
    exprs = ((NOTHING,) * pads[0] + value.exprs + (NOTHING,) * pads[1])
    return Value((*value.dims[:2], (Axis("T", len(exprs)),)), exprs)


def _roll(call: Call) -> Result:
    """A shift along the steps takes other steps; the last ones come round to the front."""
    value, shifts = call.value(call.args[0]), call.args[1]
    dims = call.argument(2, "dims", [])
    steps = None if value is None else (Axis("T", len(value.exprs)),)
    if value is None or len(dims) != 1 or value.dims[dims[0] % len(value.dims)] != steps:
        return fallback(call)
    first = -shifts[0] % len(value.exprs)
    return Value(value.dims, value.exprs[first:] + value.exprs[:first])


TIME_KERNELS: Handlers = {
    "convolution": _convolution, "constant_pad_nd": _padded, "roll": _roll,
}
