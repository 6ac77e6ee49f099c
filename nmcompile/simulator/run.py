"""Run a program on its chip's model: spikes bit by bit, time and events step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np

from nmcompile.errors import Interrupted
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Costs, Coupled, Frames, Program, Timing
from nmcompile.simulator import exits
from nmcompile.simulator.batch import Batch, Progress, Setting, Spiked, together
from nmcompile.simulator.engine import Engine, Sent
from nmcompile.simulator.exits import Exit, Exits
from nmcompile.simulator.interrupts import heard
from nmcompile.simulator.packets import fast_timing
from nmcompile.simulator.perturb import Disturbance, Perturbation
from nmcompile.simulator.records import Memory, Records, Wanted, wanted

BATCH = 256  # samples that run at once, at most
STATES = 1 << 30  # bytes that the samples which run at once keep, if they are several
LINE = 12  # bytes that a line's payload in a step takes while it is made


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Events of a whole run by slice; where packets begin, the last entry is the inputs.

    spikes, packets_out  (slices + 1,) int64
    hops                 (slices + 1, 3) int64: along x, along y, between chips
    events, packets_in   (slices,) int64
    busy_s               (slices,) float64, seconds in which each slice's core works for it, summed
                         over steps; see `Costs`
    idle                 (slices,) int64 compartments in steps in which they have nothing to do,
                         where the target has a cost of its own for that; 0 elsewhere
    """

    spikes: Array
    packets_out: Array
    hops: Array
    events: Array
    packets_in: Array
    busy_s: Array
    idle: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Modes:
    """How a run differs from a plain one.

    exit_at  when samples stop before their last step
    perturb  which spikes are lost or added and how many cores are silent; noise on weights is in
             the program that `perturb.noisy` gives
    records  where variables are kept; in memory if None
    spiked   told, as the run goes on, (inputs + populations,) int64 how many further spikes each
             sent, in the network's order
    """

    exit_at: Exit | None = None
    perturb: Perturbation | None = None
    records: Records | None = None
    spiked: Spiked | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a simulation gave.

    timing      name of the model of time
    steps       steps of the network for each sample; the chip runs `chip_steps` of them, the
                last population lagging the first
    step_s      (samples, chip_steps) seconds of each step, 0 where a sample had stopped
    ran         (samples,) int64 steps of the chip that each sample ran
    scores      output name -> (samples, *shape): spike counts, or membranes summed over the steps
    records     population -> variable -> (samples, steps, *shape), in the network's own time; what
                a file keeps is not here
    overran     (samples, chip_steps) int64 cores that were not done when the next step began, on
                chips that do not wait for them; None on others
    late        what came too late there, and how often: (slices,) int64 each
    exits       when samples stopped, if they could
    stuck       (k,) cores that were silent
    """

    timing: str
    steps: int
    step_s: Array
    ran: Array
    counts: Counts
    scores: dict[str, Array]
    records: dict[str, dict[str, Array]]
    overran: Array | None = None
    late: dict[str, Array] = field(default_factory=dict)
    exits: Exits | None = None
    stuck: Array

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.step_s)

    @property
    def frames(self) -> int:
        """Steps of the chip that all samples together ran."""
        return int(self.ran.sum())


class Samples(Protocol):
    """Payloads of an input, (samples, steps, *shape): an array of integers, or what makes it.

    Numbers are signed and have up to 32 bits; few bits are quickest.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all samples."""

    def __getitem__(self, samples: slice, /) -> Array:
        """Some samples after each other."""


def simulate(
    program: Program,
    inputs: Mapping[str, Samples],
    *,
    timing: Timing | None = None,
    record: tuple[str, ...] | Wanted = (),
    modes: Modes = Modes(),
    progress: Progress = lambda frames: None,
) -> Run:
    """Run every sample from a reset chip.

    inputs    name -> (samples, steps, *shape) payloads
    timing    the model of the chip's time; from counts alone if None
    record    variables to keep, by population, or as `records.wanted` reads them
    progress  told how many further steps of samples are done, of samples times `chip_steps`

    Raises NmcError where there is nothing of what is to be kept, and Interrupted on Ctrl-C.
    """
    samples, steps = next(iter(inputs.values())).shape[:2]
    records = modes.records or Memory()
    asked = record if isinstance(record, dict) else wanted(program.network, record)
    records.open(program.network, asked, samples, steps)
    model, batches = timing or fast_timing(program), []
    engine = _engine(program, model)
    at_once = min(BATCH, max(1, STATES // _held(program, engine, model, steps)))
    with ThreadPoolExecutor(1) as timer:
        setting = Setting(
            program=program, timing=model, records=records, steps=steps, timer=timer,
            exit_at=modes.exit_at, progress=progress, spiked=modes.spiked,
            disturbance=Disturbance(program, modes.perturb) if modes.perturb else None)
        try:
            with heard() as look:
                for first in range(0, samples, at_once):
                    given = {name: values[first : first + at_once]
                             for name, values in inputs.items()}
                    batches.append(Batch(setting, first, min(at_once, samples - first)))
                    _run_batch(engine, setting, batches[-1], given, batches[-1].hand_on, look)
        except KeyboardInterrupt:
            raise Interrupted(_how_far(setting, batches, samples)) from None
    return _run(setting, batches)


def _engine(program: Program, timing: Timing) -> Engine | Coupled:
    """What computes spikes: the chip's own model of time, where they depend on it."""
    return timing if isinstance(timing, Coupled) else Engine(program)


