"""Builds beside each other: what they cost, by how much they differ, and where that comes from."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from nmcompile import __version__
from nmcompile.build import Build
from nmcompile.errors import MetricError, OptionError, OptionsError, one_line, unknown_name
from nmcompile.files import replaced_file
from nmcompile.report import format_of
from nmcompile.report.certainty import (
    OF_CORES,
    accuracy_range,
    guessed_share,
    guessed_times,
)
from nmcompile.report.compared import (
    Told,
    constants_note,
    made_otherwise,
    same_in_all,
    told_of,
    width_note,
)
from nmcompile.report.compared_causes import where_from
from nmcompile.report.compared_decisions import decided_otherwise
from nmcompile.report.compared_formats import rendered_comparison

COMPARED = "compare.html"  # the page, in the folder of the first build
DIGITS = 9  # behind the point of a change in percent; what is behind them are errors of rounding
Figures = dict[str, Any]
Value = float | int | None
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
GATE = re.compile(r"\s*([a-z_]+)\s*(<=|>=|<|>)\s*([+-]?[0-9.]+(?:e[+-]?[0-9]+)?)\s*(%?)\s*")


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
    return _finite(energy / seconds) if energy is not None and seconds else None


def _product(figures: Figures) -> Value:
    energy, seconds = ENERGY(figures), LATENCY(figures)
    return None if energy is None or seconds is None else _finite(energy * seconds)


def _finite(value: float) -> float | None:
    """`value`, None where it is beyond all numbers."""
    return value if isfinite(value) else None


ENERGY, LATENCY = _of_run("energy_per_sample_j"), _of_run("latency_s", "per_sample_mean")
# name -> unit, what it is, how it is found; those of a run are of a sample on average
METRICS: dict[str, tuple[str, str, Callable[[Figures], Value]]] = {
    "accuracy": ("", "accuracy", _of_run("accuracy")),
    "latency_s": ("s", "mean latency of a sample", LATENCY),
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
    "footprint_bytes": ("B", "synapse memory of the cores", _of_run(
        "yardsticks", "chip", "footprint_bytes")),
}


def _per_sample(figures: Figures, ends: Figures | None) -> Figures | None:
    return ends and {end: joules / figures["samples"] for end, joules in ends.items()}


def _ends(figures: Figures) -> dict[str, Figures | None]:
    """From where to where the metrics may be of which that is known."""
    latency, energy = figures["latency_s"], figures["energy_range_j"]
    accuracy, found = accuracy_range(figures), dict[str, Figures | None]()
    if accuracy is not None:
        found["accuracy"] = dict(zip(("low", "high"), accuracy, strict=True))
    if latency is not None:
        found["latency_s"] = latency["per_sample_range"]
    if energy is not None:
        found["energy_j"] = _per_sample(figures, energy["total"])
    return found


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A bound on a metric: on its value, or on its `change` against the first build in percent.

    text  as the user wrote it
    """

    text: str
    metric: str
    sign: str
    bound: float
    relative: bool

    def holds(self, value: float, first: float) -> bool:
        """Whether `value` of a build is within the bound; `first` is that of the first build."""
        if not self.relative:
            return SIGNS[self.sign](value, self.bound)
        found = self.judged(value, first)
        percent = float("inf") if found is None else round(100 * found, DIGITS)
        return SIGNS[self.sign](percent, self.bound)

    def judged(self, value: float, first: float) -> float | None:
        """What is held against the bound: the value or its change; None: a change from nothing."""
        if not self.relative:
            return value
        return 0.0 if value == first else change(self.metric, value, first)

    @property
    def bound_words(self) -> str:
        """The bound with its unit."""
        if self.relative:
            return f"{self.bound:+g} {'points' if self.metric == 'accuracy' else '%'}"
        if self.metric == "accuracy":
            return f"{100 * self.bound:g} %"
        return f"{self.bound:g} {METRICS[self.metric][0]}".rstrip()


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

    builds   name, target, model, run and layers of each; which of its figures are estimates, and
             its yardsticks
    metrics  values of each build, their `change` against the first, and from where to where they
             may be: by the constants' errors, of an accuracy by Wilson's interval of 95 %; None
             where a build was not simulated, or has no labels
    same     what is the same in all builds, name and value
    decided  of each build but the first how it decides the same samples, as `decided_otherwise`
             gives it; None where that is not known
    causes   of each build but the first: what was made otherwise, and where differences come from
    notes    what is to be known of bits of weights (`widths`) and of `constants` that builds share
    gates    those that were asked for, the bound and what it is `against`, of each build the value,
             what was `judged` (the value or its change) and whether it is within (None: it is what
             the others are held against), whether it stands on estimates, and the builds that
             break it

    Raises NmcError where there are fewer than two builds, or a gate's metric is not known of one.
    """
    if len(builds) < 2:
        raise OptionsError("compare", "takes two builds or more")
    names, told = _names(builds), [(build.figures, build.manifest) for build in builds]
    rows: list[Figures] = []
    ends = [_ends(build.figures) for build in builds]
    for metric, (unit, words, found) in METRICS.items():
        values = [found(build.figures) for build in builds]
        rows.append({"metric": metric, "words": words, "unit": unit, "values": values,
                     "changes": [change(metric, value, values[0]) for value in values],
                     "ranges": [each.get(metric) for each in ends]})
    return {
        "nmcompile": __version__,
        "builds": [told_of(name, build.figures)
                   for name, build in zip(names, builds, strict=True)],
        "metrics": rows,
        "same": [list(fact) for fact in same_in_all(told)],
        "decided": [decided_otherwise(builds[0].figures, build.figures) for build in builds[1:]],
        "causes": [_causes(told[0], other) for other in told[1:]],
        "notes": {"widths": width_note(told),
                  "constants": constants_note([build.figures for build in builds])},
        "gates": [_judged(gate, names, builds, {row["metric"]: row["values"] for row in rows})
                  for gate in gates],
    }


def write_comparison(
    found: Figures, builds: Sequence[Build], output: Path, how: str | None = None
) -> None:
    """Write what `compare` gives of `builds` to `output`, whole or not at all.

    how  "html", a page with charts that needs nothing else; "md", "csv" or "json"; None: what the
         name of `output` says

    Raises NmcError where that cannot be written, or is a file of a build.
    """
    for build in builds:
        build.require_apart({"-o": output})
    text = rendered_comparison(found, how or format_of(output))
    with replaced_file(output) as fresh:
        fresh.write_bytes(text.encode())


def _names(builds: Sequence[Build]) -> list[str]:
    """The folders of the builds, told apart where one comes several times."""
    names: list[str] = []
    for build in builds:
        folder = name = one_line(str(build.folder))
        times = 2
        while name in names:
            name, times = f"{folder} ({times})", times + 1
        names.append(name)
    return names


def _causes(first: Told, other: Told) -> list[str]:
    return [*made_otherwise(first, other), *where_from(first[0], other[0])]


def change(metric: str, value: Value, first: Value) -> float | None:
    """The change of a metric against the first build: as a share of it, of accuracy in itself.

    None where one is not known, or a share is one of nothing.
    """
    if value is None or first is None:
        return None
    if metric == "accuracy":
        return value - first
    return _finite(value / first - 1) if first else None


def _judged(
    gate: Gate, names: list[str], builds: Sequence[Build], values: dict[str, list[Value]]
) -> Figures:
    found = values[gate.metric]
    for name, value in zip(names, found, strict=True):
        if value is None:
            raise MetricError(
                f"--gate {gate.text}", f"{gate.metric} of {name} is not known",
                f"Run nmc simulate {name} --input DATA.npz, with labels for accuracy.")
    known = [float(value) for value in found if value is not None]
    within = [gate.holds(value, known[0]) for value in known]
    held = [None if gate.relative else within[0], *within[1:]]
    return {"gate": gate.text, "metric": gate.metric, "unit": METRICS[gate.metric][0],
            "words": METRICS[gate.metric][1], "bound": f"{gate.sign} {gate.bound_words}",
            "against": names[0] if gate.relative else None, "values": known,
            "judged": [gate.judged(value, known[0]) for value in known], "held": held,
            "on_estimates": any(_guessed(gate.metric, build.figures) for build in builds),
            "broken_by": [name for name, kept in zip(names, held, strict=True) if kept is False]}


def _guessed(metric: str, figures: Figures) -> bool:
    """Whether a metric of a run stands on constants that are estimates."""
    unit = METRICS[metric][0]
    if metric in ("cores", "chips"):
        return any(name.partition(".")[0] in OF_CORES for name in figures["estimated"])
    return ("s" in unit.split() and bool(guessed_times(figures))) or (
        unit in ("J", "W", "J s") and bool(guessed_share(figures)))
