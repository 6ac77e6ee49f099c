"""Latency against accuracy where samples stop once their output is decided."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.simulator import Exits, Run

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


def exit_figures(run: Run, labels: Array | None) -> dict[str, Any] | None:
    """When samples stopped, and what lower confidences would have given; None if they could not.

    decided     how many samples stopped before their last step
    steps_mean  steps of the network until a sample stopped
    curve       for confidences up to the one asked for, of the same run: {"confidence",
                "steps_mean", "latency_mean_s", "accuracy"}, the last None without labels
    """
    exits = run.exits
    if exits is None:
        return None
    asked = exits.at.confidence
    curve = [_point(run, exits, threshold, labels)
             for threshold in (*(t for t in THRESHOLDS if t < asked), asked)]
    return {
        "confidence": asked, "scale": exits.at.scale,
        "decided": int(np.count_nonzero(exits.steps < run.steps)),
        "steps_mean": float(exits.steps.mean()), "curve": curve,
    }


def _point(run: Run, exits: Exits, threshold: float, labels: Array | None) -> dict[str, Any]:
    """The samples as if they had stopped at `threshold`."""
    last = exits.steps - 1
    reached = exits.confidence >= threshold
    step = np.where(reached.any(axis=1), np.minimum(reached.argmax(axis=1), last), last)
    row = np.arange(run.samples)
    ran = np.minimum(step + 1 + exits.lag, run.ran)
    seconds = np.cumsum(run.step_s, axis=1)[row, ran - 1]
    right = None if labels is None else float((exits.decided[row, step] == labels).mean())
    return {"confidence": threshold, "steps_mean": float((step + 1).mean()),
            "latency_mean_s": float(seconds.mean()), "accuracy": right}
