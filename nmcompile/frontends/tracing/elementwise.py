"""Sums, differences and constant factors."""

from __future__ import annotations

import numpy as np
import torch

from nmcompile.frontends.tracing.generic import apply_probed
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.selections import grown, together
from nmcompile.frontends.tracing.values import (
    Axis,
    Dims,
    Expr,
    NotTraceableError,
    Value,
    of_one_step,
    sizes_of,
)
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons.base import Array


def _add(call: Call) -> Result:
    """The sum a + alpha b; sub and rsub bring their own signs."""
    alpha = float(call.argument(2, "alpha", 1))
    first, second = call.args[:2]
    factors = {"add": (1.0, alpha), "sub": (1.0, -alpha), "rsub": (-alpha, 1.0)}
    factor_a, factor_b = factors[call.name.rstrip("_")]
    a, b = call.value(first), call.value(second)
    if isinstance(a, Value) and isinstance(b, Value):
        left, right = scaled(call, a, factor_a), scaled(call, b, factor_b)
        return _sum_of_values(call, left, right)
    if isinstance(a, Value):
        return _plus_constant(call, scaled(call, a, factor_a), second, factor_b)
    assert isinstance(b, Value)
    return _plus_constant(call, scaled(call, b, factor_b), call.constant(first), factor_a)


def _sum_of_values(call: Call, a: Value, b: Value) -> Value:
    if a.dims != b.dims and (one := (of_one_step(a), of_one_step(b)))[0].dims == one[1].dims:
        a, b = one
    if a.features != b.features or _tags(a) != _tags(b):
        a, b = together(call, a, b)
    pairs = zip(a.exprs, b.exprs, strict=True)
    return Value(a.dims, tuple(x.plus(y) for x, y in pairs))


def _tags(value: Value) -> list[list[str]]:
    return [[x.tag for x in dim if x.size > 1 or x.tag != "F"] for dim in value.dims]


def _plus_constant(call: Call, value: Value, constant: object, factor: float) -> Value:
    tensor = torch.as_tensor(constant, dtype=torch.float64) * factor
    if not torch.any(tensor) and tuple(call.out.shape) == sizes_of(value.dims):
        return value
    if tuple(call.out.shape) != sizes_of(value.dims):
        value = grown(call, value)
    added = constant_expr(tensor.expand(call.out.shape), value.dims)
    return value.each(lambda expr: expr.plus(added))


def _multiply(call: Call) -> Result:
    a, b = call.value(call.args[0]), call.value(call.args[1])
    if a is not None and b is not None:
        raise NotTraceableError("a product of two tensors that depend on spikes")
    if a is None and call.name.startswith("div"):
        raise NotTraceableError("a division by a tensor that depends on spikes")
    if call.kwargs.get("rounding_mode"):
        raise NotTraceableError("a division that rounds")
    value = a if a is not None else b
    assert value is not None
    constant = torch.as_tensor(call.args[1] if a is not None else call.constant(call.args[0]),
                               dtype=torch.float64)
    factor = 1 / constant if call.name.startswith("div") else constant
    if tuple(call.out.shape) != sizes_of(value.dims):
        return apply_probed(call, value)
    flat = constant_expr(factor.expand(call.out.shape), value.dims).bias
    return scaled(call, value, flat)


def _negate(call: Call) -> Result:
    value = call.value(call.args[0])
    assert value is not None
    return scaled(call, value, -1.0)


def scaled(call: Call, value: Value, factor: Array | float) -> Value:
    """`value` times a scalar or a flat array of its features."""
    factors = np.asarray(factor, np.float32)
    if factors.size and np.all(factors == factors.flat[0]):
        factors = factors.reshape(-1)[:1].reshape(())
    if factors.ndim == 0 and factors == 1:
        return value
    shape = value.features or (1,)
    shaped = factors.reshape(shape) if factors.ndim else factors
    key = ("scale", shape, factors.tobytes())
    return value.then(call.link(key, lambda: Scale(factor=shaped, in_shape=shape)), value.dims)


def constant_expr(tensor: torch.Tensor, dims: Dims) -> Expr:
    """A constant of the axes `dims` as a bias; it must not differ between samples or steps."""
    for index, dim in enumerate(dims):
        if tensor.stride(index) == 0 and all(axis.tag != "F" for axis in dim):
            tensor = tensor.narrow(index, 0, 1)  # one of what was repeated
            dims = (*dims[:index], tuple(Axis(a.tag, 1) for a in dim), *dims[index + 1 :])
    atoms = [axis for dim in dims for axis in dim]
    spread = tensor.detach().reshape([axis.size for axis in atoms])
    for index, axis in enumerate(atoms):
        if axis.tag != "F":
            first = spread.narrow(index, 0, 1)
            if not _equal(first.expand_as(spread), spread):
                raise NotTraceableError("a constant that differs between samples or steps")
            spread = first
    flat = spread.to(torch.float64).numpy().reshape(-1)
    return Expr((), flat if np.any(flat) else np.zeros(()))


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether all numbers are equal, or both are none."""
    return torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())  # noqa: PLR0124


def _dropout(call: Call) -> Result:
    """Dropout in evaluation is the identity; in training it is refused."""
    value = call.value(call.args[0])
    if call.argument(2, "train", True):
        raise NotTraceableError("dropout in training mode")
    return [value, None]


ELEMENTWISE: Handlers = {
    **dict.fromkeys(("add", "add_", "sub", "sub_", "rsub"), _add),
    **dict.fromkeys(("mul", "mul_", "div", "div_"), _multiply),
    "neg": _negate, "native_dropout": _dropout,
}
