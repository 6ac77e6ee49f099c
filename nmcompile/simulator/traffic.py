"""What the spikes of a step cost: packets, hops, link loads and synaptic events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.simulator._traffic_kernels import count
from nmcompile.target.topology import board_width, tile_position

INPUT_TILE = (0, 0)  # where the host's spikes enter; no chip documents it, so the corner


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
        self._widths = (board_width(target), target.board.mesh_width.value)
        self._links = board_width(target) * target.board.mesh_height.value * 4
        cost = target.time_s
        self._hop_time = (cost.hop_x.value, cost.hop_y.value, cost.hop_chip.value)

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
                self._widths,
                self._hop_time,
                result.events,
                result.packets_in,
                result.packets_out,
                result.hops,
                result.loads,
                result.longest,
            )
        return result
