"""NIR's linear nodes as linear maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import nir
import numpy as np

from nmcompile.errors import ParameterError, UnsupportedLayerError
from nmcompile.frontends.nir_import.annotations import annotated_map
from nmcompile.ir.maps import Conv, Dense, LinearMap, Scale, pool
from nmcompile.ir.neurons.base import Array

Shape = tuple[int, ...]
LARGEST = 1 << 26  # elements of one signal or kernel
LARGEST_STEP = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """What a node does to a signal: a map or none, a constant, the shape after it."""

    map: LinearMap | None
    shape: Shape
    bias: Array | None = None


def require_size(name: str, shape: Shape) -> None:
    """Raise unless a signal or kernel of `shape` has a size that a network may have."""
    if not shape or min(shape) < 1 or prod(shape) > LARGEST:
        raise ParameterError(name, f"its shape {shape} has no or more than {LARGEST:,} elements")


def step_of(name: str, node: Any, shape: Shape) -> Step | None:
    """What linear node `node` does to a signal of `shape`; None if it is not linear."""
    for kind, make in MAKERS.items():
        if isinstance(node, kind):
            return make(name, node, shape)
    return None


def _dense(name: str, node: Any, shape: Shape) -> Step:
    weight = np.asarray(node.weight, np.float32)
    if weight.ndim != 2 or weight.shape[1] != prod(shape):
        raise ParameterError(name, f"its weight is {weight.shape}, its input {shape}")
    bias = np.asarray(node.bias, np.float64) if isinstance(node, nir.Affine) else None
    if bias is not None and bias.shape != (weight.shape[0],):
        raise ParameterError(name, f"its bias is {bias.shape}, its weight {weight.shape}")
    linear = Dense(weight=weight, in_shape=shape, out_shape=(weight.shape[0],))
    linear = annotated_map(name, linear, node.metadata)
    return Step(map=linear, shape=(weight.shape[0],), bias=bias)


def _scale(name: str, node: Any, shape: Shape) -> Step:
    return Step(map=Scale(factor=np.asarray(node.scale, np.float32), in_shape=shape), shape=shape)


def _convolution(name: str, node: Any, shape: Shape) -> Step:
    weight = np.asarray(node.weight, np.float32)
    flat = weight.ndim == 3
    if len(shape) != (2 if flat else 3):
        raise ParameterError(name, f"its input has shape {shape}, expected channels and "
                             f"{1 if flat else 2} axes of space")
    kernel = weight[:, :, None] if flat else weight
    stride, dilation = _pair(name, node.stride, flat, 1), _pair(name, node.dilation, flat, 1)
    linear = Conv(
        weight=kernel, in_shape=(shape[0], 1, shape[1]) if flat else (shape[0], *shape[1:]),
        stride=stride, dilation=dilation, groups=_whole(name, node.groups),
        padding=_padding(name, node.padding, kernel.shape[2:], dilation, flat),
    )
    linear.verify(name)
    linear = annotated_map(name, linear, node.metadata)
    out = (linear.out_shape[0], linear.out_shape[2]) if flat else linear.out_shape
    bias = None
    if node.bias is not None and np.any(node.bias):
        if np.size(node.bias) != out[0]:
            raise ParameterError(
                name, f"its bias has {np.size(node.bias)} values for {out[0]} channels")
        require_size(name, out)
        channels = np.asarray(node.bias, np.float64).reshape(-1, *[1] * (len(out) - 1))
        bias = np.broadcast_to(channels, out).reshape(-1)
    return Step(map=linear, shape=out, bias=bias)


def _padding(
    name: str, padding: Any, kernel: Shape, dilation: tuple[int, int], flat: bool
) -> tuple[int, int]:
    padding = padding.decode() if isinstance(padding, bytes) else padding
    if isinstance(padding, str):
        if padding == "valid":
            return (0, 0)
        spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if any(span % 2 for span in spans):
            raise UnsupportedLayerError(
                name, "padding 'same' with an even kernel cannot be compiled")
        return (spans[0] // 2, spans[1] // 2)
    return _pair(name, padding, flat, 0)


def _whole(name: str, value: Any) -> int:
    """`value` as a whole number of at most LARGEST_STEP."""
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "iuf" or number.flat[0] % 1 != 0:
        raise ParameterError(
            name, "a stride, padding, dilation, kernel size or axis is no whole number")
    if abs(int(number.flat[0])) > LARGEST_STEP:
        raise ParameterError(
            name, f"a stride, padding, dilation or kernel size exceeds {LARGEST_STEP:,}")
    return int(number.flat[0])


def _pair(name: str, values: Any, flat: bool, first: int) -> tuple[int, int]:
    numbers = [_whole(name, v) for v in np.atleast_1d(values).reshape(-1)[:2]]
    return (first, numbers[0]) if flat else (numbers[0], numbers[-1])


def _pool(name: str, node: Any, shape: Shape) -> Step:
    if len(shape) != 3:
        raise ParameterError(
            name, f"its input has shape {shape}, expected (channels, height, width)")
    kernel = _pair(name, node.kernel_size, False, 0)
    if min(kernel) < 1:
        raise ParameterError(name, f"a pool of {kernel[0]} x {kernel[1]} is none")
    require_size(name, (shape[0], *kernel))
    linear = pool((shape[0], shape[1], shape[2]), kernel, _pair(name, node.stride, False, 0),
                  _pair(name, node.padding, False, 0), average=isinstance(node, nir.AvgPool2d))
    linear.verify(name)
    return Step(map=linear, shape=linear.out_shape)


def _flatten(name: str, node: Any, shape: Shape) -> Step:
    first, last = (_whole(name, axis) for axis in (node.start_dim, node.end_dim))
    if not -len(shape) <= first < len(shape) or not -len(shape) <= last < len(shape):
        raise UnsupportedLayerError(name, f"it merges axes {first} to {last} of shape {shape}")
    first, last = first % len(shape), last % len(shape)
    merged = prod(shape[first : last + 1])
    return Step(map=None, shape=(*shape[:first], merged, *shape[last + 1 :]))


def _same(name: str, node: Any, shape: Shape) -> Step:
    return Step(map=None, shape=shape)


MAKERS: dict[type, Callable[[str, Any, Shape], Step]] = {
    nir.Affine: _dense, nir.Linear: _dense, nir.Scale: _scale, nir.Conv1d: _convolution,
    nir.Conv2d: _convolution, nir.SumPool2d: _pool, nir.AvgPool2d: _pool, nir.Flatten: _flatten,
    nir.Delay: _same, nir.Input: _same, nir.Output: _same,
}
