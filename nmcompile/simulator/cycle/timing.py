"""The time of each step where packets meet: cores in their order, routers, barrier."""

from __future__ import annotations

import numpy as np

from nmcompile.arithmetic.jit import threads
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, FrameError, Frames, Program
from nmcompile.simulator._events_kernels import N_COUNT, N_SUM
from nmcompile.simulator.cycle._fields import N_PACKET
from nmcompile.simulator.cycle._frames_kernels import N_PACE, cycle_frames
from nmcompile.simulator.cycle.mesh import Room, mesh_of, room_for
from nmcompile.simulator.events import (
    barrier_ps,
    board_of,
    costs_of,
    events_of,
    hop_times,
    picoseconds,
)


class CycleTiming:
    """The time of each step of a mesh of cores with a barrier or a tick.

    A core goes through its neurons in the network's order: an update for each compartment, a spike
    for each that fires, a packet for each of its axons, and waits while its router has no place for
    the packet. Routers send x before y through buffers of finite size; `_move_kernels.py` says how
    packets wait for each other. A core works off the packets that reach it one after the other, for
    packet and synaptic events, and takes no more than its queue holds. Packets of the inputs enter
    where spikes enter the board, one after the other from the step's beginning.

    A step ends when all cores have gone through their neurons and worked off all packets, and then
    the barrier; where a timer starts steps, none is shorter than its tick. Times are rounded to
    picoseconds. Steps do not depend on each other, and spikes not on time.
    """

    name = "cycle"

    def __init__(self, program: Program) -> None:
        target = program.target
        self._program, self._events = program, events_of(program)
        self._barrier = barrier_ps(program, self._events.cores)
        self._tick = picoseconds(target.times.tick.value) if target.times.tick else 0
        self._mesh = mesh_of(program, self._events.cores, self._events.detours)
        self._room: Room | None = None

    def begin(self, samples: int) -> None:
        """Steps do not depend on each other."""

    def keep(self, rows: Array) -> None:
        """Steps of samples do not depend on each other."""

    def add(self, frames: Frames) -> Costs:
        """What a block takes.

        Raises FrameError where packets wait for each other for ever, on ways around dead links.
        """
        events, mesh, n = self._events, self._mesh, len(self._events.on_core)
        room = self._room or room_for(mesh, threads())
        team, cores = len(room.clock), len(events.cores) + 1
        step, lost = np.zeros((2, len(frames)), np.int64)
        sums = np.zeros((team, n, N_SUM), np.int64)
        cycle_frames(
            frames.start, frames.sender, events.axon, events.home, events.place, events.tile,
            events.on_core, events.updates, events.cost,
            (events.detours.pair, events.detours.start, events.detours.via),
            board_of(self._program), mesh.ways, hop_times(self._program), mesh.rest, mesh.setup,
            mesh.via, np.zeros((team, n, N_COUNT), np.int64), sums,
            np.zeros((team, cores, 2), np.int64), np.zeros((0, 0, 0), np.int64),
            np.zeros((team, cores, N_PACE), np.int64), room.port, room.place, room.core,
            room.queue, np.zeros((team, self._most_packets(frames) * N_PACKET), np.int64),
            room.ring, room.clock, step, lost)
        self._room = None if lost.any() else room
        if self._room is None:
            raise self._deadlock(int(np.argmax(lost > 0)))
        return costs_of(sums, np.maximum(step + self._barrier, self._tick))

    def _most_packets(self, frames: Frames) -> int:
        """Packets of the frame that has most."""
        start = self._events.axon[0]
        so_far = np.cumsum(np.append(0, np.diff(start)[frames.sender]))
        return int(np.diff(so_far[frames.start]).max(initial=0))

    def _deadlock(self, frame: int) -> FrameError:
        dead = len(self._program.mapping.faults.links)
        return FrameError(
            self._program.target.name,
            f"packets wait for each other for ever: ways around {dead} dead links turn back into "
            "buffers that are full",
            "Map with fewer dead links, or simulate with --timing fast.", frame=frame)
