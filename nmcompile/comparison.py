"""Builds beside each other: what they cost, by how much they differ, and where that comes from."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nmcompile.build import Build
from nmcompile.errors import MetricError, OptionError, OptionsError, unknown_name

Figures = dict[str, Any]
Value = float | int | None
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
GATE = re.compile(r"\s*([a-z_]+)\s*(<=|>=|<|>)\s*([+-]?[0-9.]+(?:e[+-]?[0-9]+)?)\s*(%?)\s*")
TOLD = 3  # parts of a difference that are named
PARTS = 0.05  # of a difference, from which a part of it is


def _of_run(*path: str) -> Callable[[Figures], Value]:
    def found(figures: Figures) -> Value:
        for name in path:
            if figures is None:
                return None
            figures = figures[name]
        return figures  # type: ignore[return-value]
    return found


def _sum(name: str) -> Callable[[Figures], Value]:
    def found(figures: Figures) -> Value:
        each = [layer[name] for layer in figures["layers"]]
        return None if None in each else sum(each) / figures["samples"]
    return found


def _power(figures: Figures) -> Value:
    energy, seconds = ENERGY(figures), LATENCY(figures)
    return energy / seconds if energy is not None and seconds else None


def _product(figures: Figures) -> Value:
    energy, seconds = ENERGY(figures), LATENCY(figures)
    return None if energy is None or seconds is None else energy * seconds


ENERGY, LATENCY = _of_run("energy_per_sample_j"), _of_run("latency_s", "per_sample_mean")
# name -> unit, what it is, how it is found; those of a run are of a sample on average
METRICS: dict[str, tuple[str, str, Callable[[Figures], Value]]] = {
    "accuracy": ("", "accuracy", _of_run("accuracy")),
    "latency_s": ("s", "latency of a sample", LATENCY),
    "step_max_s": ("s", "longest step", _of_run("latency_s", "per_step_max")),
    "energy_j": ("J", "energy of a sample", ENERGY),
    "power_w": ("W", "power while it runs", _power),
    "edp_js": ("J s", "energy times latency", _product),
    "spikes": ("", "spikes of a sample", _sum("spikes")),
    "synaptic_events": ("", "synaptic events of a sample", _sum("synaptic_events")),
    "packets": ("", "packets of a sample", _sum("packets")),
    "hops": ("", "hops of a sample", _sum("hops")),
    "cores": ("", "cores", _of_run("cores")),
    "chips": ("", "chips", _of_run("chips")),
}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A bound on a metric: on its value, or on its change against the first build in percent.

    text  as the user wrote it
    """

    text: str
    metric: str
    sign: str
    bound: float
    relative: bool

    def holds(self, value: float, first: float) -> bool:
        """Whether `value` of a build is within the bound; `first` is that of the first build."""
        found = 100 * (value / first - 1) if self.relative and first else value
        if self.relative and not first:
            found = 0.0 if value == first else float("inf")
        return SIGNS[self.sign](found, self.bound)


def parse_gate(text: str) -> Gate:
    """A gate as "energy_j<1e-3" or "latency_s<=+5%". Raises NmcError for what is none."""
    match = GATE.fullmatch(text)
    if match is None:
        raise OptionError("--gate", f"'{text}' is no METRIC<VALUE",
                          "As 'accuracy>=0.97', or 'energy_j<+5%' against the first build.")
    metric, sign, number, percent = match.groups()
    if metric not in METRICS:
        raise unknown_name("--gate", metric, METRICS)
    if percent and number[0] not in "+-":
        raise OptionError("--gate", f"'{text}': a percentage is a change against the first build",
                          f"Write it with its sign, as {metric}{sign}+{number}%, or as a number.")
    try:
        bound = float(number)
    except ValueError as error:
        raise OptionError("--gate", f"'{text}': '{number}' is no number") from error
    return Gate(text=text.strip(), metric=metric, sign=sign, bound=bound, relative=bool(percent))


