"""An Akida v1 layer in its registers, and what it is in the words of the IR."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import scipy.sparse
from nmcompile_backends.akida.arithmetic import AkidaNeuron

from nmcompile.errors import RegisterError
from nmcompile.ir.maps import Chain, Conv, Dense, LinearMap, Sparse, from_matrix
from nmcompile.ir.neurons.base import Array

Shape = tuple[int, ...]
# Largest magnitude of a weight by its bits: akida 2.19.3's set_variable, measured ("Maximum
# authorized value is 7"); weights of one bit are 0 and 1
WEIGHT_LIMITS = {1: 1, 2: 1, 4: 7, 8: 127}


class Kind(Enum):
    """The layers of v1 that compute, by their names in akida's Python package."""

    FULLY_CONNECTED = "FullyConnected"
    CONVOLUTIONAL = "Convolutional"
    SEPARABLE = "SeparableConvolutional"
    INPUT_CONVOLUTIONAL = "InputConvolutional"


class Pooling(Enum):
    """What pools the sums of a convolution, by akida's names."""

    NONE = "NoPooling"
    MAX = "Max"
    AVERAGE = "Average"


@dataclass(frozen=True, kw_only=True, eq=False)
class AkidaLayer:
    """One layer: its weights in torch's layout, and its registers.

    in_shape     (channels, height, width)
    weight       (out, in) if fully connected, else (out, in, ky, kx); of a separable layer the
                 depthwise kernels (in, 1, ky, kx), and `pointwise` (out, in)
    weight_bits  1, 2, 4, or 8 of an input layer
    same         padding Same (as in TensorFlow: the odd place of an odd sum goes behind), or Valid
    pool_size    window of a maximum; an average is that of the whole image
    padding      value of the pixels that an input layer adds
    """

    name: str
    kind: Kind
    in_shape: Shape
    weight: Array
    weight_bits: int
    neuron: AkidaNeuron
    pointwise: Array | None = None
    stride: int = 1
    same: bool = True
    pooling: Pooling = Pooling.NONE
    pool_size: int = 1
    pool_stride: int = 1
    padding: int = field(default=0)

    @property
    def out_shape(self) -> Shape:
        """(channels, height, width) of what it sends."""
        return self._parts()[1]

    def verify(self) -> None:
        """Raise NmcError where weights leave their bits or the neuron pools another window."""
        for values in (self.weight, *(() if self.pointwise is None else (self.pointwise,))):
            limit = WEIGHT_LIMITS[self.weight_bits]
            low = 0 if self.weight_bits == 1 else -limit
            if values.dtype != np.int8 or values.min() < low or values.max() > limit:
                raise RegisterError(
                    self.name, f"weights span {values.min()} to {values.max()} ({values.dtype}), "
                    f"{self.weight_bits} bits of Akida hold int8 of {low} to {limit}")
        window, adds = self.window()
        if (self.neuron.pool, self.neuron.adds) != (window, adds):
            how = {False: "the largest", True: "the sum"}
            raise RegisterError(
                self.name, f"its neurons take {how[self.neuron.adds]} of {self.neuron.pool} places,"
                f" the layer {how[adds]} of {window}")
        if self.neuron.at_input != (self.kind is Kind.INPUT_CONVOLUTIONAL):
            raise RegisterError(
                self.name, "its neurons have the registers of another kind of layer")
        self.neuron.verify(self.name, self.out_shape)

    def window(self) -> tuple[int, bool]:
        """`pool` and `adds` of its neurons."""
        places = {Pooling.NONE: 1, Pooling.MAX: self.pool_size**2,
                  Pooling.AVERAGE: int(np.prod(self._convolved()[-1].out_shape[1:]))}
        fully = self.kind is Kind.FULLY_CONNECTED
        return places[self.pooling], fully or self.pooling is Pooling.AVERAGE

    def linear(self) -> LinearMap:
        """The map from what arrives to the currents of its neurons, in integers."""
        maps = self._parts()[0]
        return maps[0] if len(maps) == 1 else Chain(maps=maps)

    def bias(self) -> Array:
        """What the padding of an input layer adds to the currents, int32."""
        if not self.padding:
            return np.zeros((), np.int32)
        convolution, *rest = self._parts()[0]
        assert isinstance(convolution, Conv)
        inside = convolution.apply(np.ones((1, int(np.prod(self.in_shape))), np.int64))
        whole = np.repeat(self.weight.sum(axis=(1, 2, 3), dtype=np.int64),
                          int(np.prod(convolution.out_shape[1:])))
        added = self.padding * (whole - inside)
        for link in rest:
            added = link.apply(added)
        axis = (self.neuron.currents,) if self.neuron.currents > 1 else ()
        return added.reshape(*axis, *self.out_shape).astype(np.int32)

    def _parts(self) -> tuple[tuple[LinearMap, ...], Shape]:
        maps = self._convolved()
        shape = maps[-1].out_shape
        if self.pooling is Pooling.AVERAGE:
            return (*maps, columns(shape)), (shape[0], 1, 1)
        if self.pooling is Pooling.MAX:
            pooled = windows(shape, self.pool_size, self.pool_stride, self.same)
            return (*maps, pooled), pooled.out_shape[1:]
        return maps, shape

    def _convolved(self) -> tuple[LinearMap, ...]:
        """The maps ahead of the pooling."""
        if self.kind is Kind.FULLY_CONNECTED:
            return (Dense(weight=self.weight.astype(np.int32), in_shape=self.in_shape,
                          out_shape=(len(self.weight), 1, 1)),)
        groups = self.in_shape[0] if self.kind is Kind.SEPARABLE else 1
        first = convolution(self.weight, self.in_shape, self.stride, self.same, groups)
        if self.pointwise is None:
            return (first,)
        return first, convolution(self.pointwise[:, :, None, None], first.out_shape, 1, True, 1)


