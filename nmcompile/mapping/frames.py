"""Who spiked in each step of a run, and what a model of a chip's time says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from nmcompile.errors import StepError
from nmcompile.ir.neurons.base import Array, State

Disturb = Callable[[str, int, int, Array], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """The spikes of a run of steps of one batch. A frame is one step of one sample.

    Frames lie step by step, in a step sample by sample.

    samples  of the batch
    start    (frames + 1,) int64; the spikes of frame i are start[i]:start[i + 1]
    sender   (spikes,) int32 number of the line or neuron, rising in a frame: lines of all inputs,
             then neurons of all populations, in the network's order
    payload  (spikes,) int32, what the spike carries
    """

    samples: int
    start: Array
    sender: Array
    payload: Array

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self) // self.samples


@dataclass(frozen=True, kw_only=True, eq=False)
class Costs:
    """What a block of frames takes, in sums by slice; where packets begin, the last are the inputs.

    step_s               (frames,) float64 seconds of each
    spikes, packets_out  (slices + 1,) int64
    hops                 (slices + 1, 3) int64: along x, along y, between chips
    events, packets_in   (slices,) int64
    busy_s               (slices,) float64, seconds in which each slice's core works for it; those
                         of one core add up to the seconds in which the core works
    overran              (frames,) int64 cores that were not done when the next step was due; None
                         where the model does not tell
    late                 what came too late on chips that do not wait for it: (slices,) int64 each
    """

    step_s: Array
    spikes: Array
    packets_out: Array
    hops: Array
    events: Array
    packets_in: Array
    busy_s: Array
    overran: Array | None = None
    late: dict[str, Array] = field(default_factory=dict)


class FrameError(StepError):
    """A fault that a model of time meets in one frame of a block; `Batch` says which of the run."""

    def __init__(self, where: str, what: str, hint: str = "", *, frame: int) -> None:
        super().__init__(where, what, hint)
        self.frame = frame


class Timing(Protocol):
    """A model of a chip's time. It may keep a state from one block of a batch to the next.

    A model that keeps much may have an attribute `sample_bytes: int`, the bytes that it keeps for
    each sample of a batch; batches are made smaller for it.

    name  as the report says it
    """

    name: str

    def begin(self, samples: int) -> None:
        """A new batch of `samples` starts."""

    def keep(self, rows: Array) -> None:
        """Only the samples of the batch at the places `rows` (k,), which rise, go on."""

    def add(self, frames: Frames) -> Costs:
        """What the next block takes; a model may raise FrameError."""


class Log(Protocol):
    """What is kept of a run beside its frames. Threads call it, each for samples of its own."""

    def watches(self, population: str) -> bool:
        """Whether it takes the states of a population, and so is told of each step by itself."""

    def add(self, population: str, step: int, sample: int, spikes: Array, state: State) -> None:
        """Keep some steps of some samples.

        step, sample  of the chip and of the batch, the first ones
        spikes        (steps, samples, n) int32
        state         after the last of these steps, (samples, n) each; of a population whose states
                      are not taken it may be empty
        """


@runtime_checkable
class Coupled(Timing, Protocol):
    """A model of a chip on which time changes spikes: it computes them, in place of the engine.

    `begin` comes first, then `run`, or `watch` and then `advance` again and again; `add` is given
    what these have handed on, step by step.

    sample_bytes, step_bytes  that it keeps of a sample, and of each of its steps
    """

    sample_bytes: int
    step_bytes: int

    def run(
        self, inputs: dict[str, Array], chip_steps: int, log: Log,
        hand_on: Callable[[Frames], bool] | None = None, disturb: Disturb | None = None,
    ) -> None:
        """Run a batch of samples from a reset chip.

        inputs   name -> (samples, steps, *shape) integer payloads; zero once these steps are over
        hand_on  is given all that is sent, some steps at a time, in order; says whether to go on.
                 None where nobody asks
        disturb  may change what the input or population of a name sends, (steps, samples, n) int32,
                 in place; it is told the first step and the first sample of the batch
        """

    def watch(self, log: Log, disturb: Disturb | None = None) -> None:
        """Tell `log` of all that comes; `disturb` as of `run`."""

    def advance(
        self, inputs: dict[str, Array], steps: range, log: Log, over: bool = False
    ) -> Frames:
        """Run the next `steps` of the batch, and hand on all that nothing changes any more.

        Where the run is `over`, that is everything.
        """
