"""Energy times delay of a step, from what keeps cores busy and how many packets are sent."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.events import MICRO
from nmcompile.target import Target


class Product:
    """The prediction for one target and one record of spikes.

    packet_out  microseconds that a core spends for a packet that it sends
    """

    def __init__(self, target: Target, fixed_j: float, steps: int) -> None:
        self._target, self._fixed_j, self._steps = target, fixed_j, steps
        self.packet_out = target.times.packet_out.value * MICRO

    def of(self, load: Array, packets: Array | float, n_cores: int) -> Array:
        """(k,) energy times delay; load (k, steps) are eighth powers of microseconds, summed."""
        step = self._ticked(root(load) / MICRO + self._barrier(n_cores)).mean(axis=1)
        return np.asarray(self.energy(packets, n_cores, step) * step)

    def step(self, busy: Array, n_cores: int) -> float:
        """Seconds of the mean step; busy (steps,) are microseconds of the busiest core."""
        return float(self._ticked(busy / MICRO + self._barrier(n_cores)).mean())

    def energy(self, packets: Array | float, n_cores: int, step: Array | float) -> Array | float:
        """Joules of the mean step; `packets` in all steps, which may be many numbers."""
        cost, board = self._target.energies, self._target.board
        chips = min(-(-n_cores // self._target.cores_per_chip), board.chips.value)
        each = cost.packet_out.value + cost.packet_in.value
        static = self._target.power.static.value * chips * step
        return self._fixed_j + packets / self._steps * each + static

    def _ticked(self, seconds: Array) -> Array:
        tick = self._target.times.tick
        return seconds if tick is None else np.maximum(seconds, tick.value)

    def _barrier(self, n_cores: int) -> float:
        points = np.array(self._target.times.barrier.value)
        tiles = -(-n_cores // self._target.board.cores_per_tile.value)
        return float(np.interp(tiles, points[:, 0], points[:, 1]))


def power(busy: Array) -> Array:
    """(k, steps) eighth powers of both kinds of work (k, 2, steps), summed."""
    squared = busy * busy
    fourth = squared * squared
    return np.asarray((fourth * fourth).sum(axis=1))


def root(load: Array) -> Array:
    """Eighth root, in operations that round alike on all machines."""
    return np.sqrt(np.sqrt(np.sqrt(load)))
