"""Operators of ONNX that move, select, join and make tensors."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nmcompile.errors import UnsupportedLayerError
from nmcompile.frontends.onnx_import.operator import Attributes, Operator
from nmcompile.frontends.onnx_import.tensors import FLOATS, INTEGERS


def listed(a: Attributes, tensor: Tensor | None, what: str) -> list[int]:
    """The whole numbers of a constant tensor."""
    if tensor is None or tensor.dtype.is_floating_point or tensor.dim() > 1:
        raise UnsupportedLayerError(a.name, f"its {what} are no list of whole numbers")
    return [int(n) for n in tensor.reshape(-1)]


def _given(a: Attributes, key: str, tensor: Tensor | None) -> list[int] | None:
    """Numbers that are an attribute in older opsets and an input in newer ones."""
    if tensor is not None:
        return listed(a, tensor, key)
    return a.numbers(key, []) if key in a.values else None


def _reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    """Reshape; a first size that is the file's own number of samples stands for all of them."""
    sizes = listed(a, shape, "sizes")
    if not a.number("allowzero", 0):
        if any(n == 0 and i >= x.dim() for i, n in enumerate(sizes)):
            raise UnsupportedLayerError(
                a.name, f"copies a size that its input of shape {tuple(x.shape)} lacks")
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    if sizes and sizes[0] == a.batch and prod(sizes) != x.numel() and -1 not in sizes:
        sizes[0] = -1
    elif sizes and sizes[0] == a.batch and -1 in sizes and x.shape[0] != a.batch:
        sizes[0] = x.shape[0]
    return x.reshape(sizes)


def _flatten(a: Attributes, x: Tensor) -> Tensor:
    axis = a.number("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(prod(x.shape[:axis]), -1) if axis != 1 else x.flatten(1)


def _slice(
    a: Attributes, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    first, last = listed(a, starts, "starts"), listed(a, ends, "ends")
    along = list(range(len(first))) if axes is None else listed(a, axes, "axes")
    by = [1] * len(first) if steps is None else listed(a, steps, "steps")
    places: list[Any] = [slice(None)] * x.dim()
    for begin, end, axis, step in zip(first, last, along, by, strict=True):
        if step > 0:
            places[axis] = slice(begin, end, step)
            continue
        size = x.shape[axis]
        if step == 0:
            raise UnsupportedLayerError(a.name, "a slice with steps of 0")
        # An end that is still below 0 when counted from the back reaches beyond the first.
        reach = range(size)[begin: end if end >= -size else None: step]
        x = x.index_select(axis, torch.tensor(list(reach), dtype=torch.int64))
    return x[tuple(places)]


def _split(a: Attributes, x: Tensor, split: Tensor | None = None) -> tuple[Tensor, ...]:
    axis, sizes = a.number("axis", 0), _given(a, "split", split)
    if sizes is not None:
        return torch.split(x, sizes, axis)
    parts = a.number("num_outputs", 1)
    return torch.split(x, -(-x.shape[axis] // max(parts, 1)), axis)


def _pad(
    a: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None,
    axes: Tensor | None = None,
) -> Tensor:
    numbers, mode = listed(a, pads, "pads"), a.text("mode", "constant")
    along = list(range(x.dim())) if axes is None else [
        n % x.dim() for n in listed(a, axes, "axes")]
    before = dict(zip(along, numbers[: len(along)], strict=True))
    after = dict(zip(along, numbers[len(along):], strict=True))
    sides = [n for axis in reversed(range(x.dim())) for n in (before.get(axis, 0),
                                                               after.get(axis, 0))]
    while sides and not any(sides[-2:]):
        sides = sides[:-2]
    names = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    if mode not in names:
        raise UnsupportedLayerError(a.name, f"padding of mode {mode[:20]} cannot be compiled")
    if mode == "constant":
        return functional.pad(x, sides, value=0.0 if value is None else float(value))
    sides += [0] * (2 * (x.dim() - 2) - len(sides))  # torch wants all axes but samples and channels
    return functional.pad(x, sides, mode=names[mode])


def _squeezed(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    given = _given(a, "axes", axes)
    return x.squeeze() if given is None else x.squeeze(tuple(given))


def _unsqueezed(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    given = _given(a, "axes", axes) or []
    rank = x.dim() + len(given)
    for axis in sorted(n % rank for n in given):
        x = x.unsqueeze(axis)
    return x


def _gather(a: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = a.number("axis", 0) % x.dim()
    if indices.dim() == 0:
        return x.select(axis, int(indices))
    found = x.index_select(axis, indices.reshape(-1) % x.shape[axis])
    return found.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1:])


def _expand(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    sizes = listed(a, shape, "sizes")
    return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(sizes)))


def _shape(a: Attributes, x: Tensor) -> Tensor:
    end = a.values.get("end")
    return torch.tensor(list(x.shape)[a.number("start", 0): end], dtype=torch.int64)


def _constant(a: Attributes) -> Tensor:
    for key in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if key in a.values:
            values = np.asarray(a.values[key])
            kind = np.float32 if values.dtype.kind == "f" else values.dtype
            return torch.from_numpy(np.array(values, kind))
    raise UnsupportedLayerError(a.name, "a constant of text or sparse values cannot be compiled")


def _filled(a: Attributes, shape: Tensor) -> Tensor:
    value = np.asarray(a.values.get("value", np.zeros(1, np.float32))).reshape(-1)
    return torch.full(listed(a, shape, "sizes"), value[0].item() if value.size else 0.0)


def _cast(a: Attributes, x: Tensor) -> Tensor:
    to = a.number("to", 1)
    if to in FLOATS:
        return x.to(torch.float32)
    if to in INTEGERS:
        return x.to(torch.int64)
    return x.to(torch.bool)


def _over(reduce: Any) -> Operator:
    def reduced(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        along = _given(a, "axes", axes)
        if not along and a.number("noop_with_empty_axes", 0):
            return x
        everything = tuple(range(x.dim()))
        result: Tensor = reduce(x, tuple(along) if along else everything,
                                keepdim=bool(a.number("keepdims", 1)))
        return result
    return reduced


def _depth_to_space(a: Attributes, x: Tensor) -> Tensor:
    n, (batch, channels, rows, columns) = a.number("blocksize", 1), x.shape
    kept = channels // (n * n)
    if a.text("mode", "DCR") == "CRD":
        parts, order = (batch, kept, n, n, rows, columns), (0, 1, 4, 2, 5, 3)
    else:
        parts, order = (batch, n, n, kept, rows, columns), (0, 3, 4, 1, 5, 2)
    return x.reshape(parts).permute(order).reshape(batch, kept, rows * n, columns * n)


SHAPES: dict[str, Operator] = {
    "Identity": lambda a, x: x, "Reshape": _reshape, "Flatten": _flatten,
    "Transpose": lambda a, x: x.permute(a.numbers("perm", list(range(x.dim()))[::-1])),
    "Concat": lambda a, *x: torch.cat(x, a.number("axis", 0)),
    "Slice": _slice, "Split": _split, "Pad": _pad, "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed, "Gather": _gather, "Expand": _expand, "Shape": _shape,
    "Tile": lambda a, x, repeats: x.repeat(listed(a, repeats, "repeats")),
    "Size": lambda a, x: torch.tensor(x.numel()),
    "Constant": _constant, "ConstantOfShape": _filled, "Cast": _cast,
    "Range": lambda a, start, limit, delta: torch.arange(
        start.item(), limit.item(), delta.item()),
    "ReduceMean": _over(torch.mean), "ReduceSum": _over(torch.sum),
    "DepthToSpace": _depth_to_space,
}
