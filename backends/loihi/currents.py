"""Projections into several currents of a neuron, as one for each current."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nmcompile.errors import ChipLayerError
from nmcompile.ir import Network, Projection
from nmcompile.ir.maps import Conv, Dense, Grid, Sparse
from nmcompile.ir.maps.base import LinearMap


def one_current_each(network: Network) -> Network:
    """`network` with each projection into several currents cut into one for each of them.

    A part whose weights are all 0 is left out, unless all are.
    """
    projections: list[Projection] = []
    for projection in network.projections:
        target = network.population(projection.target)
        currents = prod(target.current_shape) // target.size
        if currents == 1 or projection.current is not None:
            projections.append(projection)
            continue
        parts = [replace(projection, current=number, map=_part(
            projection, number, currents, target.shape)) for number in range(currents)]
        projections += [p for p in parts if np.any(p.map.weights())] or parts[:1]
    return replace(network, projections=tuple(projections))


def _part(projection: Projection, number: int, currents: int, shape: tuple[int, ...]) -> LinearMap:
    """The rows of a map that lead to current `number`, of which each has `shape`."""
    linear = projection.map
    if isinstance(linear, Dense):
        rows = slice(number * prod(shape), (number + 1) * prod(shape))
        return replace(linear, weight=np.ascontiguousarray(linear.weight[rows]), out_shape=shape,
                       grid=_cut(linear.grid, rows, len(linear.weight)))
    if isinstance(linear, Sparse):
        begin, end = number * prod(shape), (number + 1) * prod(shape)
        kept = (linear.target >= begin) & (linear.target < end)
        start = np.concatenate([[0], np.cumsum(kept)])[linear.start].astype(np.int64)
        return replace(linear, start=start, target=linear.target[kept] - np.int32(begin),
                       weight=linear.weight[kept], out_shape=shape)
    channels = linear.weight.shape[0] // currents if isinstance(linear, Conv) else 0
    if not isinstance(linear, Conv) or linear.groups != 1 or linear.out_shape[1:] != shape[1:]:
        raise ChipLayerError(projection.name, "this convolution into resonators cannot be compiled",
                             "Use one without groups.")
    kernels = slice(number * channels, (number + 1) * channels)
    return replace(linear, weight=np.ascontiguousarray(linear.weight[kernels]),
                   grid=_cut(linear.grid, kernels, len(linear.weight)))


def _cut(grid: Grid | None, rows: slice, count: int) -> Grid | None:
    """The part of a grid for some of `count` rows."""
    if grid is None or grid.step.ndim == 0 or grid.step.shape[0] != count:
        return grid
    return replace(grid, step=np.ascontiguousarray(grid.step[rows]))
