"""Latency against accuracy where samples stop once their output is decided."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.simulator import Exits, Run

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def exit_figures(run: Run, labels: Array | None, *, timed: bool = True) -> dict[str, Any] | None:
    """When samples stopped, and what lower confidences would have given; None if they could not.

    decided     how many samples stopped before their last step
    steps_mean  steps of the network until a sample stopped
    curve       for confidences up to the one asked for, of the same run: {"confidence",
                "steps_mean", "latency_mean_s", "accuracy"}; the last None without labels, that
                before it where the run is not `timed`
    """
    exits = run.exits
    if exits is None:
        return None
    asked = exits.at.confidence
    curve = [_point(run, threshold, _steps(exits, threshold), labels, timed)
             for threshold in THRESHOLDS if threshold < asked]
    curve.append(_point(run, asked, exits.steps, labels, timed))
    return {
        "confidence": asked, "scale": exits.at.scale,
        "decided": int(np.count_nonzero(exits.steps < run.steps)),
        "steps_mean": float(exits.steps.mean()), "curve": curve,
    }


def _steps(exits: Exits, threshold: float) -> Array:
    """(samples,) steps after which samples would have stopped at a lower `threshold`."""
    reached = exits.confidence >= threshold
    return np.where(reached.any(axis=1), np.minimum(reached.argmax(axis=1) + 1, exits.steps),
                    exits.steps)


def _point(
    run: Run, threshold: float, steps: Array, labels: Array | None, timed: bool
) -> dict[str, Any]:
    """The samples as if they had stopped after `steps` (samples,), at `threshold`."""
    exits, row = run.exits, np.arange(run.samples)
    assert exits is not None
    ran = np.minimum(steps + exits.lag, run.ran)
    seconds = np.cumsum(run.step_s, axis=1)[row, ran - 1]
    right = None if labels is None else float((exits.decided[row, steps - 1] == labels).mean())
    return {"confidence": threshold, "steps_mean": float(steps.mean()),
            "latency_mean_s": float(seconds.mean()) if timed else None, "accuracy": right}