def convolution(weight: Array, in_shape: Shape, stride: int, same: bool, groups: int) -> Conv:
    """Akida's convolution; an uneven padding becomes an even one with a line of zeros ahead."""
    ahead, even = [], []
    for size, kernel in zip(in_shape[1:], weight.shape[2:], strict=True):
        before, behind = paddings(size, kernel, stride) if same else (0, 0)
        ahead.append((behind - before, 0))
        even.append(behind)
    return Conv(weight=np.pad(weight.astype(np.int32), ((0, 0), (0, 0), *ahead)),
                in_shape=in_shape, stride=(stride, stride), padding=(even[0], even[1]),
                groups=groups)


def windows(shape: Shape, size: int, stride: int, same: bool) -> Sparse:
    """Each place of each window of `shape`: (size * size, channels, height, width)."""
    places = window_places(shape, size, stride, same)
    return picked(shape, places, places.shape)


def columns(shape: Shape) -> Sparse:
    """All places of each channel of `shape`, column by column: (width * height, channels, 1, 1)."""
    places = column_places(shape)
    return picked(shape, places, places.shape)


def window_places(shape: Shape, size: int, stride: int, same: bool) -> Array:
    """(size * size, channels, height, width) the neuron of `shape` at each place of each window.

    A place beyond the edge is the nearest one within, which the window holds as well.
    """
    channels, height, width = shape
    rows, columns = (_places(n, size, stride, same) for n in (height, width))
    plane = rows[:, None, :, None] * width + columns[None, :, None, :]
    plane = plane.reshape(size * size, 1, rows.shape[1], columns.shape[1])
    return np.arange(channels)[:, None, None] * (height * width) + plane


def column_places(shape: Shape) -> Array:
    """(width * height, channels, 1, 1) the neurons of each channel of `shape`, column by column.

    It is the order in which akida 2.19.3's software backend adds them, which decides where a sum
    leaves its 20 bits.
    """
    places = np.arange(int(np.prod(shape))).reshape(shape).transpose(2, 1, 0)
    return places.reshape(-1, shape[0], 1, 1)


def picked(shape: Shape, places: Array, out_shape: Shape) -> Sparse:
    """The map that gives each neuron of `out_shape` the neuron of `shape` that `places` names."""
    source = places.reshape(-1)
    matrix = scipy.sparse.csr_array(
        (np.ones(len(source), np.int32), (source, np.arange(len(source)))),
        shape=(int(np.prod(shape)), len(source)))
    return from_matrix(matrix, shape, out_shape)


def paddings(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Lines that padding Same adds ahead of and behind `size` of them."""
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2


def _places(size: int, kernel: int, stride: int, same: bool) -> Array:
    """(kernel, outputs): the line of each place of each window."""
    before = paddings(size, kernel, stride)[0] if same else 0
    outputs = -(-size // stride) if same else (size - kernel) // stride + 1
    line = np.arange(kernel)[:, None] + np.arange(outputs)[None, :] * stride - before
    return np.clip(line, 0, size - 1)
