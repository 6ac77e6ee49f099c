"""Random cores of TrueNorth neurons: one group for each combination of modes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from nmcompile_backends.truenorth.arithmetic import TrueNorthNeuron
from nmcompile_backends.truenorth.crossbar import Crossbar, fit

from nmcompile.ir.neurons import Reset

MODES = tuple(product((Reset.ZERO, Reset.SUBTRACT, Reset.NONE), (False, True), (True, False),
                      (True, False)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Neurons of the same modes on a crossbar, and the spikes of its axons (steps, axons)."""

    neuron: TrueNorthNeuron
    crossbar: Crossbar
    spikes: np.ndarray

    def run(self) -> tuple[np.ndarray, np.ndarray]:
        """V and spikes, (steps, neurons), by the readable step."""
        matrix, state = self.crossbar.matrix(), self.neuron.initial_state((1, self.size))
        membranes, fired = [], []
        for active in self.spikes:
            state, out = self.neuron.step(state, (matrix @ active.astype(np.int64))[None])
            membranes.append(state["v"][0])
            fired.append(out[0])
        return np.array(membranes), np.array(fired)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.crossbar.bits)


def random_group(
    seed: int, modes: tuple[Reset, bool, bool, bool], size: int, axons: int = 96, steps: int = 200
) -> Group:
    """`size` neurons of `modes` (reset, reversal, settles, saturates)."""
    rng = np.random.default_rng(seed)
    reset, reversal, settles, saturates = modes
    types = rng.integers(0, 4, axons)
    values = (rng.integers(-255, 256, (size, 4)) / rng.choice([1, 1, 8, 60], (size, 1))).astype(int)
    one_sided = abs(values) * rng.choice([-1, 1], (size, 1))
    values = np.where(rng.random((size, 1)) < 0.5, values, one_sided)
    wanted = values[:, types] * (rng.random((size, axons)) < 0.5)
    neuron = TrueNorthNeuron(
        leak=(rng.integers(-255, 256, size) / rng.choice([1, 20], size)).astype(np.int32),
        threshold=rng.integers(0, rng.choice([60, 3000, 2**18], size)).astype(np.int32),
        floor=rng.integers(0, rng.choice([60, 3000, 2**18], size)).astype(np.int32),
        reset_value=rng.integers(-40, 50, size).astype(np.int32),
        reset=reset, reversal=reversal, settles=settles, saturates=saturates,
        v_init=rng.integers(-50, 50, size).astype(np.int32))
    neuron.verify("group", (size,))
    rate = rng.uniform(0.05, 0.7)
    return Group(neuron=neuron, crossbar=fit(wanted, types),
                 spikes=(rng.random((steps, axons)) < rate).astype(np.int32))
