"""What lines and neurons send while a run goes by, in all steps of the chip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Coupled, Disturb, Frames, Log, Program, Timing
from nmcompile.simulator import TIMINGS


def senders(program: Program, timing: Timing) -> Senders:
    """What counts the spikes of a run with the model of time `timing`.

    Where that changes no spikes, the quickest one takes its place.
    """
    if isinstance(timing, Coupled):
        return CoupledSenders(program, timing)
    return Senders(program, TIMINGS["fast"](program))


class Senders:
    """A model of time that also counts what each line and neuron sends, in all steps of the chip.

    sent    (n,) int64 spikes of each, in the network's order
    frames  steps of the chip that samples ran
    """

    def __init__(self, program: Program, timing: Timing) -> None:
        self.name, self.frames = timing.name, 0
        self.sent = np.zeros(sum(node.size for node in program.network.nodes), np.int64)
        self._timing = timing

    def begin(self, samples: int) -> None:
        """See `Timing`."""
        self._timing.begin(samples)

    def keep(self, rows: Array) -> None:
        """See `Timing`."""
        self._timing.keep(rows)

    def add(self, frames: Frames) -> Costs:
        """See `Timing`."""
        self.sent += np.bincount(frames.sender, minlength=len(self.sent))
        self.frames += len(frames)
        return self._timing.add(frames)


class CoupledSenders(Senders):
    """The same of a model that computes the spikes."""

    def __init__(self, program: Program, timing: Coupled) -> None:
        super().__init__(program, timing)
        self._coupled = timing
        self.sample_bytes, self.step_bytes = timing.sample_bytes, timing.step_bytes

    def run(
        self, inputs: dict[str, Array], chip_steps: int, log: Log,
        hand_on: Callable[[Frames], bool] | None = None, disturb: Disturb | None = None,
    ) -> None:
        """See `Coupled`."""
        self._coupled.run(inputs, chip_steps, log, hand_on, disturb)

    def watch(self, log: Log, disturb: Disturb | None = None) -> None:
        """See `Coupled`."""
        self._coupled.watch(log, disturb)

    def advance(
        self, inputs: dict[str, Array], steps: range, log: Log, over: bool = False
    ) -> Frames:
        """See `Coupled`."""
        return self._coupled.advance(inputs, steps, log, over)
