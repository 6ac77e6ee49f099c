"""Operations that move, split, join and sum axes, among them those of samples and steps."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise

import torch

from nmcompile.frontends.tracing.elementwise import constant_expr, scaled
from nmcompile.frontends.tracing.generic import apply_probed
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.selections import cut
from nmcompile.frontends.tracing.values import (
    Axis,
    Dims,
    Expr,
    NotTraceableError,
    Value,
    holds,
    is_features,
    of_one_step,
    regroup,
    size_of,
    sizes_of,
)
from nmcompile.frontends.tracing.writes import WRITES

STEPS = "T"


def _reshape(call: Call) -> Result:
    value = _first(call)
    try:
        return replace(value, dims=regroup(value.dims, call.out.shape))
    except NotTraceableError:
        if (Axis(STEPS, 1),) not in value.dims:
            raise
        return replace(value, dims=regroup(of_one_step(value).dims, call.out.shape))


def _permute(call: Call) -> Result:
    value = _first(call)
    order = _order(call, len(value.dims))
    dims = tuple(value.dims[i] for i in order)
    featured = [i for i in range(len(order)) if any(a.size > 1 for a in value.dims[i]
                                                    if a.tag == "F")]
    moved = [featured.index(i) for i in order if i in featured]
    if moved == sorted(moved):
        return replace(value, dims=dims)
    if any(not is_features(value.dims[i]) for i in featured):
        raise NotTraceableError("a permutation of axes that mix samples and features", True)
    return _permuted_features(call, value, moved, dims)


def _permuted_features(call: Call, value: Value, moved: list[int], dims: Dims) -> Value:
    """The value with its feature axes in the order `moved`, and then its axes as `dims`."""
    ordered = tuple(d for d in value.dims if is_features(d) and size_of(d) > 1)
    source = replace(value, dims=((Axis("B", 2),), *ordered))
    probed = apply_probed(
        call, source, lambda x: x.permute(0, *[i + 1 for i in moved]), ("permute", tuple(moved)),
    )
    return replace(probed, dims=dims)


def _order(call: Call, n: int) -> list[int]:
    if call.name == "t":
        return list(range(n))[::-1]
    if call.name == "transpose":
        order, (a, b) = list(range(n)), (call.args[1] % n, call.args[2] % n)
        order[a], order[b] = order[b], order[a]
        return order
    return [int(i) % n for i in call.args[1]]


def _select(call: Call) -> Result:
    value, dim, index = _first(call), call.argument(1, "dim"), call.argument(2, "index")
    dim %= len(value.dims)
    call.recorder.parents[call.out] = call.args[0]
    if not _is_steps(value.dims[dim]):
        return _features_only(call, value, dim, index)
    rest = value.dims[:dim] + value.dims[dim + 1 :]
    return Value(rest, (value.exprs[index],))


def _slice(call: Call) -> Result:
    value, dim = _first(call), call.argument(1, "dim", 0)
    dim %= len(value.dims)
    if tuple(call.out.shape) == tuple(call.args[0].shape):
        return value
    call.recorder.parents[call.out] = call.args[0]
    places = slice(*(call.argument(i, name, default) for i, name, default in
                     ((2, "start", None), (3, "end", None), (4, "step", 1))))
    if not _is_steps(value.dims[dim]):
        return _features_only(call, value, dim, places)
    exprs = value.exprs[places]
    dims = (*value.dims[:dim], (Axis(STEPS, len(exprs)),), *value.dims[dim + 1 :])
    return Value(dims, exprs)


def _unbind(call: Call) -> Result:
    value, dim = _first(call), call.argument(1, "dim", 0) % len(_first(call).dims)
    rest = value.dims[:dim] + value.dims[dim + 1 :]
    if _is_steps(value.dims[dim]):
        return [Value(rest, (expr,)) for expr in value.exprs]
    return [_features_only(call, value, dim, i) for i in range(len(call.out))]


def _split(call: Call) -> Result:
    value, dim = _first(call), call.argument(2, "dim", 0) % len(_first(call).dims)
    sizes, results, start = [out.shape[dim] for out in call.out], [], 0
    for size in sizes:
        if _is_steps(value.dims[dim]):
            dims = (*value.dims[:dim], (Axis(STEPS, size),), *value.dims[dim + 1 :])
            results.append(Value(dims, value.exprs[start : start + size]))
        else:
            results.append(_features_only(call, value, dim, slice(start, start + size)))
        start += size
    return list(results)


def _stack(call: Call) -> Result:
    dim = call.argument(1, "dim", 0) % call.out.dim()
    return _joined(call, call.args[0], dim, new_axis=True)


def _cat(call: Call) -> Result:
    tensors = [t for t in call.args[0] if t.dim() != 1 or len(t)]
    dim = call.argument(1, "dim", 0) % call.out.dim()
    return _joined(call, tensors, dim, new_axis=False)


def _joined(call: Call, tensors: list[torch.Tensor], dim: int, new_axis: bool) -> Value:
    values = [_value_or_constant(call, tensors, tensor) for tensor in tensors]
    over_time = _over_time(values, dim, new_axis)
    if over_time is not None:
        return over_time
    if any(not is_features(v.dims[dim]) for v in values if dim < len(v.dims) and not new_axis):
        raise NotTraceableError("it joins samples or steps", True)
    parts = []
    for position, value in enumerate(values):
        def place(x: torch.Tensor, position: int = position) -> torch.Tensor:
            pieces = [torch.zeros_like(t) for t in tensors]
            pieces[position] = x
            joined: torch.Tensor = call.function(pieces, dim)
            return joined
        sizes = tuple(tuple(t.shape) for t in tensors)
        parts.append(apply_probed(call, value, place, ("join", call.name, dim, position, sizes)))
    return reduce(add_values, parts)


def _value_or_constant(call: Call, tensors: list[torch.Tensor], tensor: torch.Tensor) -> Value:
    known = call.value(tensor)
    if known is not None:
        return known
    model = next(v for v in map(call.value, tensors) if v is not None)
    if len(model.dims) != tensor.dim():
        raise NotTraceableError("it joins tensors with different axes", True)
    dims = tuple(
        dim if not is_features(dim) else (Axis("F", size),)
        for dim, size in zip(model.dims, tensor.shape, strict=True)
    )
    return Value(dims, (constant_expr(tensor, dims),) * len(model.exprs))


def _over_time(values: list[Value], dim: int, new_axis: bool) -> Value | None:
    """The values joined to a time axis, if they come from one step after the other."""
    first = values[0]
    if not new_axis and all(_is_steps(v.dims[dim]) for v in values):
        exprs = tuple(expr for v in values for expr in v.exprs)
        return Value(_with(first.dims, dim, (Axis(STEPS, len(exprs)),), False), exprs)
    if any(len(v.exprs) != 1 or v.dims != first.dims for v in values):
        return None
    if not new_axis and (first.dims[dim] != (Axis("F", 1),) or len(values) == 1):
        return None
    steps = [v.exprs[0].last_step() for v in values]
    known = [step for step in steps if step >= 0]
    if known != steps[-len(known):] or any(b <= a for a, b in pairwise(known)):
        return None
    if len(known) == 1 < len(steps) - 1:
        return None  # features, one of which is no constant
    axis = (Axis(STEPS, len(values)),)
    return Value(_with(first.dims, dim, axis, new_axis), tuple(v.exprs[0] for v in values))


def _with(dims: Dims, position: int, axis: tuple[Axis, ...], new: bool) -> Dims:
    return (*dims[:position], axis, *dims[position + (0 if new else 1) :])


def add_values(a: Value, b: Value) -> Value:
    """The sum of two values with the same axes."""
    if a.dims != b.dims:
        raise NotTraceableError("a sum of tensors with different axes", True)
    pairs = zip(a.exprs, b.exprs, strict=True)
    return Value(a.dims, tuple(x.plus(y) for x, y in pairs))


def _sum(call: Call) -> Result:
    value = _first(call)
    listed = call.argument(1, "dim", None)
    n = len(value.dims)
    wanted = range(n) if listed is None or listed == [] else (
        [listed] if isinstance(listed, int) else listed)
    dims = {int(d) % n for d in wanted}
    if not any(holds(value.dims[d], STEPS) for d in dims):
        return _over_features(call, value, dims)
    if any(not _is_steps(value.dims[d]) for d in dims):
        raise NotTraceableError("it sums over samples or over steps and features together", True)
    total = reduce(Expr.plus, value.exprs)
    keep = bool(call.argument(2, "keepdim", False))
    rest = tuple((Axis("F", 1),) if i in dims else d for i, d in enumerate(value.dims)
                 if keep or i not in dims)
    summed = Value(rest, (total,))
    if call.name == "mean":
        return scaled(call, summed, 1 / len(value.exprs))
    return summed


def _over_features(call: Call, value: Value, dims: set[int]) -> Result:
    """A sum or mean that no step takes part in; axes behind those summed over move up."""
    if call.argument(2, "keepdim", False) or not all(is_features(value.dims[d]) for d in dims):
        return apply_probed(call, value)
    function, axes = getattr(torch, call.name), tuple(sorted(dims))
    kept = apply_probed(call, value, lambda x: function(x, axes, keepdim=True), axes)
    return Value(tuple(dim for i, dim in enumerate(kept.dims) if i not in dims), kept.exprs)


def _expand(call: Call) -> Result:
    value, shape = _first(call), tuple(call.out.shape)
    if shape == tuple(call.args[0].shape):
        return value
    new = len(shape) - len(value.dims)
    if new == 1 and shape[1:] == tuple(call.args[0].shape) and len(value.exprs) == 1:
        return Value(((Axis(STEPS, shape[0]),), *value.dims), value.exprs * shape[0])
    return _repeated_steps(value, shape) or apply_probed(call, value)


def _repeat(call: Call) -> Result:
    """repeat(x, repeats), which is an expansion where only axes of one element are repeated."""
    before, repeats = tuple(call.args[0].shape), tuple(call.args[1])
    padded = (1,) * (len(repeats) - len(before)) + before
    if any(n > 1 and size > 1 for n, size in zip(repeats, padded, strict=True)):
        return apply_probed(call, _first(call))
    return _expand(call)


def _repeated_steps(value: Value, shape: tuple[int, ...]) -> Value | None:
    """A static value expanded along one free axis that stands beside that of the samples."""
    sizes = sizes_of(value.dims)
    grown = [i for i, (old, new) in enumerate(zip(sizes, shape, strict=False)) if old != new]
    if len(shape) != len(sizes) or len(grown) != 1 or len(value.exprs) != 1:
        return None
    (dim,) = grown
    if dim > 1 or not value.is_static() or not is_features(value.dims[dim]):
        return None
    return Value(_with(value.dims, dim, (Axis(STEPS, shape[dim]),), False),
                 value.exprs * shape[dim])


def _is_steps(dim: tuple[Axis, ...]) -> bool:
    return len(dim) == 1 and dim[0].tag == STEPS


def _features_only(call: Call, value: Value, dim: int, place: slice | int) -> Value:
    if not is_features(value.dims[dim]):
        raise NotTraceableError("it picks single samples", True)
    if any(holds(d, "F") and not is_features(d) for d in value.dims):
        raise NotTraceableError("samples or steps and features are one axis", True)
    return cut(call, value, (*[slice(None)] * dim, place,
                             *[slice(None)] * (len(value.dims) - dim - 1)))


def _first(call: Call) -> Value:
    value = call.value(call.args[0])
    if value is None:
        raise NotTraceableError("it is not linear in its first argument")
    return value


def _same(call: Call) -> Result:
    if isinstance(call.out, torch.Tensor) and not call.out.is_floating_point():
        raise NotTraceableError(f"a conversion to {call.out.dtype}")
    return _first(call)


RESHAPES = ("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "_reshape_alias", "flatten",
            "unflatten", "squeeze_", "unsqueeze_")
COPIES = ("alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh", "detach_", "to")

AXIS_OPERATIONS: Handlers = {
    **dict.fromkeys(RESHAPES, _reshape),
    **dict.fromkeys(COPIES, _same),
    **dict.fromkeys(("permute", "transpose", "t"), _permute),
    "select": _select, "slice": _slice, "unbind": _unbind, "stack": _stack, "cat": _cat,
    "split": _split, "split_with_sizes": _split, "sum": _sum, "mean": _sum, "expand": _expand,
    "repeat": _repeat, **WRITES,
}
