"""Simulations of a build: the user's data and wishes, as the simulator takes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile import choices
from nmcompile.build import REPORT, Build
from nmcompile.coding import Coding, Encoding, coding_of
from nmcompile.encode import Encoded, encoded
from nmcompile.errors import (
    CostError,
    OptionError,
    OptionsError,
    one_line,
    unknown_name,
)
from nmcompile.files import json_text, replaced_file, require_place, writing
from nmcompile.frontends.data_file import DataFile
from nmcompile.ir import Input
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, Timing
from nmcompile.passes.quantize import payloads
from nmcompile.registry import backend
from nmcompile.report import Figures, Timeline, look_figures, run_figures
from nmcompile.run_file import require_run_file, run_file
from nmcompile.simulator import (
    TIMINGS,
    Exit,
    Modes,
    Perturbation,
    Run,
    Samples,
    each_step,
    noisy,
    parse_perturbation,
    require_decision,
)
from nmcompile.simulator import simulate as run_program

TIMING = "cycle"  # unless the user says another one


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """A simulation with its figures.

    timeline  what was left out of the timeline, in words; "" where nothing was, or none was made
    """

    run: Run
    figures: Figures
    timeline: str = ""


def simulate(
    build: Build,
    data: DataFile,
    *,
    steps: int | None = None,
    encoding: Encoding | Coding | None = None,
    seed: int = 0,
    timing: str = TIMING,
    record: tuple[str, ...] = (),
    output: Path | None = None,
    timeline: Path | None = None,
    exit_confidence: float | None = None,
    exit_scale: float | None = None,
    perturb: str = "",
    progress: Callable[[int, int], None] = lambda frames, total: None,
    spiked: Callable[[Array], None] | None = None,
    save_figures: bool = False,
    where: str = "input",
    data_name: str | None = None,
) -> Result:
    """Simulate `build` on `data`; `steps`, `encoding` and `seed` as in `nmcompile.encode`.

    timing           a name of TIMINGS
    record           variables to keep, as "v", "hidden:v,u" or "*": see `simulator.records.wanted`
    output           run file: .npz, or .h5 or .hdf5, which are written as the run goes on
    timeline         trace of the first sample for a timeline viewer, .json
    exit_confidence  above 0 to 1; a sample stops once the first output is as sure as that
    exit_scale       units of score that count as 1 in the confidence; None: a spike, or the
                     model's own unit of a membrane
    perturb          what goes wrong, as `simulator.perturb.parse_perturbation` reads it; by `seed`
    data_name        what the report calls the data
    save_figures     keep the figures in the build's report.json as well
    progress         told how many further steps of samples are done, and how many there are
    spiked           told (inputs + populations,) int64, how many further spikes each sent

    Raises NmcError before the run where a wish cannot be met, Interrupted on Ctrl-C; then no file
    is written.
    """
    _require_files(build, output, timeline, record)
    target = build.program.target
    if timeline is not None and not target.costs_known:
        raise CostError("--timeline", f"shows times, and none are known of {target.name}",
                        "Leave it out.")
    sent = sent_by(build.program, inputs_of(
        build.program, data, where, steps=steps, encoding=encoding, seed=seed))
    wrong = parse_perturbation(perturb, seed) if perturb else None
    program = _noisy(build.program, wrong)
    model, exit_at = timing_of(program, timing), _exit(build, exit_confidence, exit_scale)
    total = _frames(program, sent)
    report = build.folder / REPORT if save_figures else None
    with ExitStack() as files:  # all are written before the first takes its place
        fresh = {path: files.enter_context(replaced_file(path))
                 for path in (report, timeline) if path is not None}
        file = files.enter_context(
            run_file(output, timed=program.target.costs_known))
        modes = Modes(
            exit_at=exit_at, perturb=wrong, records=None if file is None else file.records)
        run = run_program(program, sent, timing=model, record=record,
                          modes=replace(modes, spiked=spiked),
                          progress=lambda frames: progress(frames, total))
        figures = run_figures(build.figures, program, run, data.y, _perturbed(wrong, run),
                              look_figures(program, sent, model, modes))
        figures["data"] = _told(data, coding_of(encoding), seed, data_name)
        trace, left_out = None, ""
        if timeline is not None:
            shown = Timeline(program, run.counts.busy_s)
            each_step(program, sent, shown.add, timing=model, modes=modes)
            trace, left_out = shown.trace(int(run.ran[0]))
        if file is not None:
            file.finish(run)
        for path, value in ((timeline, trace), (report, figures)):
            if path is not None:
                with writing(path):
                    fresh[path].write_text(json_text(value), "utf-8")
    return Result(run=run, figures=figures, timeline=left_out)


def _told(data: DataFile, coding: Coding, seed: int, name: str | None) -> Figures:
    """What the report says of the data."""
    return {"name": None if name is None else one_line(name), "sha256": data.digest(),
            "encoding": coding.told, "seed": seed}


def timing_of(program: Program, name: str) -> Timing:
    """The model of time called `name`; as "cycle" the chip's own where its backend has one."""
    if name not in TIMINGS:
        raise unknown_name("--timing", name, TIMINGS)
    own = backend(program.target.family).timing(program) if name == "cycle" else None
    return own or TIMINGS[name](program)


