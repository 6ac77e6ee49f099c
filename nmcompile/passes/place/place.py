"""Put every slice on a core so that spikes travel few hops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Slices
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.passes.place._place_kernels import descend
from nmcompile.target import Target
from nmcompile.target.topology import tile_position

ROUNDS = 50  # of swaps; descent ends earlier when no swap helps


def place(
    network: Network,
    slices: Slices,
    axons: tuple[Axons, ...],
    target: Target,
    rates: dict[str, Array],
) -> Slices:
    """`slices` with one core each, or all on the one core that a board has.

    rates  name of input or population -> (n,) mean spikes of each neuron in a step

    Slices start in the network's order along a line that snakes through the tiles, so that
    neighbours in the network are neighbours on the chip. Then pairs of slices swap cores while
    that lowers the sum of packets times hops (steepest pair of each slice, in order, until none
    helps). Slices share a core only where there is no other.
    """
    if target.n_cores == 1:
        return replace(slices, core=np.zeros(len(slices), np.int32))
    core = _snake(target, len(slices))
    traffic = _traffic(network, slices, axons, rates)
    position = tile_position(target, core)
    descend(traffic.indptr, traffic.indices, traffic.data, position, core, ROUNDS)
    return replace(slices, core=core)


def _snake(target: Target, n: int) -> Array:
    """The first `n` cores along a boustrophedon through the tiles of one chip after the other."""
    core = np.arange(n)
    chip, inside = np.divmod(core, target.cores_per_chip)
    per_tile, height = target.board.cores_per_tile.value, target.board.mesh_height.value
    column, rest = np.divmod(inside, per_tile * height)
    row = rest // per_tile
    row = np.where(column % 2, height - 1 - row, row)
    tile = row * target.board.mesh_width.value + column
    return (chip * target.cores_per_chip + tile * per_tile + rest % per_tile).astype(np.int32)


def _traffic(
    network: Network, slices: Slices, axons: tuple[Axons, ...], rates: dict[str, Array]
) -> scipy.sparse.csr_array:
    """Packets in a step between slices, symmetric; the last row and column is the input port."""
    index = {p.name: i for i, p in enumerate(network.populations)}
    outside = len(slices)
    total = scipy.sparse.csr_array((outside + 1, outside + 1))
    for projection, axon in zip(network.projections, axons, strict=True):
        rate = rates[projection.source].reshape(-1)
        owner = (
            slice_of_neurons(network, slices, index[projection.source])
            if projection.source in index
            else np.full(len(rate), outside)
        )
        counts = np.diff(axon.start)
        pairs = (np.repeat(rate, counts), (np.repeat(owner, counts), axon.slice))
        part = scipy.sparse.coo_array(pairs, shape=total.shape)
        total = total + part + part.T
    return scipy.sparse.csr_array(total)
