"""Which figures stand on constants that are estimates, in words."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]
OF_TIME = "time_s", "network", "cycle_formula", "event_pipeline", "timer_loop"
OF_ENERGY = "energy_j", "power_w"
OUTSIDE = "io",


def guessed_share(figures: Figures) -> float | None:
    """Share of a run's energy that stands on estimates; None where the energy is not known."""
    rows, total = figures["energy_by_constant"], figures["energy_j"]
    if rows is None or not total["total"]:
        return None
    return sum(row["energy_j"] for row in rows if row["known_as"] == "estimate") / total["total"]


def estimates(figures: Figures, *groups: str) -> list[str]:
    """The target's estimated constants of `groups`, as "core" or "time_s"."""
    return [name for name in figures["estimated"] if name.partition(".")[0] in groups]


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
                     estimates(figures, *OF_TIME)))
    if figures["energy_j"] is not None:
        share = guessed_share(figures)
        text = "counts times the target's constants, and static power times time"
        if share is not None:
            text += f"; {100 * share:.0f} % of it on estimates"
        rows.append(("energy", text, estimates(figures, *OF_ENERGY)))
    others = [name for name in figures["estimated"]
              if name.partition(".")[0] not in (*OF_TIME, *OF_ENERGY, *OUTSIDE)]
    rows.append(("cores in use", "the network laid on the chip within the limits of its cores",
                 others))
    return rows
