"""Convolutions over the steps: each tap of the kernel is a connection with a delay of its own."""

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
)
from nmcompile.ir.maps import Dense, LinearMap, from_matrix

DENSE_FROM = 0.25  # a tap with this share of weights other than 0 is stored densely
NOTHING = Expr((), np.zeros(()))


def _over_steps(value: Value | None) -> bool:
    """True for (samples, channels, steps)."""
    return (value is not None and len(value.dims) == 3 and is_features(value.dims[1])
            and len(value.dims[2]) == 1 and value.dims[2][0].tag == "T")


def _convolution(call: Call) -> Result:
    value = call.value(call.args[0])
    weight = call.args[1]
    if value is None or not _over_steps(value) or weight.dim() != 3:
        return LAYERS["convolution"](call)
    bias, stride, padding, dilation, transposed, _, groups = call.args[2:9]
    if call.value(weight) is not None or transposed or stride != [1]:
        raise NotTraceableError("a convolution over steps that is transposed or strided")
    around = (NOTHING,) * padding[0]
    exprs = (*around, *value.exprs, *around)
    taps = _taps(call, weight, groups)
    reach = dilation[0] * (weight.shape[2] - 1)
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


TIME_KERNELS: Handlers = {"convolution": _convolution, "constant_pad_nd": _padded}
