"""Which figures stand on constants that are estimates, in words."""

from __future__ import annotations

from typing import Any

from nmcompile.report.units import percent

Figures = dict[str, Any]
OF_TIME = {  # the tables of a target that a model of time takes
    "fast": ("time_s",), "cycle": ("time_s", "network"), "timer loop": ("time_s", "timer_loop"),
    "cycle formula": ("cycle_formula",), "event pipeline (no steps)": ("event_pipeline",)}
OF_CORES = ("core", "board", "router")


def accuracy_range(figures: Figures) -> tuple[float, float] | None:
    """Where the accuracy of more such samples lies with 95 %: Wilson's score interval."""
    from scipy.stats import binomtest

    if figures["accuracy"] is None:
        return None
    right = round(figures["accuracy"] * figures["samples"])
    found = binomtest(right, figures["samples"]).proportion_ci(0.95, "wilson")
    return float(found.low), float(found.high)


def guessed_share(figures: Figures) -> float | None:
    """Share of a run's energy that stands on estimates; None where the energy is not known."""
    rows, total = figures["energy_by_constant"], figures["energy_j"]
    if rows is None or not total["total"]:
        return None
    return sum(row["energy_j"] for row in rows if row["known_as"] == "estimate") / total["total"]


def guessed_times(figures: Figures) -> list[str]:
    """The target's estimates that enter the times of a run, by the model of time."""
    known = OF_TIME.get(figures["timing"], ("time_s",))
    return _estimates(figures, *known)


def _estimates(figures: Figures, *tables: str) -> list[str]:
    return [name for name in figures["estimated"] if name.partition(".")[0] in tables]


def certainty(figures: Figures) -> list[tuple[str, str, list[str]]]:
    """Each kind of figure, how it comes about, and the estimates that enter it."""
    rows: list[tuple[str, str, list[str]]] = []
    if figures["samples"] is not None:
        late = "; late cores change them, so that constants of time enter" if any(
            figures["late"].values()) else "; no constant enters"
        rows.append(("accuracy, spikes, membranes, packets",
                     f"counted in a run of the chip's arithmetic{late}", []))
    if figures["latency_s"] is not None:
        rows.append(("time", f"{figures['timing']} timing, from counts and the target's constants",
                     guessed_times(figures)))
    share = guessed_share(figures)
    if share is not None:
        rows.append(("energy", "counts times the target's constants, and static power times time; "
                     f"{percent(share)} of it on estimates",
                     [row["constant"] for row in figures["energy_by_constant"]
                      if row["known_as"] == "estimate" and row["energy_j"]]))
    rows.append(("cores in use", "the network laid on the chip within the limits of its cores",
                 _estimates(figures, *OF_CORES)))
    return rows
