"""A two-dimensional convolution with a shared kernel; pooling is its depthwise case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nmcompile.errors import ParameterError
from nmcompile.ir.maps.base import Shape
from nmcompile.ir.maps.grid import Grid
from nmcompile.ir.neurons.base import Array

Pair = tuple[int, int]
CHUNK = 1 << 18  # elements of unfolded windows at a time, about a cache of a core


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv:
    """Cross-correlation as torch's Conv2d, zero padding.

    weight    (c_out, c_in / groups, kernel height, kernel width)
    in_shape  (c_in, height, width); a one-dimensional convolution has height 1
    grid      the integers that the weights were trained as, if they were
    """

    kind: ClassVar[str] = "conv"

    weight: Array
    in_shape: Shape
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    grid: Grid | None = None

    @property
    def out_shape(self) -> Shape:
        """(c_out, height, width)."""
        return (self.weight.shape[0], self._extent(0), self._extent(1))

    def verify(self, name: str) -> None:
        """Raise NmcError where shapes or weights break a rule."""
        if self.weight.ndim != 4 or len(self.in_shape) != 3:
            raise ParameterError(
                name,
                f"a convolution needs a 4-d kernel and a 3-d input, got {self.weight.ndim}-d "
                f"and {len(self.in_shape)}-d",
            )
        if min(*self.stride, *self.dilation, self.groups) < 1 or min(self.padding) < 0:
            raise ParameterError(name, "stride, dilation and groups start at 1, padding at 0")
        c_out, c_group = self.weight.shape[:2]
        if c_group * self.groups != self.in_shape[0] or c_out % self.groups:
            raise ParameterError(
                name,
                f"kernel {self.weight.shape} in {self.groups} groups does not take "
                f"{self.in_shape[0]} channels",
            )
        if min(self.out_shape) < 1:
            raise ParameterError(
                name, f"kernel {self.weight.shape[2:]} exceeds input {self.in_shape}")
        if self.grid is not None:
            self.grid.verify(name, self.weight)

    def apply(self, x: Array) -> Array:
        """The map of each row: (n, n_in) to (n, n_out), as products with unfolded windows."""
        unfolded = prod(self.out_shape[1:]) * self.in_shape[0] * prod(self.weight.shape[2:])
        rows = max(1, CHUNK // unfolded)
        parts = [self._apply(x[begin : begin + rows]) for begin in range(0, len(x), rows)]
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def weights(self) -> Array:
        """Every stored weight once, as a flat array."""
        return self.weight.reshape(-1)

    def with_weights(self, values: Array) -> Conv:
        """The same map with `values` in place of `weights()`."""
        return replace(
            self, weight=np.ascontiguousarray(values.reshape(self.weight.shape)), grid=None)

    def windows(self, x: Array) -> Array:
        """What each output place sees of `x` (n, n_in): a view (c_in, y, x, n, kernel y, x).

        Rows of `x` lie behind each other, so that whole runs are copied where it is unfolded.
        """
        (pad_y, pad_x), (channels, height, width) = self.padding, self.in_shape
        planes = np.zeros((channels, height + 2 * pad_y, width + 2 * pad_x, len(x)), x.dtype)
        planes[:, pad_y : pad_y + height, pad_x : pad_x + width] = x.T.reshape(*self.in_shape, -1)
        kernel_y, kernel_x = self.weight.shape[2:]
        reach = (self.dilation[0] * (kernel_y - 1) + 1, self.dilation[1] * (kernel_x - 1) + 1)
        windows = sliding_window_view(planes, reach, (1, 2))
        return windows[
            :, :: self.stride[0], :: self.stride[1], :, :: self.dilation[0], :: self.dilation[1]
        ]

    def _apply(self, x: Array) -> Array:
        unfolded = self.windows(x).transpose(0, 4, 5, 1, 2, 3)
        kernels = self.weight.reshape(self.groups, len(self.weight) // self.groups, -1)
        columns = unfolded.reshape(self.groups, kernels.shape[2], -1)
        sums = columns.transpose(0, 2, 1) @ kernels.transpose(0, 2, 1)
        return np.ascontiguousarray(
            sums.reshape(self.groups, -1, len(x), kernels.shape[1]).transpose(2, 0, 3, 1)
        ).reshape(len(x), -1)

    def _extent(self, axis: int) -> int:
        kernel = self.dilation[axis] * (self.weight.shape[2 + axis] - 1) + 1
        return (self.in_shape[1 + axis] + 2 * self.padding[axis] - kernel) // self.stride[axis] + 1


def pool(in_shape: Shape, kernel: Pair, stride: Pair, padding: Pair, average: bool) -> Conv:
    """Sum or average pooling (padding counted, as torch's default) as a depthwise convolution."""
    value = 1.0 / (kernel[0] * kernel[1]) if average else 1.0
    weight = np.full((in_shape[0], 1, *kernel), value, np.float32)
    return Conv(
        weight=weight, in_shape=in_shape, stride=stride, padding=padding, groups=in_shape[0]
    )