def compare(builds: Sequence[Build], gates: Sequence[Gate] = ()) -> Figures:
    """Two builds or more beside each other, the first as what the others are held against.

    builds   folder, target and samples of each
    metrics  values of each build, and their change against the first, as a share; None where a
             build was not simulated, or has no labels
    causes   of each build but the first: what was made otherwise, and where differences come from
    gates    those that were asked for, and the builds that break them

    Raises NmcError where there are fewer than two builds, or a gate's metric is not known of one.
    """
    if len(builds) < 2:
        raise OptionsError("compare", "takes two builds or more")
    first = builds[0].figures
    rows: list[Figures] = []
    for metric, (unit, words, found) in METRICS.items():
        values = [found(build.figures) for build in builds]
        rows.append({"metric": metric, "words": words, "unit": unit, "values": values,
                     "changes": [_change(value, values[0]) for value in values]})
    return {
        "builds": [{"name": str(b.folder), "target": b.figures["target"],
                    "model": b.manifest.get("model"), "samples": b.figures["samples"],
                    "steps": b.figures["steps"], "timing": b.figures["timing"]} for b in builds],
        "metrics": rows,
        "causes": [[*_made(builds[0], build), *_where(first, build.figures)]
                   for build in builds[1:]],
        "gates": [_judged(gate, builds, {row["metric"]: row["values"] for row in rows})
                  for gate in gates],
    }


def _change(value: Value, first: Value) -> float | None:
    return None if value is None or not first else value / first - 1


def _judged(gate: Gate, builds: Sequence[Build], values: dict[str, list[Value]]) -> Figures:
    found = values[gate.metric]
    for build, value in zip(builds, found, strict=True):
        if value is None:
            raise MetricError(
                f"--gate {gate.text}", f"{gate.metric} of {build.folder} is not known",
                f"Run nmc simulate {build.folder} --input DATA.npz, with labels for "
                "accuracy.")
    known = [float(value) for value in found if value is not None]
    asked = range(int(gate.relative), len(builds))
    return {"gate": gate.text,
            "broken_by": [str(builds[k].folder) for k in asked
                          if not gate.holds(known[k], known[0])]}


def _made(first: Build, other: Build) -> list[str]:
    """What was made otherwise, in words."""
    said = []
    pairs = [("target", first.figures["target"], other.figures["target"])]
    pairs += [(name, first.manifest.get(name), other.manifest.get(name))
              for name in ("model", "nmcompile")]
    if first.manifest.get("model_sha256") != other.manifest.get("model_sha256"):
        said.append("the models' files differ")
    pairs += [(f"--{name.replace('_', '-')}", first.manifest.get("options", {}).get(name),
               other.manifest.get("options", {}).get(name))
              for name in sorted({*first.manifest.get("options", {}),
                                  *other.manifest.get("options", {})})]
    pairs += [(name, first.figures[name], other.figures[name])
              for name in ("samples", "steps", "timing", "cores", "chips")]
    said += [f"{name} {_word(before)} -> {_word(after)}" for name, before, after in pairs
             if before != after]
    widths = [{row["name"]: row["weight_bits"] for row in build.manifest.get("layers", ())}
              for build in (first, other)]
    changed = [f"{name} {widths[0][name]} -> {widths[1][name]}" for name in widths[0]
               if name in widths[1] and widths[0][name] != widths[1][name]]
    if changed:
        said.append(f"bits of weights: {_listed(changed)}")
    return said


def _where(first: Figures, other: Figures) -> list[str]:
    """Which kinds and layers the difference in energy comes from."""
    if first["energy_j"] is None or other["energy_j"] is None:
        return []
    before, after = ({kind: joules / figures["samples"]
                      for kind, joules in figures["energy_j"].items()}
                     for figures in (first, other))
    whole = after.pop("total") - before.pop("total")
    said = _largest("energy", whole, {kind: after[kind] - before[kind] for kind in before})
    names = [row["name"] for row in first["layers"]]
    if names == [row["name"] for row in other["layers"]]:
        layers = {
            a["name"]: b["energy_j"]["total"] / other["samples"]
            - a["energy_j"]["total"] / first["samples"]
            for a, b in zip(first["layers"], other["layers"], strict=True)}
        said += _largest("energy by layer", whole, layers)
    return said


def _largest(name: str, whole: float, parts: dict[str, float]) -> list[str]:
    """The parts that make most of a difference, in words."""
    told = sorted((p for p in parts.items() if abs(p[1]) > PARTS * abs(whole)),
                  key=lambda part: -abs(part[1]))[:TOLD]
    if not whole or not told:
        return []
    return [f"{name} {whole:+.3g} J a sample: "
            + ", ".join(f"{part} {joules:+.3g}" for part, joules in told)]


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _listed(words: list[str]) -> str:
    rest = len(words) - TOLD
    return ", ".join(words[:TOLD]) + (f" and {rest} more" if rest > 0 else "")
