"""Which kinds, layers and steps the differences between two runs come from, in words."""

from __future__ import annotations

from typing import Any

from nmcompile.report.units import si

Figures = dict[str, Any]
TOLD = 3  # parts of a difference that are named
PARTS = 0.05  # of a difference, from which a part of it is
FEW = 100  # counts below which parts of one are told
ROUNDING = 1e-9  # of a difference, within which its parts leave no rest


def where_from(first: Figures, other: Figures) -> list[str]:
    """Which kinds, layers and steps the differences in energy, time, spikes and events come from.

    Parts that are named add up to the difference with what is told of the others.
    """
    if first["samples"] is None or other["samples"] is None:
        return []
    return [*_energy(first, other), *_time(first, other), *_counts("spikes", first, other),
            *_counts("synaptic_events", first, other)]


def _energy(first: Figures, other: Figures) -> list[str]:
    if first["energy_j"] is None or other["energy_j"] is None:
        return []
    before, after = ({kind: joules / figures["samples"]
                      for kind, joules in figures["energy_j"].items()}
                     for figures in (first, other))
    whole = after.pop("total") - before.pop("total")
    kinds = {kind: after[kind] - before[kind] for kind in before}
    layers = _by_layer(first, other, lambda row: row["energy_j"]["total"])
    return [*_largest("energy", "J", whole, kinds),
            *_largest("energy by layer", "J", whole, layers)]


def _time(first: Figures, other: Figures) -> list[str]:
    if first["latency_s"] is None or other["latency_s"] is None:
        return []
    whole, each = ([figures["latency_s"][name] for figures in (first, other)]
                   for name in ("per_sample_mean", "per_step_mean"))
    if whole[0] == whole[1] or not all(each):
        return []
    steps = [f"{seconds / step:.3g}" for seconds, step in zip(whole, each, strict=True)]
    told = [f"steps of the chip {' -> '.join(steps)}"] if steps[0] != steps[1] else []
    if each[0] != each[1]:
        told.append(f"a step {_to(each)} on average{_busiest(first, other, each)}")
    return [": ".join(filter(None, (f"latency {_signed(whole[1] - whole[0], 's')} a sample",
                                    ", ".join(told))))]


def _busiest(first: Figures, other: Figures, each: list[float]) -> str:
    """The layer whose busiest part changed the most as the step did, with its work a step.

    each  seconds of a step of both
    """
    work = {a["name"]: [a["latency_s"], b["latency_s"]]
            for a, b in zip(first["layers"], other["layers"], strict=False)}
    if [row["name"] for row in other["layers"]] != [row["name"] for row in first["layers"]]:
        return ""
    way = 1 if each[1] > each[0] else -1
    name = max(work, key=lambda layer: way * (work[layer][1] - work[layer][0]))
    if way * (work[name][1] - work[name][0]) <= 0:
        return ""
    return f", of which the busiest part of {name} works {_to(work[name])}"


def _counts(name: str, first: Figures, other: Figures) -> list[str]:
    layers = _by_layer(first, other, lambda row: row[name])
    return _largest(name.replace("_", " "), "", sum(layers.values()), layers)


def _by_layer(first: Figures, other: Figures, value: Any) -> dict[str, float]:
    """Difference of a sample by layer; empty where the builds have other layers."""
    names = [[row["name"] for row in figures["layers"]] for figures in (first, other)]
    if names[0] != names[1]:
        return {}
    return {a["name"]: value(b) / other["samples"] - value(a) / first["samples"]
            for a, b in zip(first["layers"], other["layers"], strict=True)}


def _largest(name: str, unit: str, whole: float, parts: dict[str, float]) -> list[str]:
    """The parts that make most of a difference, and what the others make, in words."""
    told = sorted((p for p in parts.items() if abs(p[1]) > PARTS * abs(whole)),
                  key=lambda part: -abs(part[1]))[:TOLD]
    if not whole or not told:
        return []
    rest = whole - sum(value for _, value in told)
    if abs(rest) > ROUNDING * abs(whole):
        told.append(("others", rest))
    return [f"{name} {_signed(whole, unit)} a sample: "
            + ", ".join(f"{part} {_signed(value, unit)}" for part, value in told)]


def _to(seconds: list[float]) -> str:
    return " -> ".join(si(each, "s") for each in seconds)


def _signed(value: float, unit: str) -> str:
    if not unit:
        return f"{value:+,.0f}" if abs(value) >= FEW else f"{value:+.3g}"
    return f"{'-' if value < 0 else '+'}{si(abs(value), unit)}"
