"""A convolution of any padding as one of Akida: a square kernel with zeros, padding Same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from nmcompile_backends.akida.layer import paddings

from nmcompile.ir.maps import Conv, LinearMap, Sparse
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How a kernel lies in Akida's.

    size    rows and columns of Akida's kernel
    stride  along both axes
    same    padding Same, or Valid
    ahead   lines of zeros ahead of the kernel's own, along rows and columns
    """

    size: int
    stride: int
    same: bool
    ahead: tuple[int, int]


def geometry(
    conv: Conv, ways: tuple[tuple[int, int], ...], valid: bool = False
) -> Geometry | None:
    """The first of the (kernel, stride) in `ways` that makes `conv`; None where none does.

    valid  whether padding Valid may be taken as well
    """
    for same in (True, False)[: 1 + valid]:
        for size, stride in ways:
            rows, columns = (_ahead(conv, axis, size, stride, same) for axis in (0, 1))
            if rows is not None and columns is not None:
                return Geometry(size=size, stride=stride, same=same, ahead=(rows, columns))
    return None


def spread(conv: Conv, found: Geometry) -> Array:
    """The kernel of `conv` (c_out, c_in / groups, size, size) at its place among zeros."""
    c_out, c_in = conv.weight.shape[:2]
    whole = np.zeros((c_out, c_in, found.size, found.size), conv.weight.dtype)
    (top, bottom), (left, right) = (_lines(conv, axis) for axis in (0, 1))
    (down, across), (row, column) = conv.dilation, found.ahead
    whole[:, :, row : row + down * (bottom - top) + 1 : down,
          column : column + across * (right - left) + 1 : across] = conv.weight[
              :, :, top : bottom + 1, left : right + 1]
    return whole


def padded(linear: LinearMap) -> tuple[int, int, int, int] | None:
    """Lines above, below, left and right that a map adds to a picture and does nothing else."""
    shapes = linear.in_shape, linear.out_shape
    if not isinstance(linear, Sparse) or {len(shape) for shape in shapes} != {3}:
        return None
    channels, height, width = shapes[1]
    if shapes[0][0] != channels or not len(linear.target) == prod(shapes[0]):
        return None
    first, last = (divmod(int(linear.target[place]) % (height * width), width)
                   for place in (0, -1))
    lines = (first[0], height - 1 - last[0], first[1], width - 1 - last[1])
    inside = np.arange(prod(shapes[1])).reshape(shapes[1])[
        :, lines[0] : last[0] + 1, lines[2] : last[1] + 1]
    same = inside.shape == shapes[0] and np.array_equal(inside.reshape(-1), linear.target)
    return lines if same and np.all(linear.weight == 1) else None


def behind_padding(
    conv: Conv, in_shape: tuple[int, ...], lines: tuple[int, int, int, int]
) -> Conv:
    """`conv` behind lines of zeros around a picture of `in_shape`."""
    pairs = [[line + own for line in pair]
             for pair, own in zip((lines[:2], lines[2:]), conv.padding, strict=True)]
    most = [max(pair) for pair in pairs]
    edges = [(wide - ahead, wide - behind)
             for wide, (ahead, behind) in zip(most, pairs, strict=True)]
    return replace(conv, weight=np.pad(conv.weight, ((0, 0), (0, 0), *edges)), grid=None,
                   in_shape=in_shape, padding=(most[0], most[1]))


def ungrouped(weight: Array, groups: int) -> Array:
    """A kernel (c_out, c_in / groups, ...) as one of all channels, with zeros between groups."""
    each, taken = len(weight) // groups, weight.shape[1]
    whole = np.zeros((len(weight), taken * groups, *weight.shape[2:]), weight.dtype)
    for group in range(groups):
        mine = slice(group * each, (group + 1) * each)
        whole[mine, group * taken : (group + 1) * taken] = weight[mine]
    return whole


def _lines(conv: Conv, axis: int) -> tuple[int, int]:
    """The first and the last line of a kernel that are not zeros, along rows (0) or columns (1)."""
    used = np.flatnonzero(np.any(conv.weight, axis=tuple({0, 1, 2, 3} - {2 + axis})))
    return (int(used[0]), int(used[-1])) if len(used) else (0, conv.weight.shape[2 + axis] - 1)


def _ahead(conv: Conv, axis: int, size: int, stride: int, same: bool) -> int | None:
    """Zeros ahead of the kernel's lines along an axis; None where the convolutions differ."""
    extent, outputs = conv.in_shape[1 + axis], conv.out_shape[1 + axis]
    if conv.stride[axis] != stride and outputs > 1:
        return None
    if outputs != (-(-extent // stride) if same else (extent - size) // stride + 1):
        return None
    first, last = (line * conv.dilation[axis] for line in _lines(conv, axis))
    ahead = (paddings(extent, size, stride)[0] if same else 0) - conv.padding[axis] + first
    return ahead if 0 <= ahead <= size - (last - first + 1) else None
