"""Linear maps as the convolution of one core."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.speck.cores import MAX_KERNEL, Shape

from nmcompile.errors import ChipLayerError
from nmcompile.ir.maps import Conv, Dense, LinearMap


def volume(shape: tuple[int, ...]) -> Shape:
    """`shape` as (features, height, width): a vector is features of one place each."""
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2])
    return (int(np.prod(shape)), 1, 1)


def as_convolution(linear: LinearMap, source: Shape, name: str) -> Conv:
    """`linear` from a population of `source` as a square convolution without groups and dilation.

    A dense layer sees all rows and columns at once: its kernel covers the plane, which is padded
    to a square where it is none; a stride of 2 then leaves one place.
    """
    if isinstance(linear, Dense):
        return _covering(linear, source, name)
    if isinstance(linear, Conv):
        return _square(_undilated(_ungrouped(linear)), name)
    raise ChipLayerError(name, "it is neither a convolution nor dense, which is all that Speck has",
                         "Use convolutions, or dense layers of up to 16 x 16 places.")


def _covering(dense: Dense, source: Shape, name: str) -> Conv:
    channels, height, width = source
    size = max(height, width)
    if size > MAX_KERNEL:
        raise ChipLayerError(
            name, f"a dense layer sees {height} x {width} places, Speck's kernels reach "
            f"{MAX_KERNEL} x {MAX_KERNEL}", "Pool or use a stride before it.")
    pads = (-(-(size - height) // 2), -(-(size - width) // 2))
    weight = np.zeros((len(dense.weight), channels, size, size), dense.weight.dtype)
    weight[:, :, pads[0] : pads[0] + height, pads[1] : pads[1] + width] = dense.weight.reshape(
        -1, channels, height, width)
    stride = (1 + (height + 2 * pads[0] > size), 1 + (width + 2 * pads[1] > size))
    return Conv(weight=weight, in_shape=source, stride=stride, padding=pads)


def _ungrouped(conv: Conv) -> Conv:
    if conv.groups == 1:
        return conv
    features, per_group = conv.weight.shape[:2]
    weight = np.zeros((features, conv.in_shape[0], *conv.weight.shape[2:]), conv.weight.dtype)
    for feature in range(features):
        first = feature // (features // conv.groups) * per_group
        weight[feature, first : first + per_group] = conv.weight[feature]
    return replace(conv, weight=weight, groups=1, grid=None)


def _undilated(conv: Conv) -> Conv:
    if conv.dilation == (1, 1):
        return conv
    step_y, step_x = conv.dilation
    features, channels, height, width = conv.weight.shape
    weight = np.zeros((features, channels, step_y * (height - 1) + 1, step_x * (width - 1) + 1),
                      conv.weight.dtype)
    weight[:, :, ::step_y, ::step_x] = conv.weight
    return replace(conv, weight=weight, dilation=(1, 1), grid=None)


def _square(conv: Conv, name: str) -> Conv:
    height, width = conv.weight.shape[2:]
    if height != width:
        raise ChipLayerError(name, f"its kernel is {height} x {width}, Speck's are square",
                             "Use a square one; zeros may fill it up.")
    return conv
