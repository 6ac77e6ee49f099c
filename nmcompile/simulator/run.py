"""Run a program on its chip's model: spikes bit by bit, time and events step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nmcompile.ir.neurons.base import Array, State
from nmcompile.mapping import Costs, Program, Timing
from nmcompile.simulator.engine import Engine, Sent
from nmcompile.simulator.frames import Collector
from nmcompile.simulator.log import Log
from nmcompile.simulator.packets import fast_timing

BATCH = 256  # samples that run at once
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Events of a whole run by slice; where packets begin, the last entry is the inputs.

    spikes, packets_out  (slices + 1,) int64
    hops                 (slices + 1, 3) int64: along x, along y, between chips
    events, packets_in   (slices,) int64
    busy_s               (slices,) float64, seconds in which each slice works, summed over steps
    """

    spikes: Array
    packets_out: Array
    hops: Array
    events: Array
    packets_in: Array
    busy_s: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a simulation gave.

    steps       steps of the network for each sample; the chip runs `chip_steps` of them, the
                last population lagging the first
    step_s      (samples, chip_steps) seconds of each step
    scores      output name -> (samples, *shape): spike counts, or membranes summed over the steps
    records     population -> variable -> (samples, steps, *shape), in the network's own time
    """

    steps: int
    step_s: Array
    counts: Counts
    scores: dict[str, Array]
    records: dict[str, dict[str, Array]]

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.step_s)


def simulate(
    program: Program,
    inputs: dict[str, Array],
    *,
    timing: Timing | None = None,
    record: tuple[str, ...] = (),
    progress: Progress = lambda samples: None,
) -> Run:
    """Run every sample from a reset chip.

    inputs    name -> (samples, steps, *shape) int32 payloads
    timing    the model of the chip's time; from counts alone if None
    record    of "spikes", "v", "u": variables to keep of every population
    progress  told how many samples each finished batch had
    """
    samples = len(next(iter(inputs.values())))
    engine, timing = Engine(program), fast_timing(program) if timing is None else timing
    parts = []
    for begin in range(0, samples, BATCH):
        batch = {name: values[begin : begin + BATCH] for name, values in inputs.items()}
        parts.append(_run(program, engine, timing, batch, record))
        progress(len(parts[-1].step_s))
    return _joined(parts)


def _run(
    program: Program, engine: Engine, timing: Timing, inputs: Sent, record: tuple[str, ...]
) -> Run:
    """Run one batch."""
    samples, steps = next(iter(inputs.values())).shape[:2]
    chip_steps = steps + max(program.latency.values())
    log = Log(program, samples, steps, record)
    collector, found = Collector(program.network, samples), []
    timing.begin(samples)

    def listen(step: int, sent: Sent, states: dict[str, State]) -> None:
        log.add(step, sent, states)
        collector.add(sent)
        if collector.full or step == chip_steps - 1:
            found.append(timing.add(collector.take()))

    engine.run(inputs, chip_steps, listen)
    return Run(
        steps=steps,
        step_s=np.concatenate([part.step_s.reshape(-1, samples) for part in found]).T.copy(),
        counts=_counts(found),
        scores=log.scores(),
        records=log.records,
    )


def _counts(found: list[Costs]) -> Counts:
    """Sums over blocks."""
    return Counts(**{
        name: sum(getattr(part, name) for part in found)
        for name in Counts.__dataclass_fields__
    })


def _joined(parts: list[Run]) -> Run:
    if len(parts) == 1:
        return parts[0]
    counts = Counts(
        **{
            name: sum(getattr(part.counts, name) for part in parts)
            for name in Counts.__dataclass_fields__
        }
    )
    return Run(
        steps=parts[0].steps,
        step_s=np.concatenate([part.step_s for part in parts]),
        counts=counts,
        scores={
            name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores
        },
        records={
            population: {
                name: np.concatenate([part.records[population][name] for part in parts])
                for name in variables
            }
            for population, variables in parts[0].records.items()
        },
    )
