"""What the largest box of a grid needs, for many grids at once."""

from __future__ import annotations

from math import prod

import numpy as np

from nmcompile.backend import Backend
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Array, compartments_of
from nmcompile.mapping import view
from nmcompile.mapping.capacity import lines_heard, runs_of_inputs, sources_of_an_axon
from nmcompile.mapping.configurations import most_in_boxes
from nmcompile.target import Target

Grid = tuple[int, int, int]
Sizes = Array  # (k, 3) int64, box sizes along channels, rows, columns


def grid_demand(
    network: Network,
    population: Population,
    sizes: Sizes,
    target: Target,
    backend: Backend,
    grids: dict[str, Grid],
) -> dict[str, Array]:
    """An upper bound of each core limit's use by one box of each of `sizes`, (k,) int64 each.

    grids  boxes of each target population; what leaves towards a missing one is not counted
    """
    neurons = sizes.prod(axis=1)
    axons, bits = np.zeros((2, len(sizes)), np.int64)
    sent = lines_heard(network, population, neurons)
    for projection in network.incoming(population.name):
        arriving, stored = _incoming(projection, view(population.shape), sizes, target, backend)
        axons += _axons(projection, arriving, sizes, target, grids)
        bits += stored
    for projection in network.outgoing(population.name):
        share = sources_of_an_axon(projection, target)
        leaving = np.minimum(neurons, prod(projection.map.in_shape)) * reached(projection, grids)
        sent += leaving if share == 1 else -(-leaving // share) + prod(
            grids.get(projection.target, (0,)))
    sent = sent if target.router is None else sent.clip(max=1)
    return {"neurons": neurons * compartments_of(population.neuron), "synapse_bits": bits,
            "input_axons": axons, "output_axons": sent,
            **most_in_boxes(population, network.incoming(population.name), sizes, target)}


