"""What a box of neurons receives in each step, for many boxes at once, from recorded spikes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
import scipy.sparse

from nmcompile.ir import Network, Projection
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import view
from nmcompile.mapping.fields import axis_synapses

Box = tuple[int, int, int]
RowBits = Callable[[Array], Array]


class Load(Protocol):
    """Of one projection; boxes are corners (k, 3) of its target, half open.

    `received` gives packets and synaptic events of each box and step, (k, steps) float64 each;
    `field` the corners (k, 3) of the box of sources that reach each box;
    `stored` the axons and the bits of synapse memory of each box, (k,) int64 each.
    """

    def received(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Packets and events."""

    def field(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Low and high corners among the sources."""

    def stored(self, low: Array, high: Array, row_bits: RowBits) -> tuple[Array, Array]:
        """Axons and bits; `row_bits` gives those of rows of so many synapses."""



class Sums:
    """Sums over boxes of (steps, c, y, x) counts, each in eight look-ups (Crow 1984).

    Held in single precision, which is exact up to 2**24.
    """

    def __init__(self, values: Array) -> None:
        sums = np.zeros((*(n + 1 for n in values.shape[1:]), len(values)), np.float32)
        sums[1:, 1:, 1:] = np.moveaxis(values, 0, -1).cumsum(0).cumsum(1).cumsum(2)
        self._sums = sums

    def over(self, low: Array, high: Array) -> Array:
        """(k, steps) sums over the boxes low..high, (k, 3) each."""
        total: Array | float = 0.0
        for corner in np.ndindex(2, 2, 2):
            at = [(high if far else low)[:, axis] for axis, far in enumerate(corner)]
            sign = 1.0 if sum(corner) % 2 else -1.0
            total = total + sign * self._sums[at[0], at[1], at[2]]
        return np.asarray(total)


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseLoad:
    """Every source reaches every box.

    each      (steps,) spikes of all sources
    synapses  of a source for each target neuron
    sources   how many; `around` is the box that holds them
    """

    each: Array
    synapses: int
    sources: int
    around: Array

    def received(self, low: Array, high: Array) -> tuple[Array, Array]:
        """See `Load`."""
        packets = np.broadcast_to(self.each, (len(low), len(self.each)))
        return packets, packets * self.synapses * (high - low).prod(axis=1)[:, None]

    def field(self, low: Array, high: Array) -> tuple[Array, Array]:
        """See `Load`."""
        return _everywhere(self.around, len(low))

    def stored(self, low: Array, high: Array, row_bits: RowBits) -> tuple[Array, Array]:
        """See `Load`."""
        axons = np.full(len(low), self.sources, np.int64)
        return axons, axons * row_bits(self.synapses * (high - low).prod(axis=1))


class ConvLoad:
    """A box reads a window of its source, in the channels of its groups."""

    def __init__(self, conv: Conv, spikes: Array, sent: Sums, first: int) -> None:
        self._conv, self._uniform, self._first = conv, conv.groups == 1, first
        self._per_group = conv.weight.shape[0] // conv.groups
        self._sent = sent
        self._axes = [
            (conv.stride[axis], conv.padding[axis],
             conv.dilation[axis] * (conv.weight.shape[2 + axis] - 1) + 1, conv.in_shape[1 + axis])
            for axis in (0, 1)]
        self._through = [_through(conv, axis) for axis in (0, 1)]
        grouped = spikes.reshape(len(spikes), conv.groups, -1, *conv.in_shape[1:]).sum(axis=2)
        seen = _windows(conv, grouped)
        self._events = Sums(seen if self._uniform else np.repeat(seen, self._per_group, axis=1))

    def received(self, low: Array, high: Array) -> tuple[Array, Array]:
        """See `Load`; sources in the gaps of a stride or dilation count as packets, too."""
        packets = self._sent.over(*self.field(low, high))
        if not self._uniform:
            return packets, self._events.over(low, high)
        flat_low, flat_high = low.copy(), high.copy()
        flat_low[:, 0], flat_high[:, 0] = 0, 1
        return packets, self._events.over(flat_low, flat_high) * (high - low)[:, :1]

    def field(self, low: Array, high: Array) -> tuple[Array, Array]:
        """See `Load`."""
        channels, per_group = self._conv.weight.shape[1], self._per_group
        lows, highs = np.empty_like(low), np.empty_like(high)
        lows[:, 0] = self._first + low[:, 0] // per_group * channels
        highs[:, 0] = self._first + ((high[:, 0] - 1) // per_group + 1) * channels
        for axis in (1, 2):
            stride, padding, kernel, extent = self._axes[axis - 1]
            first = np.maximum(low[:, axis] * stride - padding, 0)
            last = np.minimum((high[:, axis] - 1) * stride - padding + kernel, extent)
            lows[:, axis], highs[:, axis] = np.minimum(first, extent), np.maximum(last, 0)
        return lows, highs

    def stored(self, low: Array, high: Array, row_bits: RowBits) -> tuple[Array, Array]:
        """See `Load`; of a box in several groups, each row counts as if all channels were in it."""
        conv = self._conv
        channels = np.minimum(high[:, 0] - low[:, 0], self._per_group)
        first, last = self.field(low, high)
        sources = last[:, 0] - first[:, 0]
        rows, columns = (
            _taps(through, conv.weight.shape[2 + axis], low[:, 1 + axis], high[:, 1 + axis])
            for axis, through in enumerate(self._through))
        axons, bits = np.zeros(len(low), np.int64), np.zeros(len(low), np.int64)
        for i, j in np.ndindex(rows.shape[1], columns.shape[1]):
            count = sources * rows[:, i] * columns[:, j]
            axons += count
            bits += count * row_bits(channels * (i + 1) * (j + 1))
        return axons, bits


class SparseLoad:
    """Events are exact; a box is taken to get a packet for each, but no more than there are."""

    def __init__(self, linear: Sparse, spikes: Array, around: Array, shape: Box) -> None:
        n_sources = len(linear.start) - 1
        pattern = scipy.sparse.csr_array(
            (np.ones(len(linear.target), np.float32), linear.target, linear.start),
            shape=(n_sources, prod(shape)))
        flat = scipy.sparse.csr_array(spikes.reshape(len(spikes), -1))
        self._events = Sums((flat @ pattern).toarray().reshape(-1, *shape))
        fan_in = np.bincount(linear.target, minlength=prod(shape)).astype(np.float32)
        self._synapses = Sums(fan_in.reshape(1, *shape))
        self._all, self._sources = spikes.reshape(len(spikes), -1).sum(axis=1), n_sources
        self._around = around

    def received(self, low: Array, high: Array) -> tuple[Array, Array]:
        """See `Load`."""
        events = self._events.over(low, high)
        return np.minimum(events, self._all), events

    def field(self, low: Array, high: Array) -> tuple[Array, Array]:
        """See `Load`."""
        return _everywhere(self._around, len(low))

    def stored(self, low: Array, high: Array, row_bits: RowBits) -> tuple[Array, Array]:
        """See `Load`; bounds from the synapses of the box."""
        synapses = self._synapses.over(low, high)[:, 0].astype(np.int64)
        return np.minimum(synapses, self._sources), synapses * row_bits(np.ones(1, np.int64))


def load_of(network: Network, projection: Projection, spikes: Array, sent: Sums) -> Load:
    """The load of `projection`; spikes (steps, *source's view) are 0 or 1, `sent` their sums."""
    linear, box = projection.map, view(network.shape_of(projection.source))
    shape = view(network.shape_of(projection.target))
    first, end = projection.sources or (0, prod(box))
    spikes = spikes.reshape(len(spikes), -1)[:, first:end]
    if isinstance(linear, Dense):
        return DenseLoad(each=spikes.sum(axis=1, dtype=np.float32), sources=end - first,
                         synapses=len(linear.weight) // prod(shape),
                         around=around(box, first, end))
    if isinstance(linear, Conv):
        spikes = spikes.reshape(-1, *linear.in_shape).astype(np.float32)
        return ConvLoad(linear, spikes, sent, first // prod(linear.in_shape[1:]))
    assert isinstance(linear, Sparse)
    return SparseLoad(linear, spikes, around(box, first, end), shape)


def around(box: Box, first: int, end: int) -> Array:
    """Low and high corner (2, 3) of the least part of `box` that holds neurons first..end."""
    corners, low, last = np.array([np.zeros(3, np.int64), box]), first, end - 1
    for axis in (2, 1, 0):
        (rest, at), (last_rest, last_at) = divmod(low, box[axis]), divmod(last, box[axis])
        if rest == last_rest:
            corners[:, axis] = at, last_at + 1
        low, last = rest, last_rest
    return corners


def _everywhere(corners: Array, n: int) -> tuple[Array, Array]:
    """Low and high corner (n, 3) of the same box for each of n."""
    return np.broadcast_to(corners[0], (n, 3)), np.broadcast_to(corners[1], (n, 3))


def _windows(conv: Conv, planes: Array) -> Array:
    """(steps, groups, y, x) spikes in the window of each output place."""
    (pad_y, pad_x), (rows, columns) = conv.padding, conv.out_shape[1:]
    padded = np.pad(planes, ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x)))
    total = np.zeros((*planes.shape[:2], rows, columns), np.float32)
    for y, x in np.ndindex(*conv.weight.shape[2:]):
        top, left = y * conv.dilation[0], x * conv.dilation[1]
        total += padded[:, :, top : top + (rows - 1) * conv.stride[0] + 1 : conv.stride[0],
                        left : left + (columns - 1) * conv.stride[1] + 1 : conv.stride[1]]
    return total


def _through(conv: Conv, axis: int) -> Array:
    """(extent, targets + 1) kernel taps from each source along an axis to all targets before."""
    n = conv.out_shape[1 + axis]
    taps = [axis_synapses(conv, axis, target, target + 1) for target in range(n)]
    return np.stack([np.zeros_like(taps[0]), *taps], axis=1).cumsum(axis=1)


def _taps(through: Array, most: int, low: Array, high: Array) -> Array:
    """(k, most) how many sources reach the targets low..high through 1, 2, ... kernel taps."""
    counts = through[:, high] - through[:, low]
    return np.stack([(counts == n).sum(axis=0) for n in range(1, most + 1)], axis=1)
