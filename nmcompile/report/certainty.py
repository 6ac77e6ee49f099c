"""Which figures stand on constants that are estimates, in words."""

from __future__ import annotations

from typing import Any

from nmcompile.report.units import percent, si

Figures = dict[str, Any]
OF_TIME = {  # the tables of a target that a model of time takes
    "fast": ("time_s",), "cycle": ("time_s", "network"), "timer loop": ("time_s", "timer_loop"),
    "cycle formula": ("cycle_formula",), "event pipeline (no steps)": ("event_pipeline",)}
OF_CORES = ("core", "board", "router")
BY_TIME = " (power that is known, times a time that is estimated)"
ROUNDING = 1e-6  # of a sum, within which it is whole


def accuracy_range(figures: Figures) -> tuple[float, float] | None:
    """Where the accuracy of more such samples lies with 95 %: Wilson's score interval."""
    from scipy.stats import binomtest

    if figures["accuracy"] is None:
        return None
    right = round(figures["accuracy"] * figures["samples"])
    found = binomtest(right, figures["samples"]).proportion_ci(0.95, "wilson")
    return float(found.low), float(found.high)


def on_estimates(figures: Figures) -> dict[str, float]:
    """Shares of a run's energy that stand on estimates, by the way they do; empty: none known.

    Static power that was measured stands on estimates too where these enter its time.
    """
    rows, total = figures["energy_by_constant"], figures["energy_j"]
    if rows is None or not total["total"]:
        return {}
    timed = bool(guessed_times(figures))
    shares = {"energies of events": 0.0, "static power": 0.0, "time": 0.0}
    for row in rows:
        guessed, static = row["known_as"] == "estimate", row["kind"] == "static"
        if guessed or (static and timed):
            way = "energies of events" if not static else "static power" if guessed else "time"
            shares[way] += row["energy_j"] / total["total"]
    return {way: share for way, share in shares.items() if share}


def guessed_share(figures: Figures) -> float | None:
    """Share of a run's energy that stands on estimates; None where the energy is not known."""
    if figures["energy_j"] is None or not figures["energy_j"]["total"]:
        return None
    share = sum(on_estimates(figures).values())
    return 1.0 if abs(share - 1) < ROUNDING else share


def guessed_words(figures: Figures) -> str | None:
    """How much of a run's energy stands on estimates, and by what; None where nothing does."""
    ways, share = on_estimates(figures), guessed_share(figures)
    if not ways or share is None:
        return None
    much = "all" if share == 1 else percent(share)
    if len(ways) == 1:
        return f"{much} of it on estimates, by {next(iter(ways))}"
    parts = ", ".join(f"{percent(part)} by {way}" for way, part in ways.items())
    return f"{much} of it on estimates: {parts}"


def known_bound(figures: Figures) -> tuple[float, float, str] | None:
    """From where to where the joules of a run are by the errors that are known, and whose.

    Times and counts are as they are. None where all errors are known, or none.
    """
    rows, ranges = figures["energy_by_constant"], figures["energy_range_j"]
    if rows is None or ranges["total"] is not None:
        return None
    known = [row for row in rows if row["energy_j"] and row["energy_range_j"]]
    if not known:
        return None
    rest = figures["energy_j"]["total"] - sum(row["energy_j"] for row in known)
    low, high = (rest + sum(row["energy_range_j"][end] for row in known)
                 for end in ("low", "high"))
    names = ", ".join("static power" if row["kind"] == "static" else row["constant"]
                      for row in known)
    return low, high, names


def energy_error(figures: Figures) -> str:
    """From where to where the energy of a sample may be, in words."""
    ends, samples = figures["energy_range_j"]["total"], figures["samples"]
    if ends is not None:
        return f"{si(ends['low'] / samples, 'J')} to {si(ends['high'] / samples, 'J')}"
    bound = known_bound(figures)
    if bound is None:
        return "error not known"
    low, high, names = bound
    return (f"error not known in all; that of {names} alone makes {si(low / samples, 'J')} to "
            f"{si(high / samples, 'J')}")


def steps_words(figures: Figures) -> str:
    """Steps of the chip that a sample takes, and how many of these are the network's."""
    latency, own = figures["latency_s"], figures["steps"]
    mean, each = latency["per_step_mean"], si(latency["per_step_mean"], "s")
    taken = latency["per_sample_mean"] / mean if mean else own
    plural = "s" if taken != 1 else ""
    if abs(taken - own) < ROUNDING * own:
        return f"{own:,} step{'s' if own != 1 else ''} of {each} on average"
    if figures["exit"] is None and taken > own:
        return (f"{taken:,.6g} step{plural} of the chip ({own:,} and {taken - own:,.6g} until the "
                f"last output) of {each} on average")
    return f"{taken:,.6g} step{plural} of the chip of {each} on average"


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
    if guessed_share(figures) is not None:
        told = guessed_words(figures) or "none of it on estimates"
        events = [row["constant"] for row in figures["energy_by_constant"]
                  if row["known_as"] == "estimate" and row["energy_j"]]
        timed = "time" in on_estimates(figures)
        rows.append(("energy", "counts times the target's constants, and static power times time; "
                     f"{told}{BY_TIME if timed else ''}",
                     [*events, *(guessed_times(figures) if timed else [])]))
    rows.append(("cores in use", "the network laid on the chip within the limits of its cores",
                 _estimates(figures, *OF_CORES)))
    return rows
