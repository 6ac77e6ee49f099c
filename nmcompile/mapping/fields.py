"""Which sources reach which targets along each axis of a convolution."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons.base import Array


def axis_synapses(conv: Conv, axis: int, low: int, high: int) -> Array:
    """(extent,) for each source position along `axis`, its kernel taps that end in low..high.

    axis  0 for rows, 1 for columns; `low` and `high` bound target positions, half open
    """
    extent, taps = conv.in_shape[1 + axis], conv.weight.shape[2 + axis]
    counts = np.zeros(extent, np.int64)
    targets = np.arange(low, high) * conv.stride[axis] - conv.padding[axis]
    for tap in range(taps):
        sources = targets + tap * conv.dilation[axis]
        inside = sources[(sources >= 0) & (sources < extent)]
        counts[inside] += 1
    return counts


def channel_synapses(conv: Conv, low: int, high: int) -> Array:
    """(c_in,) for each source channel, the target channels of low..high in its group."""
    per_group = conv.weight.shape[0] // conv.groups
    first = np.arange(conv.groups) * per_group
    overlap = np.minimum(first + per_group, high) - np.maximum(first, low)
    return np.repeat(np.maximum(overlap, 0), conv.in_shape[0] // conv.groups)


def box_synapses(conv: Conv, low: Array, high: Array) -> tuple[Array, Array]:
    """Sources that reach the target box low..high, and the synapses that each has there.

    Returns flat source numbers (k,) int64 rising, and counts (k,) int64.
    """
    channels = channel_synapses(conv, int(low[0]), int(high[0]))
    rows = axis_synapses(conv, 0, int(low[1]), int(high[1]))
    columns = axis_synapses(conv, 1, int(low[2]), int(high[2]))
    alive = [np.flatnonzero(c) for c in (channels, rows, columns)]
    _, height, width = conv.in_shape
    flat = (alive[0][:, None, None] * height + alive[1][:, None]) * width + alive[2]
    counts = (channels[alive[0]][:, None, None] * rows[alive[1]][:, None]) * columns[alive[2]]
    return flat.reshape(-1), counts.reshape(-1)
