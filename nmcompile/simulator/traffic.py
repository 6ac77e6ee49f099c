"""What the spikes of a step cost on average on a mesh: packets, hops, link loads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, rates_by_name
from nmcompile.mapping.faults import Detours
from nmcompile.mapping.traffic import packets_between, ways_around
from nmcompile.simulator._traffic_kernels import spread
from nmcompile.target import Target
from nmcompile.target.topology import board_width, tile_position

Routes = tuple[tuple[int, int], tuple[Array, Array, Array], tuple[float, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """Traffic of a step at the rates that a mapping was made for.

    packets  (slices + 1, slices) CSR float64; the last row is that of the inputs. Where routers
             copy packets, a copy for each slice that hears one
    sent     (slices + 1,) packets where they begin, before routers copy them
    hops     (slices + 1, 3) along x, along y, between chips, where packets begin
    loads    (links,) packets over each link, by its number
    ways     around dead links, on a mesh
    """

    packets: scipy.sparse.csr_array
    sent: Array
    hops: Array
    loads: Array
    ways: Detours | None = None


def expected_on_mesh(program: Program) -> Expected:
    """What the spikes of a step cost on average."""
    slices, target = program.mapping.slices, program.target
    network, mapping = program.network, program.mapping
    packets, _ = packets_between(
        network, slices, mapping.axons, rates_by_name(network, mapping.rates))
    loads = np.zeros(4 * board_width(target) * target.board.mesh_height.value)
    hops, ways = np.zeros((packets.shape[0], 3)), ways_of(program)
    spread(packets.indptr, packets.indices, packets.data, tile_position(target, slices.core),
           *_routes(target, ways), loads, hops)
    return Expected(packets=packets, sent=packets.sum(axis=1), hops=hops, loads=loads, ways=ways)


def ways_of(program: Program) -> Detours:
    """The ways of a program's packets around dead links."""
    mapping = program.mapping
    return ways_around(
        program.network, mapping.slices, mapping.axons, mapping.faults, program.target)


def _routes(target: Target, ways: Detours) -> Routes:
    """What kernels take of routes: widths of board and chip, ways around, seconds of a hop."""
    cost = target.times
    return ((board_width(target), target.board.mesh_width.value), (ways.pair, ways.start, ways.via),
            (cost.hop_x.value, cost.hop_y.value, cost.hop_chip.value))
