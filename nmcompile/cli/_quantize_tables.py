"""What quantization costs, as tables for a terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from nmcompile.api import QuantizeResult
from nmcompile.cli._terminal import say, show_table
from nmcompile.number_formats import FormatRow
from nmcompile.passes.quantize import LayerError


def quantized_figures(found: QuantizeResult) -> dict[str, Any]:
    """All figures as plain data."""
    return {
        "checks": [asdict(check) for check in found.stage.checks],
        "notes": list(found.stage.notes),
        "layers": [_plain(error) for error in found.stage.errors],
        "formats": [asdict(row) for row in found.formats],
    }


def _plain(error: LayerError) -> dict[str, Any]:
    """`error` with the gains that occur, for a layer may have millions of neurons."""
    gain = None if error.gain is None else np.unique(error.gain).tolist()
    return {**asdict(replace(error, gain=None)), "gain": gain}


def print_layers(errors: tuple[LayerError, ...]) -> None:
    """Membrane errors over the threshold: of each way to choose the scale, and of what is kept."""
    methods = list(dict.fromkeys(t.method for error in errors for t in error.trials))
    columns = ["layer", "weights", "bits", *methods, "kept", "clipped", "overflows", "how"]
    rows = []
    for error in errors:
        tried = {trial.method: f"{trial.error:.3f}" for trial in error.trials}
        left = ", ".join(f"{state} {count:,}" for state, count in error.overflows.items() if count)
        rows.append((
            error.population, f"{error.weights:,}", error.width,
            *(tried.get(method, "") for method in methods), f"{error.error:.3f}",
            f"{error.clipped:,}", left or "0", error.kept))
    show_table(columns, rows, text=("how",))
    say("errors are root mean squares of the membrane over the threshold, weights "
        "rounded to nearest; kept is the least of all, as how says (own "
        "scales, of each channel or neuron, only where they are worth it)")


def print_formats(rows: tuple[FormatRow, ...]) -> None:
    """One line for each number format; nothing without any."""
    if not rows:
        return
    show_table(["format", "arithmetic", "weights", "spikes", "decisions", "accuracy"], [
        (row.name, row.arithmetic, f"{row.memory_bits / 8 / 1024:,.1f} KiB", f"{row.spikes:,}",
         f"{100 * row.decisions_equal:.2f} %",
         "" if row.accuracy is None else f"{100 * row.accuracy:.2f} %")
        for row in rows], left=("arithmetic",), names=())
