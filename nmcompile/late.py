"""What a program is told to expect whose cores are not done when the next tick begins."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Coupled, Program, Timing, rates_by_name
from nmcompile.simulator import Run, simulate

LATE = "late: "  # begins the note of a build
DELIVERIES = 1_000_000  # packets to cores that are looked at, about; one sample at least
LOST = "lost_packets"
WAYS = ("more chips (--chips), fewer spikes, or a longer tick (time_s.tick of the target, "
        "time_scale_factor of sPyNNaker)")


def told_of_late(
    program: Program, timing: Timing | None, sent: dict[str, Array]
) -> tuple[str, ...]:
    """Notes on cores that are late on a sample and on packets lost; none where cores wait.

    timing  the chip's own model of time
    sent    (samples, steps, *shape) payloads of each input, of which the first samples are run
    """
    if not isinstance(timing, Coupled):
        return ()
    samples, steps = next(iter(sent.values())).shape[:2]
    some = min(samples, max(1, int(DELIVERIES / (steps * max(1.0, _deliveries(program))))))
    run = simulate(program, {name: values[:some] for name, values in sent.items()}, timing=timing)
    seen = "of the sample" if some == samples else f"in the first {some:,} of {samples:,} samples"
    return _of_overruns(program, run, seen) + _of_lost(program, run, seen)


def _deliveries(program: Program) -> float:
    """Axons that spikes of a mean step take."""
    rates = rates_by_name(program.network, program.mapping.rates)
    return sum(float(np.diff(axons.start) @ rates[p.source].astype(float)) for p, axons in zip(
        program.network.projections, program.mapping.axons, strict=True))


def _of_overruns(program: Program, run: Run, seen: str) -> tuple[str, ...]:
    overran = 0 if run.overran is None else int(np.count_nonzero(run.overran))
    late = {name: each for name, each in run.late.items() if name != LOST and each.any()}
    if not overran and not late:
        return ()
    told = ", ".join(f"{name.replace('_', ' ')} {int(each.sum()):,}"
                     for name, each in late.items())
    where = _layers(program, np.sum([*late.values()], axis=0)) if late else ""
    return (f"{LATE}{overran:,} of {run.frames:,} ticks {seen} overrun"
            + f" on cores of {where} ({told})" * bool(late)
            + f"; what comes late changes spikes. What may help: {WAYS}",)


def _of_lost(program: Program, run: Run, seen: str) -> tuple[str, ...]:
    lost = run.late.get(LOST)
    if lost is None or not lost.any():
        return ()
    loop = program.target.timer_loop
    limit = f"; a core's buffer holds {loop.buffer.value:,} packets of a burst" if loop else ""
    return (f"{LATE}{int(lost.sum()):,} packets {seen} are lost in {run.frames:,} ticks, on cores "
            f"of {_layers(program, lost)}{limit}. What is lost changes spikes. What may help: "
            "fewer spikes, or input spikes spread over more steps",)


def _layers(program: Program, late: Array) -> str:
    """Names of the populations whose slices were, (slices,) counts."""
    return ", ".join(program.network.populations[i].name
                     for i in np.unique(program.mapping.slices.population[late > 0]))
