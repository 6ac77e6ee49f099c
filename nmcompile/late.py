"""What a program is told to expect whose cores are not done when the next tick begins."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Coupled, Program, Timing, rates_by_name
from nmcompile.simulator import Run, simulate

LATE = "late: "  # begins the note of a build
DELIVERIES = 1_000_000  # packets to cores that are looked at, about; one sample at least
WAYS = ("more chips (--chips), fewer spikes, or a longer tick (time_s.tick of the target, "
        "time_scale_factor of sPyNNaker)")


def told_of_late(
    program: Program, timing: Timing | None, sent: dict[str, Array]
) -> tuple[str, ...]:
    """The note on cores that are late on a sample; nothing where none is, or where cores wait.

    timing  the chip's own model of time
    sent    (samples, steps, *shape) payloads of each input, of which the first samples are run
    """
    if not isinstance(timing, Coupled):
        return ()
    samples, steps = next(iter(sent.values())).shape[:2]
    some = min(samples, max(1, int(DELIVERIES / (steps * max(1.0, _deliveries(program))))))
    run = simulate(program, {name: values[:some] for name, values in sent.items()}, timing=timing)
    return _note(program, run)


def _deliveries(program: Program) -> float:
    """Axons that spikes of a mean step take."""
    rates = rates_by_name(program.network, program.mapping.rates)
    return sum(float(np.diff(axons.start) @ rates[p.source].astype(float)) for p, axons in zip(
        program.network.projections, program.mapping.axons, strict=True))


def _note(program: Program, run: Run) -> tuple[str, ...]:
    overran = 0 if run.overran is None else int(np.count_nonzero(run.overran))
    counts = {name: int(each.sum()) for name, each in run.late.items() if each.any()}
    if not overran and not counts:
        return ()
    late = np.sum(list(run.late.values()), axis=0) > 0
    layers = [program.network.populations[i].name
              for i in np.unique(program.mapping.slices.population[late])]
    told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
    return (f"{LATE}{overran:,} of {run.frames:,} ticks of the sample overrun on cores of "
            f"{', '.join(layers)} ({told}); what comes late or is lost changes spikes. What may "
            f"help: {WAYS}",)
