"""How long a step takes: cores work through their events, packets share links, all meet."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import compartments
from nmcompile.simulator.traffic import Tally
from nmcompile.target.topology import EAST, WEST, board_width, n_links, tile_position


class Timing:
    """The time of each step of a barrier-synchronised chip.

    A step lasts as long as the slowest of: the busiest core's updates, spikes and packets out;
    the busiest core's packets in and synaptic events; the busiest link's packets at one hop time
    each. The longest route's hops and the barrier come on top. This is the max-affine form that
    Timcheck et al. 2026 (arXiv 2601.10035, Eq. 1) fit to Loihi 2; the barrier is interpolated
    from the target's table by the tiles in use. Where a timer starts steps, none is shorter than
    its tick; one that is longer is an overrun, for which the others are taken to wait. Timing never
    changes spikes.
    """

    def __init__(self, program: Program) -> None:
        target, slices = program.target, program.mapping.slices
        self._cost = target.time_s
        self._compartments = compartments(program.network, slices)
        cores, on_core = np.unique(slices.core, return_inverse=True)
        ones, columns = np.ones(len(slices)), np.arange(len(slices))
        self._on_core = scipy.sparse.csr_array((ones, (on_core, columns)))
        tiles = len(np.unique(tile_position(target, cores), axis=0))
        points = np.array(self._cost.barrier.value)
        self.barrier_s = float(np.interp(tiles, points[:, 0], points[:, 1]))
        self.tick_s = self._cost.tick.value if self._cost.tick else 0.0
        self._link_time = _link_times(program)

    def busy(self, tally: Tally, fired: Array) -> tuple[Array, Array]:
        """Seconds that each slice spends sending and receiving, (samples, slices) each.

        fired  (samples, slices) spikes of each slice in this step
        """
        cost = self._cost
        sending = (
            self._compartments * cost.neuron_update.value
            + fired * cost.spike_out.value
            + tally.packets_out[:, :-1] * cost.packet_out.value
        )
        receiving = (
            tally.packets_in * cost.packet_in.value + tally.events * cost.synaptic_event.value
        )
        return sending, receiving

    def step(self, tally: Tally, sending: Array, receiving: Array) -> Array:
        """Seconds of the whole step, (samples,)."""
        links = (tally.loads * self._link_time).max(axis=1)
        slowest = np.maximum(self._by_core(sending), self._by_core(receiving))
        worked = np.maximum(slowest, links) + tally.longest + self.barrier_s
        return np.asarray(np.maximum(worked, self.tick_s))

    def _by_core(self, seconds: Array) -> Array:
        return np.asarray((self._on_core @ seconds.T).max(axis=0))


def _link_times(program: Program) -> Array:
    """Seconds that each link takes for a packet, in the order of a tally's loads."""
    cost, board = program.target.time_s, program.target.board
    if program.target.router is not None:
        return np.full(n_links(program.target), cost.hop_chip.value)
    width, height = board_width(program.target), board.mesh_height.value
    column = np.arange(width) % board.mesh_width.value
    times = np.full((height, width, 4), cost.hop_y.value)
    between = cost.hop_chip.value
    times[:, :, EAST] = np.where(column == board.mesh_width.value - 1, between, cost.hop_x.value)
    times[:, :, WEST] = np.where(column == 0, between, cost.hop_x.value)
    return times.reshape(-1)
