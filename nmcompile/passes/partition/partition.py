"""Cut every population into slices that fit a core under all of its limits at once."""

from __future__ import annotations

from math import prod

import numpy as np

from nmcompile.backend import Backend
from nmcompile.ir import Network, Population
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Slices, view
from nmcompile.mapping.capacity import CapacityError, too_large
from nmcompile.passes.partition.sizes import Grid, Sizes, edges, grid_demand
from nmcompile.passes.partition.splitters import lines_beside_splitters, may_split
from nmcompile.target import Target


def partition(
    network: Network, target: Target, backend: Backend, grids: dict[str, Grid] | None = None
) -> Slices:
    """Slices of all populations, not yet placed (core -1), however many they are.

    grids  boxes of populations along each axis, at least; see `grids_of`
    """
    return _slices(network, grids_of(network, target, backend, grids))


def grids_of(
    network: Network, target: Target, backend: Backend, grids: dict[str, Grid] | None = None
) -> dict[str, Grid]:
    """Boxes of each population along the axes of its view.

    Each population is cut into a regular grid of boxes. Of the grids whose largest box fits, the
    one with the fewest boxes is taken, and of those the one that receives the fewest axons (the
    least halo). Axons that leave a box depend on how its targets were cut: a population that no
    longer fits is cut again into more boxes, until all do. Where the chip has splitters (see
    `with_splitters`), a neuron itself feeds no more than leave a core. With `grids` to begin with,
    these are kept where they fit, and else there are more boxes.
    """
    grids = grids or {}
    while True:
        finer = {p.name: _coarsest(network, p, target, backend, grids) for p in network.populations}
        if finer == grids:
            return grids
        grids = finer


def _coarsest(
    network: Network,
    population: Population,
    target: Target,
    backend: Backend,
    grids: dict[str, Grid],
) -> Grid:
    """Boxes along each axis of the view; `grids` are those of all populations so far.

    The grid so far is kept where it still fits; where it does not, there will be more boxes.
    """
    shape = view(population.shape)
    sizes = candidates(shape)
    needs = grid_demand(network, population, sizes, target, backend, grids)
    if may_split(population, target):
        needs["output_axons"] = lines_beside_splitters(
            network, population, sizes.prod(axis=1), grids, target)
    fits = np.ones(len(sizes), bool)
    for limit, need in needs.items():
        below = need <= getattr(target.core, limit).value
        if not below.any():
            raise too_large(population.name, limit, int(need.min()), target)
        fits &= below
    parts = -(-np.array(shape) // sizes)
    boxes = parts.prod(axis=1)
    if population.name in grids:
        before = grids[population.name]
        if np.any(fits & np.all(parts == before, axis=1)):
            return before
        fits &= boxes > prod(before)
    if not fits.any():
        raise CapacityError(
            population.name, "synapse_bits", f"no slice of it fits a core of {target.name} in "
            "neurons, synapse memory and axons at once")
    halo = boxes * needs["input_axons"]
    best = np.lexsort((parts[:, 2], parts[:, 1], halo, boxes, ~fits))[0]
    return (int(parts[best, 0]), int(parts[best, 1]), int(parts[best, 2]))


def candidates(shape: Grid) -> Sizes:
    """(k, 3) box sizes: along each axis, every size that a division into equal parts gives."""
    axes = []
    for extent in shape:
        root = np.arange(1, int(np.sqrt(extent)) + 1)
        axes.append(np.unique(np.concatenate([root, -(-extent // root)])))
    grid = np.meshgrid(*axes, indexing="ij")
    return np.stack([axis.reshape(-1) for axis in grid], axis=1).astype(np.int64)


def _slices(network: Network, grids: dict[str, Grid]) -> Slices:
    low, high, owner = [], [], []
    for index, population in enumerate(network.populations):
        corners = boxes_of(view(population.shape), grids[population.name])
        low.append(corners[0])
        high.append(corners[1])
        owner.append(np.full(len(corners[0]), index, np.int32))
    return Slices(
        population=np.concatenate(owner),
        low=np.concatenate(low).astype(np.int32),
        high=np.concatenate(high).astype(np.int32),
        core=np.full(sum(map(len, owner)), -1, np.int32),
    )


def boxes_of(shape: Grid, grid: Grid) -> tuple[Array, Array]:
    """Corners (k, 3) of a grid of boxes whose sizes along an axis differ by one at most."""
    ends = [edges(n, parts) for n, parts in zip(shape, grid, strict=True)]
    lows = np.meshgrid(*[end[:-1] for end in ends], indexing="ij")
    highs = np.meshgrid(*[end[1:] for end in ends], indexing="ij")
    return (np.stack([a.reshape(-1) for a in lows], 1), np.stack([a.reshape(-1) for a in highs], 1))