def _held(program: Program, engine: Engine | Coupled, timing: Timing, steps: int) -> int:
    """Bytes that a sample of so many steps takes."""
    lines = sum(port.size for port in program.network.inputs)
    held = engine.sample_bytes + LINE * lines * steps
    if isinstance(engine, Coupled):
        return held + steps * engine.step_bytes
    return held + int(getattr(timing, "sample_bytes", 0))


def _how_far(setting: Setting, batches: list[Batch], samples: int) -> str:
    """What a run had done when it was interrupted."""
    if not batches:
        return f"interrupted before the first of {samples:,} samples"
    last = batches[-1]
    return (f"interrupted after {last.step:,} of {setting.chip_steps:,} steps of samples "
            f"{last.first + 1:,} to {last.first + len(last.step_s):,}; {last.first:,} of "
            f"{samples:,} samples were done")


def each_step(
    program: Program, inputs: Mapping[str, Samples], take: Callable[[Costs], bool], *,
    timing: Timing | None = None, modes: Modes = Modes(),
) -> None:
    """Run the first of the samples in `inputs` and hand on what each step takes, by itself.

    take  says whether it wants the next step; the run ends where it does not

    Raises Interrupted on Ctrl-C.
    """
    setting = Setting(
        program=program, timing=timing or fast_timing(program), records=Memory(),
        steps=next(iter(inputs.values())).shape[1], exit_at=modes.exit_at, single_steps=True,
        disturbance=Disturbance(program, modes.perturb) if modes.perturb else None)
    batch = Batch(setting, 0, 1)
    first = {name: values[:1] for name, values in inputs.items()}

    def hand_on(frames: Frames) -> bool:
        more = batch.hand_on(frames)
        steps, batch.costs = batch.costs, []
        return all(take(step) for step in steps) and more

    try:
        with heard() as look:
            _run_batch(
                _engine(program, setting.timing), setting, batch, first, hand_on, look)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted after {batch.step:,} of {setting.chip_steps:,} steps of the first sample "
            "for the timeline; all samples were done") from None


def _run_batch(
    engine: Engine | Coupled, setting: Setting, batch: Batch, inputs: Sent,
    hand_on: Callable[[Frames], bool], look: Callable[[], None],
) -> None:
    """Run one batch; `look` is called between blocks, and interrupts."""
    def handed_on(frames: Frames) -> bool:
        look()
        return hand_on(frames)

    engine.run(inputs, setting.chip_steps, batch.log, handed_on,
               None if setting.disturbance is None else batch.disturb)
    look()
    batch.end()


def _run(setting: Setting, batches: list[Batch]) -> Run:
    """The samples of all batches after each other."""
    scores = {name: np.concatenate([batch.log.scores[name] for batch in batches])
              for name in batches[0].log.scores}
    costs = together([block for batch in batches for block in batch.costs])
    watches = [batch.watch.exits for batch in batches if batch.watch is not None]
    disturbance, records = setting.disturbance, setting.records
    idle = sum((batch.log.idle.by_slice for batch in batches if batch.log.idle is not None),
               np.zeros_like(costs.events))
    return Run(
        timing=setting.timing.name,
        steps=setting.steps,
        step_s=np.concatenate([batch.step_s for batch in batches]),
        ran=np.concatenate([batch.ran for batch in batches]),
        counts=Counts(idle=idle, **{f.name: getattr(costs, f.name) for f in fields(Counts)
                                    if f.name != "idle"}),
        scores=scores,
        overran=(np.concatenate([batch.overran for batch in batches])
                 if costs.overran is not None else None),
        late=costs.late,
        records=records.values if isinstance(records, Memory) else {},
        exits=exits.joined(watches) if watches else None,
        stuck=np.zeros(0, np.int32) if disturbance is None else disturbance.cores)
