"""How long a step takes: cores work through their events, packets share links, all meet."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Frames, Program
from nmcompile.mapping.capacity import compartments, slice_of_neurons
from nmcompile.simulator._traffic_kernels import count_by_owner
from nmcompile.simulator.packets import traffic_of
from nmcompile.simulator.traffic import Tally
from nmcompile.target.topology import EAST, WEST, board_width, n_links, tile_position


class FastTiming:
    """The time of each step of a barrier-synchronised chip, from counts alone.

    A step lasts as long as the slowest of: the busiest core's updates, spikes and packets out;
    the busiest core's packets in and synaptic events; the busiest link's packets at one hop time
    each. The longest route's hops and the barrier come on top. This is the max-affine form that
    Timcheck et al. 2026 (arXiv 2601.10035, Eq. 1) fit to Loihi 2; the barrier is interpolated
    from the target's table by the tiles in use. A core that is a processor sends and receives one
    after the other: there both add up. Where a timer starts steps, none is shorter than
    its tick; one that is longer is an overrun, for which the others are taken to wait. Timing never
    changes spikes.
    """

    name = "fast"

    def __init__(self, program: Program) -> None:
        target, slices = program.target, program.mapping.slices
        network = program.network
        self._network, self._traffic = network, traffic_of(program)
        self._owner = [
            slice_of_neurons(network, slices, i) for i in range(len(network.populations))
        ]
        self._cost = target.time_s
        self._compartments = compartments(program.network, slices)
        cores, on_core = np.unique(slices.core, return_inverse=True)
        ones, columns = np.ones(len(slices)), np.arange(len(slices))
        self._on_core = scipy.sparse.csr_array((ones, (on_core, columns)))
        tiles = len(np.unique(tile_position(target, cores), axis=0))
        points = np.array(self._cost.barrier.value)
        self.barrier_s = float(np.interp(tiles, points[:, 0], points[:, 1]))
        self.tick_s = self._cost.tick.value if self._cost.tick else 0.0
        serial = self._cost.sequential
        self._both = np.add if serial is not None and serial.value else np.maximum
        self._link_time = _link_times(program)

    def begin(self, samples: int) -> None:
        """Steps do not depend on each other."""

    def keep(self, rows: Array) -> None:
        """Steps of samples do not depend on each other."""

    def add(self, frames: Frames) -> Costs:
        """What a block takes."""
        steps = [self._step(frames, step) for step in range(frames.steps)]
        return Costs(
            step_s=np.concatenate([step.step_s for step in steps]),
            **{name: sum(getattr(step, name) for step in steps)
               for name in ("spikes", "packets_out", "hops", "events", "packets_in", "busy_s")})

    def _step(self, frames: Frames, step: int) -> Costs:
        samples, nodes = frames.samples, self._network.nodes
        start = frames.start[step * samples : (step + 1) * samples + 1]
        sender = frames.sender[start[0] : start[-1]]
        sent = np.zeros((samples, sum(node.size for node in nodes)), np.int32)
        sent[np.repeat(np.arange(samples), np.diff(start)), sender] = 1
        ends = np.cumsum([node.size for node in nodes])
        parts = np.split(sent, ends[:-1], axis=1)
        by_name = {node.name: np.ascontiguousarray(part)
                   for node, part in zip(nodes, parts, strict=True)}
        tally = self._traffic.tally(by_name, samples)
        fired = np.zeros(tally.events.shape, np.int64)
        for population, owner in zip(self._network.populations, self._owner, strict=True):
            count_by_owner(by_name[population.name], owner, fired)
        entering = sum(int(by_name[port.name].sum()) for port in self._network.inputs)
        sending, receiving = self.busy(tally, fired)
        return Costs(
            step_s=self.step(tally, sending, receiving),
            spikes=np.append(fired.sum(axis=0), entering),
            packets_out=tally.packets_out.sum(axis=0), hops=tally.hops.sum(axis=0),
            events=tally.events.sum(axis=0), packets_in=tally.packets_in.sum(axis=0),
            busy_s=self._both(sending, receiving).sum(axis=0))

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
        slowest = self._by_core(sending, receiving)
        worked = np.maximum(slowest, links) + tally.longest + self.barrier_s
        return np.asarray(np.maximum(worked, self.tick_s))

    def _by_core(self, sending: Array, receiving: Array) -> Array:
        """Seconds of the busiest core, (samples,)."""
        parts = self._on_core @ sending.T, self._on_core @ receiving.T
        return np.asarray(self._both(*parts).max(axis=0))


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
