"""How long a step takes: cores work through their events, packets share links, all meet."""

from __future__ import annotations

import numpy as np

from nmcompile.arithmetic.jit import threads
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Frames, Program
from nmcompile.simulator._events_kernels import N_COUNT, N_SUM, fast_frames
from nmcompile.simulator.events import (
    Events,
    barrier_ps,
    board_of,
    costs_of,
    events_of,
    hop_times,
    picoseconds,
)
from nmcompile.target.topology import board_width


class FastTiming:
    """The time of each step of a mesh of cores with a barrier or a tick, from counts alone.

    A step lasts as long as the slowest of: the busiest core's updates, spikes and packets out;
    the busiest core's packets in and synaptic events; the busiest link's packets, each for the
    link's interval, or for its hop time where the target has no network. The longest route's hops
    and the barrier come on top. This is the max-affine form that
    Timcheck et al. 2026 (arXiv 2601.10035, Eq. 1) fit to Loihi 2; the barrier is interpolated
    from the target's table by the tiles in use. Where a timer starts steps, none is shorter than
    its tick; one that is longer is an overrun, for which the others are taken to wait. Timing never
    changes spikes. Times are rounded to picoseconds. On chips of events (`event_pipeline`) a
    spike with a payload of n is n events.
    """

    name = "fast"

    def __init__(self, program: Program) -> None:
        target = program.target
        self._events = events_of(program)
        self._barrier = barrier_ps(program, self._events.cores)
        self._tick = picoseconds(target.times.tick.value) if target.times.tick else 0
        self._frame = _frame(program, self._events)
        self._link_time = _link_times(program, self._frame)
        self._hop_time = hop_times(program)
        self._each = target.event_pipeline is not None

    def begin(self, samples: int) -> None:
        """Steps do not depend on each other."""

    def keep(self, rows: Array) -> None:
        """Steps of samples do not depend on each other."""

    def add(self, frames: Frames) -> Costs:
        """What a block takes."""
        events, n = self._events, len(self._events.on_core)
        frames = split(frames) if self._each else frames
        step, team = np.zeros(len(frames), np.int64), threads()
        sums = np.zeros((team, n, N_SUM), np.int64)
        fast_frames(
            frames.start, frames.sender, events.axon, events.home, events.tile, events.on_core,
            events.updates, events.cost,
            (events.detours.pair, events.detours.start, events.detours.via), self._frame[0],
            self._hop_time, self._link_time, np.zeros((team, n, N_COUNT), np.int64), sums,
            np.zeros((team, len(events.cores) + 1, 2), np.int64),
            np.zeros((team, *self._link_time.shape), np.int64), step)
        return costs_of(sums, np.maximum(step + self._barrier, self._tick))


def split(frames: Frames) -> Frames:
    """The frames with each spike of payload n as n spikes of payload 1."""
    start = np.concatenate([[0], np.cumsum(frames.payload, dtype=np.int64)])[frames.start]
    sender = np.repeat(frames.sender, frames.payload)
    return Frames(samples=frames.samples, start=start, sender=sender,
                  payload=np.ones(len(sender), np.int32))


def _frame(program: Program, events: Events) -> tuple[Array, Array]:
    """What kernels take of the board, and columns and rows of the rectangle around all routes."""
    via, width = events.detours.via, board_width(program.target)
    x = np.concatenate([events.tile[:, 0], via % width])
    y = np.concatenate([events.tile[:, 1], via // width])
    place = board_of(program)
    place[:2] = x.min(), y.min()
    return place, np.array([np.ptp(x) + 1, np.ptp(y) + 1])


def _link_times(program: Program, frame: tuple[Array, Array]) -> Array:
    """(4, rows + 1, columns + 1) picoseconds that each link takes for a packet."""
    target, (place, size) = program.target, frame
    cost, network, chip = target.times, target.network, target.board.mesh_width.value
    along = [cost.hop_x.value] * 2 + [cost.hop_y.value] * 2
    between = cost.hop_chip.value
    if network is not None:
        along, between = [network.interval.value] * 4, network.interval_chip.value
    times = np.empty((4, size[1] + 1, size[0] + 1), np.int64)
    for link, seconds in enumerate(along):
        times[link] = picoseconds(seconds)
    column = place[0] + np.arange(size[0] + 1)
    times[0, :, column % chip == chip - 1] = picoseconds(between)
    times[1, :, column % chip == 0] = picoseconds(between)
    return times