def _axons(
    projection: Projection, reached: Array, sizes: Sizes, target: Target, grids: dict[str, Grid]
) -> Array:
    """Most axons into a box of each of `sizes` that `reached` (k,) sources share, (k,)."""
    share, met = sources_of_an_axon(projection, target), _boxes_met(projection, sizes, grids)
    if target.router is None or share < target.core.neurons.value:
        return reached if share == 1 else -(-reached // share) + met
    if projection.source not in grids:
        runs = runs_of_inputs(prod(projection.map.in_shape), target)
        met = np.full(len(sizes), runs + (projection.sources is not None))
    return np.minimum(reached, met)


def overfull(
    network: Network, population: Population, target: Target, backend: Backend
) -> dict[str, int]:
    """The core limits that even a slice of one neuron exceeds, with what it needs of each.

    What leaves it is not counted, nor that its sources may lie in several slices.
    """
    needs = grid_demand(network, population, np.ones((1, 3), np.int64), target, backend, {})
    return {limit: int(need[0]) for limit, need in needs.items()
            if need[0] > getattr(target.core, limit).value}


def _incoming(
    projection: Projection,
    shape: tuple[int, int, int],
    sizes: Sizes,
    target: Target,
    backend: Backend,
) -> tuple[Array, Array]:
    """Axons that a box receives through `projection`, and the bits that their rows take."""
    assert projection.format is not None
    linear, neurons = projection.map, sizes.prod(axis=1)
    if isinstance(linear, Dense):
        axons = np.full(len(sizes), linear.weight.shape[1], np.int64)
        synapses = neurons * (len(linear.weight) // prod(shape))  # one for each current
        return axons, axons * backend.row_bits(projection.format, synapses)
    if isinstance(linear, Conv):
        return _conv(projection, linear, sizes, target, backend)
    assert isinstance(linear, Sparse)
    return _sparse(projection, linear, shape, sizes, backend)


def _conv(
    projection: Projection, conv: Conv, sizes: Sizes, target: Target, backend: Backend
) -> tuple[Array, Array]:
    assert projection.format is not None
    fields, taps = [], []
    for axis in (0, 1):
        fields.append(_field(conv, axis, sizes))
        taps.append(np.minimum(conv.weight.shape[2 + axis], sizes[:, 1 + axis]))
    per_group = conv.weight.shape[0] // conv.groups
    groups = np.minimum(conv.groups, -(-(sizes[:, 0] - 1) // per_group) + 1)
    axons = groups * conv.weight.shape[1] * fields[0] * fields[1]
    if target.core.shared_kernels.value:
        stored = sizes[:, 0] * int(np.prod(conv.weight.shape[1:]))
        return axons, backend.row_bits(projection.format, stored)
    row = np.minimum(sizes[:, 0], per_group) * taps[0] * taps[1]
    return axons, axons * backend.row_bits(projection.format, row, indexed=True)


def _boxes_met(projection: Projection, sizes: Sizes, grids: dict[str, Grid]) -> Array:
    """Most boxes of its source that the sources of one box lie in, (k,); 1 for an uncut source."""
    grid, linear = grids.get(projection.source, (1, 1, 1)), projection.map
    if not isinstance(linear, Conv):
        return np.full(len(sizes), prod(grid))
    met = np.full(len(sizes), grid[0])
    for axis in (0, 1):
        parts, smallest = grid[1 + axis], linear.in_shape[1 + axis] // grid[1 + axis]
        met *= np.minimum(parts, (_field(linear, axis, sizes) + smallest - 2) // smallest + 1)
    return met


def _field(conv: Conv, axis: int, sizes: Sizes) -> Array:
    """Source positions along an axis that a box of each size reads, (k,)."""
    kernel = conv.weight.shape[2 + axis]
    span = (sizes[:, 1 + axis] - 1) * conv.stride[axis] + conv.dilation[axis] * (kernel - 1) + 1
    return np.minimum(span, conv.in_shape[1 + axis])


def _sparse(
    projection: Projection,
    linear: Sparse,
    shape: tuple[int, int, int],
    sizes: Sizes,
    backend: Backend,
) -> tuple[Array, Array]:
    """Bounds from the fan-in of each target: its worst box, counted on prefix sums.

    Rows take no more than as many of the longest, nor than their bare bits and two words for each.
    """
    assert projection.format is not None
    fan_in = np.bincount(linear.target, minlength=int(np.prod(shape))).reshape(shape)
    sums = np.pad(fan_in.cumsum(0).cumsum(1).cumsum(2), ((1, 0), (1, 0), (1, 0)))
    synapses = np.array([_worst_box(sums, size) for size in sizes], np.int64)
    axons = np.minimum(synapses, len(linear.start) - 1)
    one = int(backend.row_bits(projection.format, np.ones(1, np.int64))[0])
    words = axons * 2 + synapses // 32  # at most two words beyond the bare bits of each 64
    bare = words * one + synapses * (projection.format.bits + backend.index_bits)
    longest = np.minimum(sizes.prod(axis=1), np.diff(linear.start).max(initial=0))
    rows = axons * backend.row_bits(projection.format, longest, indexed=True)
    return axons, np.minimum(bare, rows)


def edges(extent: int, parts: int) -> Array:
    """(parts + 1,) int64 where the boxes along an axis end; their sizes differ by one at most."""
    return np.linspace(0, extent, parts + 1).round().astype(np.int64)


def _worst_box(sums: Array, size: Array) -> int:
    """Largest total of a box of the grid of boxes of `size`, from the view's prefix sums."""
    parts = [-(-(n - 1) // int(k)) for n, k in zip(sums.shape, size, strict=True)]
    ends = np.ix_(*[edges(n - 1, k) for n, k in zip(sums.shape, parts, strict=True)])
    return int(np.diff(np.diff(np.diff(sums[ends], axis=0), axis=1), axis=2).max())


def reached(projection: Projection, grids: dict[str, Grid]) -> int:
    """Largest number of boxes of its target that one source reaches; 0 for an uncut target."""
    if projection.target not in grids:
        return 0
    grid, linear = grids[projection.target], projection.map
    boxes = int(np.prod(grid))
    if isinstance(linear, Dense):
        return boxes
    if isinstance(linear, Sparse):
        return min(boxes, int(np.diff(linear.start).max(initial=0)))
    assert isinstance(linear, Conv)
    spans = [linear.weight.shape[0] // linear.groups]
    for axis in (0, 1):
        kernel = linear.dilation[axis] * (linear.weight.shape[2 + axis] - 1) + 1
        spans.append(-(-kernel // linear.stride[axis]))
    boxes = 1
    for parts, span, extent in zip(grid, spans, linear.out_shape, strict=True):
        smallest = extent // parts
        boxes *= min(parts, (min(span, extent) + smallest - 2) // smallest + 1)
    return boxes
