"""What a comparison tells of each build, and where builds differ, in plain values and words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nmcompile.report.certainty import certainty, guessed_share, guessed_times
from nmcompile.report.units import si

Figures = dict[str, Any]
TOLD = 3  # parts of a difference that are named
PARTS = 0.05  # of a difference, from which a part of it is
FEW = 100  # counts below which parts of one are told
RUN = ("samples", "steps", "timing", "data", "perturbed")


def told_of(name: str, figures: Figures) -> Figures:
    """What a comparison shows of the build called `name`.

    layers     of each: neurons, cores, and of a sample spikes, packets and joules by kind; `busy_s`
               are seconds of work a step of its busiest part
    estimates  share of the energy on constants that are estimates, those that enter the time, and
               what `certainty` says
    """
    samples = figures["samples"]
    model = figures["model"]
    return {
        "name": name, "target": figures["target"], "title": figures["title"],
        "nmcompile": figures["nmcompile"], "model": model and model["name"],
        **{key: figures[key] for key in RUN},
        "layers": [_layer(row, samples) for row in figures["layers"]],
        "estimates": {"energy": guessed_share(figures),
                      "time": guessed_times(figures) if figures["latency_s"] else [],
                      "figures": [list(row) for row in certainty(figures)]},
        "yardsticks": figures["yardsticks"],
    }


def _layer(row: Figures, samples: int | None) -> Figures:
    joules = row["energy_j"]
    each = {name: None if row[name] is None or samples is None else row[name] / samples
            for name in ("spikes", "packets")}
    return {"name": row["name"], "neurons": row["neurons"], "cores": row["cores"], **each,
            "busy_s": row["latency_s"],
            "energy_j": joules and {kind: value / samples for kind, value in joules.items()}}


def made_otherwise(first: tuple[Figures, Figures], other: tuple[Figures, Figures]) -> list[str]:
    """What was made otherwise, in words; each is a build's report and its manifest."""
    both = [name for name in RUN if first[0][name] is not None and other[0][name] is not None]
    said = [f"{name} {_word(before)} -> {_word(after)}"
            for (name, before), (_, after) in zip(
                _choices(*first, other[1], both), _choices(*other, first[1], both), strict=True)
            if before != after]
    if first[1].get("model_sha256") != other[1].get("model_sha256"):
        said.insert(0, "the models' files differ")
    if "data" in both and first[0]["data"]["sha256"] != other[0]["data"]["sha256"]:
        said.append("the samples differ")
    widths = [{row["name"]: row["weight_bits"] for row in manifest.get("layers", ())}
              for _, manifest in (first, other)]
    changed = [f"{name} {widths[0][name]} -> {widths[1][name]}" for name in widths[0]
               if name in widths[1] and widths[0][name] != widths[1][name]]
    if changed:
        said.append(f"bits of weights: {_listed(changed)}")
    return said


def _choices(
    figures: Figures, manifest: Figures, beside: Figures, both: list[str]
) -> Iterator[tuple[str, Any]]:
    """Name and value of what may be made otherwise, of one of two builds.

    beside  the manifest of the other one
    both    what is told of the runs of both
    """
    yield "target", figures["target"]
    for name in ("model", "nmcompile"):
        yield name, manifest.get(name)
    options = manifest.get("options", {})
    for name in sorted({*options, *beside.get("options", {})}):
        yield f"--{name.replace('_', '-')}", options.get(name)
    for name in ("steps", "cores", "chips"):
        yield name, figures[name]
    yield "simulated", "no" if figures["samples"] is None else "yes"
    if "samples" in both:
        wrong = figures["perturbed"]
        yield from ((name, figures[name]) for name in ("samples", "timing"))
        yield "perturbed", wrong and ", ".join(f"{name} {value}" for name, value in wrong.items())
    if "data" in both:
        yield from ((f"data's {name}", figures["data"][name])
                    for name in ("name", "encoding", "seed"))


def where_from(first: Figures, other: Figures) -> list[str]:
    """Which kinds, layers and steps the differences in energy, time and spikes come from."""
    if first["samples"] is None or other["samples"] is None:
        return []
    return [*_energy(first, other), *_time(first, other), *_spikes(first, other)]


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
    return [f"latency {_signed(whole[1] - whole[0], 's')} a sample: steps of the chip "
            f"{' -> '.join(steps)}, each {' -> '.join(si(step, 's') for step in each)}"]


def _spikes(first: Figures, other: Figures) -> list[str]:
    layers = _by_layer(first, other, lambda row: row["spikes"])
    return _largest("spikes", "", sum(layers.values()), layers)


def _by_layer(first: Figures, other: Figures, value: Any) -> dict[str, float]:
    """Difference of a sample by layer; empty where the builds have other layers."""
    names = [[row["name"] for row in figures["layers"]] for figures in (first, other)]
    if names[0] != names[1]:
        return {}
    return {a["name"]: value(b) / other["samples"] - value(a) / first["samples"]
            for a, b in zip(first["layers"], other["layers"], strict=True)}


def _largest(name: str, unit: str, whole: float, parts: dict[str, float]) -> list[str]:
    """The parts that make most of a difference, in words."""
    told = sorted((p for p in parts.items() if abs(p[1]) > PARTS * abs(whole)),
                  key=lambda part: -abs(part[1]))[:TOLD]
    if not whole or not told:
        return []
    return [f"{name} {_signed(whole, unit)} a sample: "
            + ", ".join(f"{part} {_signed(value, unit)}" for part, value in told)]


def _signed(value: float, unit: str) -> str:
    if not unit:
        return f"{value:+,.0f}" if abs(value) >= FEW else f"{value:+.3g}"
    return f"{'-' if value < 0 else '+'}{si(abs(value), unit)}"


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _listed(words: list[str]) -> str:
    rest = len(words) - TOLD
    return ", ".join(words[:TOLD]) + (f" and {rest} more" if rest > 0 else "")
