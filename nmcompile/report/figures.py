"""The figures of a compilation and of a run, as plain data for a terminal, JSON or a page."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile import __version__
from nmcompile.checks import Check
from nmcompile.ir import Output
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.mapping.capacity import Demand, compartments
from nmcompile.registry import backend
from nmcompile.report.energy import by_constant, by_core, energies, outside, range_of
from nmcompile.report.exits import exit_figures
from nmcompile.report.floor import core_figures, floor_figures
from nmcompile.report.mapped import mapping_figures
from nmcompile.report.schema import FORMAT
from nmcompile.report.times import time_constants
from nmcompile.report.yardsticks import compiled_yardsticks, run_yardsticks
from nmcompile.simulator import SAME, Ledger, Run, ledger, time_ratios

Figures = dict[str, Any]
RUN_ONLY = (  # what only a run can tell
    "data", "decided_by", "confusion", "decisions", "timing", "latency_s", "energy_j",
    "energy_range_j", "energy_per_sample_j", "energy_by_core", "energy_by_constant",
    "time_constants", "outside", "late", "exit", "perturbed", "look",
)
MOST_CLASSES = 100  # of which it is told what is taken for what
MOST_DECISIONS = 10_000  # samples of which each one's decision is kept
MAPPED = ("cores", "cores_of", "chips", "chips_of", "limits", "layers")


def compiled_figures(
    program: Program, needs: Demand, checks: tuple[Check, ...], counts: Figures | None = None,
    overflows: dict[str, dict[str, int]] | None = None,
) -> Figures:
    """The figures that a compilation knows; what only a run can tell is None, and so is the model.

    counts     `yardsticks.real_counts` of the model; None where it is not known any more
    overflows  population -> state -> how often it left its register on the calibration data
    """
    core, mapped = program.mapping.slices.core, mapping_figures(program, needs)
    return {
        "format": FORMAT,
        "nmcompile": __version__,
        "model": None,
        "target": program.target.name,
        "title": program.target.title,
        "chips": len(np.unique(core // program.target.cores_per_chip)),
        "cores": len(np.unique(core)),
        "samples": None,
        "accuracy": None,
        "steps": program.network.steps,
        **dict.fromkeys(RUN_ONLY),
        "layers": _layers(program, needs),
        "yardsticks": compiled_yardsticks(program, needs, counts),
        "checks": [{"arrow": c.arrow, "text": c.text, "figures": c.figures} for c in checks],
        "estimated": list(program.target.estimates()),
        "mapping": {"searchable": _searchable(program), **{name: mapped[name] for name in MAPPED}},
        "cores_used": core_figures(program, needs),
        "floor": floor_figures(program),
        "overflows": overflows or {},
    }


def _searchable(program: Program) -> bool:
    """Whether `nmc map --search` takes the target."""
    target, chip = program.target, backend(program.target.family)
    return (target.router is None and target.costs_known and chip.shares_cores
            and not chip.suited_cores(program.network, target))


def run_figures(
    compiled: Figures, program: Program, run: Run, labels: Array | None,
    perturbed: Figures | None = None, look: Figures | None = None,
) -> Figures:
    """`compiled` with the figures of `run` filled in; counts and energies are those of the run.

    energy_j   joules of all samples by kind and in total; the rows of layers and cores add up to it
    latency_s  seconds of a step and of a sample; host input and output are not included. `overruns`
               are the steps longer than the tick of a chip that has one, or in which a core was not
               done when the next began; None on other chips
    late       what came too late on chips that do not wait, {name: how often}
    perturbed  what was made to go wrong
    look       what `look_figures` gives

    Times, energies and hops stay None where the target does not know what events cost, and so does
    `data`, which the caller knows.
    """
    book = ledger(program, run) if program.target.costs_known else None
    yardsticks = compiled.get("yardsticks")
    return {
        **compiled,
        "samples": run.samples,
        "accuracy": accuracy(run, labels),
        "decided_by": _rule(program.network.outputs[0]),
        "confusion": confusion(run, labels),
        "decisions": decided(run, labels),
        "steps": run.steps,
        **({} if book is None else _costs(program, run, book)),
        "outside": outside(program, run),
        "late": {name: int(counts.sum()) for name, counts in run.late.items()},
        "exit": exit_figures(run, labels, timed=book is not None),
        "perturbed": perturbed,
        "look": look,
        "yardsticks": yardsticks and run_yardsticks(yardsticks, program, run),
        "layers": [
            {**layer, **_run_of_layer(layer["name"], program, run, book)}
            for layer in compiled["layers"]
        ],
    }


def _costs(program: Program, run: Run, book: Ledger) -> Figures:
    """What is told where the target knows the costs of events."""
    total = energies(book, slice(None))
    return {
        "timing": run.timing,
        "latency_s": _latency(program, run),
        **total,
        "energy_per_sample_j": total["energy_j"]["total"] / run.samples,
        "energy_by_core": by_core(program, run, book),
        "energy_by_constant": by_constant(program, book),
        "time_constants": time_constants(program.target, run.timing),
    }


def _latency(program: Program, run: Run) -> Figures:
    per_sample = float(run.step_s.sum(axis=1).mean())
    low, high = time_ratios(program.target, run)
    return {
        "per_step_mean": float(run.step_s.sum()) / run.frames,
        "per_step_max": float(run.step_s.max()),
        "per_sample_mean": per_sample,
        "per_sample_range": range_of(low * per_sample, high * per_sample),
        "overruns": _overruns(program, run),
    }


def _overruns(program: Program, run: Run) -> int | None:
    if run.overran is not None:
        return int(np.count_nonzero(run.overran))
    tick = program.target.times.tick
    return None if tick is None else int(np.count_nonzero(run.step_s > tick.value * (1 + SAME)))


def decisions(run: Run) -> Array:
    """(samples,) the class that the first output says: the largest score, the first of equals."""
    score = next(iter(run.scores.values()))
    return score.reshape(len(score), -1).argmax(axis=1)


def _rule(output: Output) -> str:
    """What a decision is made by, in words."""
    what = "the most spikes" if output.variable == "spikes" else (
        "the largest sum of membranes over the steps")
    weighted = ", steps weighted as the model has them" if output.weights else ""
    return f"{what} of {output.population}{weighted}"


def accuracy(run: Run, labels: Array | None) -> float | None:
    """Share of samples whose decision is their label; None without labels."""
    return None if labels is None else float((decisions(run) == labels).mean())


def confusion(run: Run, labels: Array | None) -> list[list[int]] | None:
    """Row: label, column: decision: samples, (classes, classes) of the first output's neurons.

    None without labels, and of more classes than MOST_CLASSES or only one.
    """
    classes = next(iter(run.scores.values()))[0].size
    if labels is None or not 1 < classes <= MOST_CLASSES:
        return None
    places = labels * classes + decisions(run)
    return np.bincount(places, minlength=classes**2).reshape(classes, classes).tolist()


def decided(run: Run, labels: Array | None) -> Figures | None:
    """Decision and label of each sample, so that runs on the same samples can be held together.

    None without labels, and of more samples than MOST_DECISIONS.
    """
    if labels is None or len(labels) > MOST_DECISIONS:
        return None
    return {"decision": decisions(run).tolist(), "label": [int(label) for label in labels]}


def _layers(program: Program, needs: Demand) -> list[Figures]:
    network, slices = program.network, program.mapping.slices
    unknown = {
        "spikes": None,
        "synaptic_events": None,
        "neuron_updates": None,
        "packets": None,
        "hops": None,
        "energy_j": None,
        "energy_range_j": None,
        "latency_s": None,
    }
    rows: list[Figures] = [
        {"name": port.name, "sources": None, "neurons": port.size, "cores": 0, **unknown,
         "utilisation": None}
        for port in network.inputs
    ]
    allowed = {limit: getattr(program.target.core, limit).value for limit in needs.of_slices()}
    used = np.max([need / allowed[limit] for limit, need in needs.of_slices().items()
                   if allowed[limit] > 1], axis=0)  # of what a core has once, all use all
    for index, population in enumerate(network.populations):
        mine = slices.population == index
        rows.append(
            {
                "name": population.name,
                "sources": list(dict.fromkeys(
                    p.source for p in network.projections if p.target == population.name)),
                "neurons": population.size,
                "cores": len(np.unique(slices.core[mine])),
                **unknown,
                "utilisation": float(used[mine].mean()),
            }
        )
    return rows


def _run_of_layer(name: str, program: Program, run: Run, book: Ledger | None) -> Figures:
    names = [p.name for p in program.network.populations]
    counts, slices = run.counts, program.mapping.slices
    if name in names:
        mine = np.append(slices.population == names.index(name), False)
    else:
        mine = np.append(np.zeros(len(slices), bool), True)
    inside = mine[:-1]
    updated = int(compartments(program.network, slices)[inside].sum())
    costs = {} if book is None else {
        **energies(book, mine),
        "hops": int(counts.hops[mine].sum()),
        "latency_s": float(counts.busy_s[inside].max(initial=0.0)) / run.frames}
    return {
        "spikes": int(counts.spikes[mine].sum()),
        "synaptic_events": int(counts.events[inside].sum()),
        "neuron_updates": updated * run.frames,
        "packets": int(counts.packets_out[mine].sum()),
        **costs,
    }
