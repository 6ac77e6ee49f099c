"""What the spikes of a step cost: packets, hops, link loads and synaptic events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, rates_by_name
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.mapping.faults import Detours
from nmcompile.mapping.traffic import packets_between, ways_around
from nmcompile.simulator._traffic_kernels import count, spread
from nmcompile.target import Target
from nmcompile.target.topology import INPUT_TILE, board_width, tile_position

Routes = tuple[tuple[int, int], tuple[Array, Array, Array], tuple[float, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """Counts of one step; the last slice stands for the inputs where packets begin.

    events, packets_in   (samples, slices) int64
    packets_out          (samples, slices + 1) int64
    hops                 (samples, slices + 1, 3) int64: along x, along y, between chips
    loads                (samples, links) int64
    longest              (samples,) float64 seconds of the longest route
    """

    events: Array
    packets_in: Array
    packets_out: Array
    hops: Array
    loads: Array
    longest: Array


class Traffic:
    """Counts the packets of a program step by step."""

    def __init__(self, program: Program) -> None:
        network, slices, target = program.network, program.mapping.slices, program.target
        index = {p.name: i for i, p in enumerate(network.populations)}
        self._axons = {
            k: (p.source, axons)
            for k, (p, axons) in enumerate(
                zip(network.projections, program.mapping.axons, strict=True)
            )
        }
        self._owner = {
            node.name: slice_of_neurons(network, slices, index[node.name])
            if node.name in index
            else np.full(node.size, -1, np.int32)
            for node in network.nodes
        }
        self._position = tile_position(target, slices.core)
        self._routes = _routes(target, ways_of(program))
        self._links = board_width(target) * target.board.mesh_height.value * 4

    def tally(self, spikes: dict[str, Array], samples: int) -> Tally:
        """Counts for the spikes that all sources send in one step, (samples, n) int32 each."""
        n = len(self._position)
        result = Tally(
            events=np.zeros((samples, n), np.int64),
            packets_in=np.zeros((samples, n), np.int64),
            packets_out=np.zeros((samples, n + 1), np.int64),
            hops=np.zeros((samples, n + 1, 3), np.int64),
            loads=np.zeros((samples, self._links), np.int64),
            longest=np.zeros(samples),
        )
        for source, axons in self._axons.values():
            count(
                spikes[source],
                axons.start,
                axons.slice,
                axons.synapses,
                self._owner[source],
                self._position,
                INPUT_TILE,
                *self._routes,
                result.events,
                result.packets_in,
                result.packets_out,
                result.hops,
                result.loads,
                result.longest,
            )
        return result


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
    cost = target.time_s
    return ((board_width(target), target.board.mesh_width.value), (ways.pair, ways.start, ways.via),
            (cost.hop_x.value, cost.hop_y.value, cost.hop_chip.value))
