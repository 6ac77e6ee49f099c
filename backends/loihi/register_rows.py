"""The synapses of one projection on one core, as the rows that its input axons point to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir import Projection
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons


@dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """One slice on its core.

    low, high    (3,) corners in the population's (channel, row, column) view
    shape        that view
    members      (size,) flat neuron numbers in the population, in the order of the compartments
    first        first compartment of its first neuron
    step         compartments of each neuron; synapses end in the first of them
    """

    low: Array
    high: Array
    shape: tuple[int, int, int]
    members: Array
    first: int
    step: int = 1

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.members)

    def cut(self, values: Array) -> Array:
        """(size,) those of the population's `values` that lie in the box."""
        return values.reshape(-1)[self.members]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Synapses of a group of axons.

    pointer       (axons,) int64, first synapse of each axon's row; for a shared kernel the
                  source's flat position among those that the projection takes
    length        (axons,) int32, synapses behind each axon
    weight        mantissas int16, row behind row, or the kernel
    compartment   (synapses,) int32 of sparse rows, else None
    """

    pointer: Array
    length: Array
    weight: Array
    compartment: Array | None = None


def rows(projection: Projection, box: Box, axons: Axons, mine: Array, shared: bool) -> Rows:
    """Rows of the axons `mine` (numbers within `axons`, by rising source), which end in `box`.

    shared  store a convolution's kernel once instead of a row for each source
    """
    linear, (first, _) = projection.map, projection.sources or (0, 0)
    sources = np.searchsorted(axons.start, mine, "right") - 1 - first
    length = axons.synapses[mine]
    if isinstance(linear, Dense):
        weight = linear.weight[np.ix_(box.members, sources)].T
        pointer = np.arange(len(mine)) * box.size
        return Rows(pointer=pointer, length=length, weight=weight.reshape(-1))
    if isinstance(linear, Conv) and shared:
        kernel = linear.weight[box.low[0] : box.high[0]]
        return Rows(pointer=sources, length=length, weight=kernel.reshape(-1))
    if isinstance(linear, Conv):
        return _expanded(linear, box, sources, length)
    assert isinstance(linear, Sparse)
    return _sparse(linear, box, axons, mine)


def _sparse(linear: Sparse, box: Box, axons: Axons, mine: Array) -> Rows:
    lengths = axons.synapses[mine].astype(np.int64)
    pointer = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(pointer, lengths)
    synapses = axons.order[np.repeat(axons.first[mine], lengths) + within]
    local = np.searchsorted(box.members, linear.target[synapses])
    return Rows(pointer=pointer, length=axons.synapses[mine], weight=linear.weight[synapses],
                compartment=(box.first + local * box.step).astype(np.int32))


def _expanded(conv: Conv, box: Box, sources: Array, length: Array) -> Rows:
    """A convolution's synapses written out, one kernel tap at a time, then sorted by source."""
    parts = [_tap(conv, box, ky, kx) for ky, kx in np.ndindex(*conv.weight.shape[2:])]
    source, local, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    by_source = np.lexsort((local, source))
    return Rows(
        pointer=np.searchsorted(source[by_source], sources), length=length,
        weight=weight[by_source],
        compartment=(box.first + local[by_source] * box.step).astype(np.int32),
    )


def _tap(conv: Conv, box: Box, ky: int, kx: int) -> tuple[Array, Array, Array]:
    """Source, place in the box, and weight of every synapse of one kernel tap."""
    (_, height, width), low, high = conv.in_shape, box.low, box.high
    out = np.arange(low[0], high[0])
    per_group = conv.weight.shape[1]
    group = out // (conv.weight.shape[0] // conv.groups)
    origin = group[:, None] * per_group + np.arange(per_group)  # (out channels, in channels)
    y, from_y = _axis(conv, 0, ky, int(low[1]), int(high[1]), height)
    x, from_x = _axis(conv, 1, kx, int(low[2]), int(high[2]), width)
    source = (origin[:, :, None, None] * height + from_y[:, None]) * width + from_x
    n_rows, n_columns = high[1] - low[1], high[2] - low[2]
    place = (np.arange(len(out))[:, None, None, None] * n_rows + y[:, None]) * n_columns + x
    weight = conv.weight[low[0] : high[0], :, ky, kx][:, :, None, None]
    return (source.reshape(-1), np.broadcast_to(place, source.shape).reshape(-1),
            np.broadcast_to(weight, source.shape).reshape(-1))


def _axis(
    conv: Conv, axis: int, tap: int, low: int, high: int, extent: int
) -> tuple[Array, Array]:
    """Places within low..high that a tap serves along an axis, and the positions it reads."""
    place = np.arange(high - low)
    read = (place + low) * conv.stride[axis] + tap * conv.dilation[axis] - conv.padding[axis]
    inside = (read >= 0) & (read < extent)
    return place[inside], read[inside]