def _require_files(
    build: Build, output: Path | None, timeline: Path | None, record: tuple[str, ...]
) -> None:
    """Refuse places that cannot be written, or where something else would be written over."""
    for path in (output, timeline):
        if path is not None:
            require_place(path)
    build.require_apart({"-o": output, "--timeline": timeline})
    if output is not None:
        require_run_file(output, build.program.network, record)


def inputs_of(
    program: Program, data: DataFile, where: str, *, steps: int | None = None,
    encoding: Encoding | Coding | None = None, seed: int = 0,
) -> dict[str, Encoded]:
    """The user's data as inputs of a program, in real numbers; NmcError for what it cannot take."""
    network = program.network
    choices.require_labels(network, data, where)
    values = encoded(data.x, network, steps=steps, encoding=encoding, seed=seed, where=where)
    port = network.inputs[0]
    choices.require_payload(port, values[port.name], program.target, where)
    choices.require_reach(port, values[port.name], where)
    return values


def sent_by(program: Program, values: dict[str, Encoded]) -> dict[str, Samples]:
    """What the inputs send, in the chip's integers."""
    return {p.name: _Payloads(p, values[p.name]) for p in program.network.inputs}


class _Payloads:
    """What an input sends in the chip's integers, made as it is asked for, as narrow as it can."""

    def __init__(self, port: Input, values: Encoded) -> None:
        self._port, self._values, self.shape = port, values, values.shape
        self._kind = np.min_scalar_type(-port.format.limit)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, samples: slice) -> Array:
        return payloads(self._port, self._values[samples]).astype(self._kind)


def _noisy(program: Program, perturb: Perturbation | None) -> Program:
    if perturb is None:
        return program
    return noisy(program, perturb, backend(program.target.family).weight_levels)


def _frames(program: Program, sent: dict[str, Samples]) -> int:
    """Steps of the chip that all samples together run if none stops before its last."""
    samples, steps = next(iter(sent.values())).shape[:2]
    return int(samples * (steps + max(program.latency.values())))


def _exit(build: Build, sure: float | None, scale: float | None) -> Exit | None:
    if sure is None:
        if scale is not None:
            raise OptionsError("--exit-scale", "is of no use by itself", "Add --exit-confidence.")
        return None
    if not 0 < sure <= 1:
        raise OptionError("--exit-confidence", f"is {sure:g}, expected above 0 and at most 1")
    if scale is not None and not 0 < scale < float("inf"):
        raise OptionError("--exit-scale", f"is {scale:g}, expected a number above 0")
    require_decision(build.program)
    return Exit(confidence=sure, scale=_unit(build) if scale is None else scale)


def _unit(build: Build) -> float:
    """What counts as 1 in the score of the first output."""
    port = build.program.network.outputs[0]
    if port.variable == "spikes":
        return 1.0
    units = {layer["name"]: layer["units_per_real"] for layer in build.manifest.get("layers", ())}
    if port.population not in units:
        raise OptionsError(
            "--exit-confidence", f"the unit of the membranes of '{port.population}' is "
            "not known", "Add --exit-scale with the units that count as 1.")
    return float(units[port.population])


def _perturbed(perturb: Perturbation | None, run: Run) -> dict[str, Any] | None:
    if perturb is None:
        return None
    return {"weights": perturb.weights, "drop": perturb.drop, "add": perturb.add,
            "stuck_cores": run.stuck.tolist(), "seed": perturb.seed}
