"""Networks of activations in the form that a chip takes, each with the check of what it costs."""

from __future__ import annotations

from collections.abc import Callable

from nmcompile.checks import Check
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.convert import Conversion, convert, convert_to_changes, to_levels
from nmcompile.stages import Data

Progress = Callable[[str], None]
Figures = dict[str, float | int | str | None]


def to_rates(
    network: Network, data: Data, conversion: Conversion, progress: Progress
) -> tuple[Network, Check]:
    """`network` of activations as neurons that count, with the loss on `data`."""
    found = convert(network, data.inputs, conversion, lambda name: progress(f"convert {name}"))
    best, *others = found.trials
    figures: Figures = {
        "decisions_equal": best.decisions_equal, "samples": len(found.after),
        "steps": conversion.steps, "balance": best.balance, "output_error": best.error,
    }
    rest = ", ".join(f"{t.balance} {100 * t.decisions_equal:.2f} %" for t in others)
    text = (
        f"{100 * best.decisions_equal:.2f} % of {len(found.after)} decisions equal after "
        f"{conversion.steps} steps, thresholds {best.balance}{f' ({rest})' if rest else ''}"
    )
    return found.network, _with_accuracy(text, figures, data, found.before, found.after)


def to_changes(
    network: Network, data: Data, conversion: Conversion, progress: Progress
) -> tuple[Network, Check]:
    """`network` of activations as neurons that send changes, with the loss on `data`."""
    progress("convert")
    found = convert_to_changes(network, data.inputs, conversion.tolerance)
    trial = found.trial
    figures: Figures = {
        "decisions_equal": trial.decisions_equal, "samples": len(found.after),
        "tolerance": trial.tolerance, "sent": trial.sent, "output_error": trial.error,
    }
    text = (
        f"{100 * trial.decisions_equal:.2f} % of {len(found.after)} decisions equal in a stream of "
        f"them, changes of {trial.tolerance:g} of what a layer sends or more are sent: "
        f"{100 * trial.sent:.1f} % of all values"
    )
    return found.network, _with_accuracy(text, figures, data, found.before, found.after)


def in_levels(
    network: Network, latency: dict[str, int], data: Data, bits: int
) -> tuple[Network, Check]:
    """`network` whose activations are in levels of `bits`: a stated loss, as for quantize."""
    found = to_levels(network, latency, data.inputs, bits)
    same = float((found.before == found.after).mean())
    trained = sum(getattr(p.neuron, "levels", 0) > 0 for p in network.populations)
    kept = f", {trained} as trained" if trained else ""
    text = (f"{100 * same:.2f} % of {len(found.after)} decisions equal with activations of {bits} "
            f"bits in {len(found.tops)} layers{kept}")
    figures: Figures = {"decisions_equal": same, "samples": len(found.after), "bits": bits}
    return found.network, _with_accuracy(
        text, figures, data, found.before, found.after, arrow="levels")


def _with_accuracy(
    text: str, figures: Figures, data: Data, before: Array, after: Array, arrow: str = "convert"
) -> Check:
    """The check of a conversion; where the data have labels, with both accuracies."""
    if data.labels is None:
        return Check(arrow=arrow, text=text, figures=figures)
    known = data.labels[: len(after)]
    right = [float((decided == known).mean()) for decided in (before, after)]
    return Check(
        arrow=arrow, text=f"{text}; accuracy {100 * right[0]:.2f} % -> {100 * right[1]:.2f} %",
        figures={**figures, "accuracy_before": right[0], "accuracy_after": right[1]})
