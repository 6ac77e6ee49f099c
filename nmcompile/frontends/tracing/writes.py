"""Values that are written into a part of a tensor: whole steps, or slices of its features."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import torch

from nmcompile.frontends.tracing.binary import levels
from nmcompile.frontends.tracing.elementwise import constant_expr
from nmcompile.frontends.tracing.recorder import Call, Handlers, Result
from nmcompile.frontends.tracing.selections import (
    Places,
    dims_within,
    grown,
    placed,
    positions_of,
    spread,
    without_lost,
)
from nmcompile.frontends.tracing.values import (
    Axis,
    Dims,
    NotTraceableError,
    Opaque,
    Value,
    holds,
    is_features,
    sizes_of,
)
from nmcompile.ir.maps import Scale

PARTS = ("values are written into a part of a tensor that is no slice of it; collect the steps in "
         "a list and use torch.stack")
STEPS = "T"


def _copied(call: Call) -> Result:
    """copy_ of a whole tensor, of one or more steps, or of slices of features."""
    target, source = call.args[:2]
    value = call.value(source)
    if value is not None and not target.is_floating_point():
        _require_whole(call, value, target)
    if target._base is None:
        return _of_constant(call) if value is None else grown(call, value)
    return _written(call, target, value)


def _require_whole(call: Call, value: Value, target: torch.Tensor) -> None:
    """Raise where `target`, of whole numbers, may not hold `value` as it is."""
    two = levels(call, value)
    if two is None or any(np.any(level != torch.from_numpy(level).to(target.dtype).numpy())
                          for level in two):
        raise NotTraceableError(f"values are rounded to {target.dtype}")


def _filled(call: Call) -> Result:
    """fill_ or zero_ of a tensor, or of a part of one."""
    if any(call.recorder.known(number) is not None for number in call.args[1:]):
        raise NotTraceableError("it is filled with a number that depends on spikes")
    target = call.args[0]
    return _of_constant(call) if target._base is None else _written(call, target, None)


def _of_constant(call: Call) -> Value:
    """What has just been written, as a constant of the axes that the tensor had."""
    before = call.value(call.args[0])
    if before is None:
        raise NotTraceableError(PARTS)
    constant = constant_expr(call.out, before.dims)
    return Value(before.dims, (constant,) * len(before.exprs))


def _written(call: Call, target: torch.Tensor, value: Value | None) -> Value:
    """`value`, None for a constant, in that part of a tensor which `target` is.

    The tensor is the one that `target` was taken from, and the one that holds the memory of both.
    """
    value = _of_constant(call) if value is None else value
    parents = call.recorder.parents
    parent = parents[target] if target in parents else None
    for whole in dict.fromkeys((parent, target._base)):
        if whole is not None and not _into_steps(call, whole, target, value):
            value = _into_features(call, whole, target, value)
    return value


def _into_steps(
    call: Call, whole: torch.Tensor, target: torch.Tensor, value: Value
) -> bool:
    """Note what is written into one or more steps of `whole`; False where it is something else.

    A slice of one element behind the samples of a constant is taken for step 0 in step 0 only:
    where it collects steps, that one came first.
    """
    if tuple(target.shape) != sizes_of(value.dims):
        return False
    before = call.recorder.known(whole)
    span, place = (None if found is None or (
        isinstance(before, Value) and is_features(before.dims[found[0]])) else found
        for found in (_span(whole, target), _place(whole, target)))
    if span is not None and _is_step(value, span, before is None):
        _collect(call, whole, span, value, new=False)
        return True
    if place is None or len(value.exprs) != 1:
        return False
    _collect(call, whole, place, value, new=True)
    return True


def _is_step(value: Value, span: tuple[int, int], first: bool) -> bool:
    axis, start = span
    if value.dims[axis] == (Axis(STEPS, len(value.exprs)),):
        return True
    behind = any(holds(dim, "B") for dim in value.dims[:axis])
    return (value.dims[axis] == (Axis("F", 1),) and value.exprs[0].last_step() == start
            and not (first and behind and start))


def _into_features(
    call: Call, whole: torch.Tensor, target: torch.Tensor, value: Value
) -> Value:
    """Note what is written into slices of the features of `whole`; gives what is written."""
    places, before = _places(whole, target), call.recorder.known(whole)
    if places is None or isinstance(before, Opaque):
        raise NotTraceableError(PARTS)
    dims = before.dims if before is not None else _dims_around(whole, places, value)
    part = dims_within(dims, places)
    value = spread(call, value, part)
    positions = positions_of(dims, places)
    new = placed(call, value, positions, dims)
    if before is None:
        rest = whole.clone()
        rest[places] = 0
        before = Value(dims, (constant_expr(rest, dims),) * len(value.exprs))
    else:
        shape = before.features or (1,)
        factor = np.ones(prod(shape), np.float32)
        factor[positions] = 0
        before = without_lost(before.then(call.link(("kept", shape, positions.tobytes()), lambda: (
            Scale(factor=factor.reshape(shape), in_shape=shape))), dims))
    pairs = zip(before.exprs, new.exprs, strict=True)
    call.recorder.mark(whole, Value(dims, tuple(x.plus(y) for x, y in pairs)), written=True)
    return value


def _places(whole: torch.Tensor, part: torch.Tensor) -> Places | None:
    """The index whose part of `whole` is `part`; None where there is none."""
    offset, axis = int(part.storage_offset()) - int(whole.storage_offset()), 0
    places: list[slice | int] = []
    if offset < 0 or not whole.is_contiguous():
        return None
    for size, stride in zip(whole.shape, whole.stride(), strict=True):
        start, offset = divmod(offset, stride)
        step = part.stride(axis) // stride if axis < part.dim() else 0
        if step and part.stride(axis) % stride == 0 and (
                start + step * (part.shape[axis] - 1) < size):
            places.append(slice(start, start + step * (part.shape[axis] - 1) + 1, step))
            axis += 1
        else:
            places.append(start)
    try:
        same = whole[tuple(places)]
    except IndexError:
        return None
    alike = same.shape == part.shape and same.storage_offset() == part.storage_offset() and all(
        a == b for a, b, n in zip(same.stride(), part.stride(), part.shape, strict=True) if n > 1)
    return tuple(places) if alike else None


def _dims_around(whole: torch.Tensor, places: Places, value: Value) -> Dims:
    """The axes of `whole`, a constant of which `value` becomes a part."""
    wanted = sum(isinstance(place, slice) for place in places)
    own = list(((Axis("F", 1),),) * (wanted - len(value.dims)) + value.dims)
    dims = []
    for size, place in zip(whole.shape, places, strict=True):
        dim = own.pop(0) if isinstance(place, slice) else (Axis("F", size),)
        dims.append((Axis("F", size),) if is_features(dim) else dim)
    return tuple(dims)


def _span(base: torch.Tensor, part: torch.Tensor) -> tuple[int, int] | None:
    """(axis, start) where `part` is a slice of `base` along one axis."""
    if part.dim() != base.dim() or part.stride() != base.stride():
        return None
    shorter = [i for i, (a, b) in enumerate(zip(part.shape, base.shape, strict=True)) if a != b]
    offset = part.storage_offset() - base.storage_offset()
    if len(shorter) != 1 or offset % base.stride(shorter[0]):
        return None
    return shorter[0], offset // base.stride(shorter[0])


def _place(base: torch.Tensor, part: torch.Tensor) -> tuple[int, int] | None:
    """(axis, index) where `part` is base.select(axis, index)."""
    offset = part.storage_offset() - base.storage_offset()
    for axis, (size, stride) in enumerate(zip(base.shape, base.stride(), strict=True)):
        index = offset // stride
        if index < size and offset % stride == 0 and part.stride() == tuple(
            s for i, s in enumerate(base.stride()) if i != axis
        ) and part.shape == base.select(axis, index).shape:
            return axis, index
    return None


def _collect(
    call: Call, base: torch.Tensor, place: tuple[int, int], value: Value, new: bool
) -> None:
    """Note that some steps of `base` are now `value`; the other steps are what they were.

    place  the axis of the steps and the first of them; `new` where `value` lacks that axis
    """
    axis, index = place
    before = call.recorder.known(base)
    steps = (Axis(STEPS, base.shape[axis]),)
    dims = (*value.dims[:axis], steps, *value.dims[axis + (0 if new else 1) :])
    span = range(index, index + len(value.exprs))
    if isinstance(before, Value) and before.dims == dims:
        exprs = list(before.exprs)
    elif before is None:
        rest = (*dims[:axis], *dims[axis + 1 :])
        exprs = [value.exprs[0] if i in span else constant_expr(base.select(axis, i), rest)
                 for i in range(base.shape[axis])]
    else:
        raise NotTraceableError(PARTS)
    exprs[index : index + len(value.exprs)] = value.exprs
    call.recorder.mark(base, Value(dims, tuple(exprs)), written=True)


def with_views(handlers: Handlers) -> Handlers:
    """`handlers` after which what a tensor is a part of has changed with it."""
    def wrapped(handler: Callable[[Call], Result]) -> Callable[[Call], Result]:
        def handle(call: Call) -> Result:
            result = handler(call)
            for target in call.changed():
                if target._base is not None and isinstance(result, Value):
                    _written(call, target, result)
            return result
        return handle

    return {name: handler if name in WRITES else wrapped(handler)
            for name, handler in handlers.items()}


WRITES: Handlers = {"copy_": _copied, "fill_": _filled, "zero_": _filled}
