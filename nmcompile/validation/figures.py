"""A validation as plain data: what was measured, what was predicted, and the first difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from nmcompile.build import Build
from nmcompile.device import Recording
from nmcompile.ir.neurons.base import Array
from nmcompile.report import run_figures
from nmcompile.simulation import TIMING, timing_of
from nmcompile.simulator import Samples, simulate
from nmcompile.validation.divergence import Divergence

TIES = 5  # explanations that are listed


def measured_figures(
    build: Build, inputs: Mapping[str, Samples], recordings: list[Recording]
) -> dict[str, Any]:
    """Seconds and joules of a sample that the device measured beside the simulator's.

    None where the device measured nothing; the simulator then does not run. What is predicted is
    None where the target does not know what events cost.
    """
    step_s = _all([r.step_s for r in recordings])
    sample_s = _all([r.sample_s for r in recordings])
    energy = _all([r.energy_j for r in recordings])
    if sample_s is None and step_s is not None:
        sample_s = step_s.sum(axis=1)
    if sample_s is None and energy is None:
        return {"latency_s": None, "energy_j": None, "boundary": None}
    run = simulate(build.program, inputs, timing=timing_of(build.program, TIMING))
    predicted = run_figures(build.figures, build.program, run, None)
    expected = predicted["latency_s"] or {"per_sample_mean": None, "per_sample_range": None}
    latency = None if sample_s is None else {
        "measured": float(sample_s.mean()), "measured_step_max": _most(step_s),
        "predicted": expected["per_sample_mean"],
        "predicted_range": expected["per_sample_range"]}
    return {
        "latency_s": latency,
        "energy_j": None if energy is None else {
            "measured": float(energy.mean()), "predicted": predicted["energy_per_sample_j"]},
        "boundary": "; ".join(sorted({r.boundary for r in recordings if r.boundary})) or None,
    }


def divergence_figures(found: Divergence) -> dict[str, Any]:
    """The first difference and what explains it."""
    return {
        "sample": found.sample, "step": found.place.step, "population": found.place.population,
        "neuron": found.place.neuron, "variable": found.place.variable,
        "spikes": {"reference": found.sent[0], "device": found.sent[1]},
        "states": _sides(found.states), "states_before": _sides(found.before),
        "incoming": list(found.incoming), "incoming_left_out": found.incoming_left_out,
        "incoming_unknown": list(found.unknown),
        "differing": found.differing, "samples": found.samples,
        "explanations": [asdict(e) for e in found.explanations[:TIES]],
        "explanations_left_out": max(0, len(found.explanations) - TIES),
        "beside": list(found.beside), "shifts": found.shifts,
    }


def _sides(values: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    return {name: {"reference": ours, "device": theirs} for name, (ours, theirs) in values.items()}


def _all(parts: list[Array | None]) -> Array | None:
    """What all batches measured; None where one did not."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known and len(known) == len(parts) else None


def _most(step_s: Array | None) -> float | None:
    return None if step_s is None else float(step_s.max())
