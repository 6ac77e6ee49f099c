"""The compiler as functions: load, compile, simulate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nmcompile import choices
from nmcompile.build import Build, read_build, write_build, write_remapped
from nmcompile.coding import Coding, Encoding, coding_of
from nmcompile.dump import dump
from nmcompile.errors import ModelFileError, NmcError
from nmcompile.files import replaced_file, require_file
from nmcompile.frontends.audio import AudioOptions
from nmcompile.frontends.content import kind_of
from nmcompile.frontends.data_file import DataFile, read_data
from nmcompile.frontends.events import EventOptions
from nmcompile.frontends.interface import Request, Traced
from nmcompile.interactive import (
    Compared,
    CompiledNetwork,
    Page,
    QuantizeResult,
    Simulated,
    Validated,
    compare,
    compiled_network,
    data_of,
)
from nmcompile.ir.neurons.base import Array
from nmcompile.late import told_of_late
from nmcompile.lowering import Legalisation
from nmcompile.map_check import check_remapped, random_inputs, random_run
from nmcompile.mapper import Recorded, map_again, record_of, with_time
from nmcompile.mapping.capacity import demand
from nmcompile.mapping.constraints import read_constraints
from nmcompile.number_formats import compare_formats
from nmcompile.passes.convert import BALANCES, STEPS, Conversion
from nmcompile.passes.partition import told_of, told_of_sharing
from nmcompile.pipeline import (
    Options,
    compile_stage,
    integer_stage,
    map_stage,
    quantize_traced,
    recordable,
)
from nmcompile.registry import backend, frontends
from nmcompile.report import Figures, format_of, mapping_figures, rendered
from nmcompile.report.yardsticks import real_counts
from nmcompile.simulation import Result, simulate
from nmcompile.stages import Compiled
from nmcompile.target import Target, load_target
from nmcompile.validation.run import Asked, validate


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """Whether a network fits a target.

    figures  how it lies on the chip (`report.mapping_figures`); empty where it does not fit
    problem  why it does not
    """

    target: str
    figures: Figures = field(default_factory=dict)
    problem: str = ""


def load(request: Request) -> Traced:
    """The network of a model file or object, traced and ready to compile.

    Raises NmcError where no frontend knows the content, or the one that does refuses it.
    """
    for frontend in frontends():
        if request.path is None:
            known = frontend.accepts(request.model)
        else:
            known = frontend.claims(require_file(request.path))
        if known:
            return frontend.load(request)
    if request.path is None:
        where, what = type(request.model).__name__, "is no model that nmcompile knows"
    else:
        where, what = str(request.path), f"is {kind_of(request.path)}, no model of a known kind"
    kinds = ", ".join(frontend.name for frontend in frontends())
    raise ModelFileError(where, what, f"Known kinds, by content: {kinds}.")


def compile(
    model: object,
    *,
    target: str | Target,
    sample: Array | None = None,
    calibration: DataFile | tuple[object, object] | None = None,
    encoding: Encoding | Coding | None = None,
    code: str | None = None,
    trust_pickle: bool = False,
    steps: int | None = None,
    convert: str = "rate",
    balance: str = "auto",
    tolerance: float | None = None,
    bits: str | None = None,
    memory: int | None = None,
    legalise: bool = False,
    relay_delays: bool = False,
    chips: int | None = None,
    constraints: Path | None = None,
    search: bool = False,
    partitioner: str = "own",
    seed: int = 0,
    dump_to: Path | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> CompiledNetwork:
    """Compile a trained model for a chip.

    model        a path, or a Python object (a torch module, a NIR graph); or a file of `dump_to`
    target       a target's name, its file, or a Target
    sample       (samples, steps, ...) or (samples, ...) values that the model is traced on;
                 default: what the model brings, or the first of `calibration`
    calibration  data, or a pair (x, y), whose statistics choose the integer scales, and labels for
                 the accuracy
    encoding     how runs will send data like `calibration`, as of `nmcompile.encode`
    steps        of one sample, for a model that leaves them to its caller and for one of
                 activations that is converted to rates (default 32)
    convert      what activations are converted to, one of `CODES`
    balance      how the thresholds of rates are chosen, one of `BALANCES`
    tolerance    smallest change that sigma-delta neurons send, as a share of what their layer
                 sends; default: the largest that keeps 99.5 % of the decisions
    bits         of a weight: "8", "4", "2", "ternary", or "auto" for what each layer bears;
                 default: the chip's
    memory       most bytes of all weights together, for bits "auto"
    legalise     take the nearest value that the chip holds where it cannot hold the model's
    relay_delays  make delays beyond the chip's of relay neurons
    chips        of the board; default: the target's own
    constraints  file that says where layers may go: see `nmcompile.mapping.constraints`
    search       choose cuts and cores for the least energy times delay, not the fewest cores
    partitioner  of irregular populations: "own", "mt-kahypar", or "auto" for the better of both
    seed         of the rate encoding of values for chips with binary spikes
    dump_to      folder for the result of each pass, which may take the place of the model
    """
    chip = choices.board(target, chips)
    given = _given(calibration, encoding)
    progress("load")
    stage = choices.kept_stage(model, chip) or load(
        choices.request(model, sample, given, code, trust_pickle, steps))
    compiled = compile_stage(
        stage,
        chip,
        choices.calibration_data(stage, given, seed) if isinstance(stage, Traced) else None,
        Options(conversion=choices.conversion(convert, steps, balance, tolerance),
                precision=choices.precision(bits, memory), seed=seed, constraints=constraints,
                search=search, partitioner=choices.partitioner(partitioner, search),
                legalisation=Legalisation(nearest=legalise, relay_delays=relay_delays)),
        progress=progress,
        keep=lambda name, kept: dump(kept, name, chip, dump_to) if dump_to else None,
    )
    if not isinstance(stage, Traced):
        return compiled_network(compiled, model)
    progress("count")
    return compiled_network(replace(compiled, counts=real_counts(
        stage.network, recordable(stage.network, stage.inputs))), model)


def quantize(
    model: object,
    *,
    target: str | Target,
    sample: Array | None = None,
    calibration: DataFile | tuple[object, object] | None = None,
    encoding: Encoding | Coding | None = None,
    code: str | None = None,
    trust_pickle: bool = False,
    steps: int | None = None,
    bits: str | None = None,
    memory: int | None = None,
    compare: bool = False,
    legalise: bool = False,
    seed: int = 0,
    progress: Callable[[str], None] = lambda stage: None,
) -> QuantizeResult:
    """What the integers of a chip cost, without placing anything on it.

    compare  also run the network in each number format of its weights
    The other parameters are those of `compile`.
    """
    chip = target if isinstance(target, Target) else load_target(target)
    progress("load")
    given = _given(calibration, encoding)
    traced = load(choices.request(model, sample, given, code, trust_pickle, steps))
    stage = quantize_traced(
        traced, chip, choices.calibration_data(traced, given, seed),
        Options(conversion=Conversion(steps=steps or STEPS),
                precision=choices.precision(bits, memory),
                legalisation=Legalisation(nearest=legalise), seed=seed), progress)
    return QuantizeResult(
        stage=stage, formats=compare_formats(stage, chip, progress) if compare else ())


def check(
    model: object,
    *,
    targets: tuple[str | Target, ...],
    chips: int | None = None,
    sample: Array | None = None,
    calibration: DataFile | tuple[object, object] | None = None,
    encoding: Encoding | Coding | None = None,
    code: str | None = None,
    trust_pickle: bool = False,
    steps: int | None = None,
    bits: str | None = None,
    legalise: bool = False,
    constraints: Path | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda stage: None,
) -> tuple[Fit, ...]:
    """Whether a trained model fits each of `targets`, without writing anything.

    chips  of the board of each; default: the target's own
    The other parameters are those of `compile`.
    """
    boards = [choices.board(target, None) for target in targets]
    progress("load")
    given = _given(calibration, encoding)
    traced = load(choices.request(model, sample, given, code, trust_pickle, steps))
    data = choices.calibration_data(traced, given, seed)
    options = Options(conversion=Conversion(steps=steps or STEPS),
                      precision=choices.precision(bits, None),
                      legalisation=Legalisation(nearest=legalise), seed=seed)
    fits = []
    for target in boards:
        try:
            progress(target.name)
            board = choices.board(target, chips)
            stage = quantize_traced(traced, board, data, options)
            figures = mapping_figures(*map_stage(integer_stage(stage), board, constraints))
            fits.append(Fit(target=target.name, figures=figures))
        except NmcError as error:
            fits.append(Fit(target=target.name, problem=str(error)))
    return tuple(fits)


def _given(
    calibration: DataFile | tuple[object, object] | None, encoding: Encoding | Coding | None
) -> choices.Calibrating:
    return choices.Calibrating(
        data=None if calibration is None else data_of(calibration, "calibration data"),
        coding=coding_of(encoding))


def explain(build: Build) -> Figures:
    """How a build lies on its chip: see `report.mapping_figures`."""
    program = build.program
    chip = backend(program.target.family)
    network, mapping, target = program.network, program.mapping, program.target
    needs = with_time(demand(network, mapping, target, chip), network, mapping, target, chip)
    return mapping_figures(program, needs)


def remap(
    build: Build, output: Path, *, constraints: Path | None = None, search: bool = False,
    partitioner: str = "own",
) -> Build:
    """Partition, route and place the network of `build` anew, and write it to `output`.

    search       as of `compile`, on random spikes at the rates of the build's inputs
    partitioner  as of `compile`

    The new program is checked against the earlier one, on random spikes at its own rates.
    """
    program, target = build.program, build.program.target
    asked = read_constraints(constraints, program.network, target) if constraints else None
    chip = backend(target.family)
    hurried, recorded = chip.tick_work(target) is not None, Recorded()
    if search or hurried:
        recorded = record_of(program.network, random_run(program), search, hurried)
    moved, needs = map_again(
        program, chip, asked, recorded, choices.partitioner(partitioner, search))
    notes = told_of(partitioner) if moved.mapping.slices.orders else ()
    notes += told_of_sharing(moved.mapping.slices.core)
    notes += told_of_late(moved, chip.timing(moved), random_inputs(program))
    return write_remapped(build, moved, needs, check_remapped(program, moved), notes, output)


def report(build: Build, output: Path, how: str | None = None) -> None:
    """Write the figures of `build` to `output`, whole or not at all.

    how  "html", a page with charts that needs nothing else; "md", "csv" or "json"; None: what the
         name of `output` says

    Raises NmcError where that cannot be written, or is a file of the build.
    """
    build.require_apart({"-o": output})
    text = rendered(build.figures, build.name, how or format_of(output))
    with replaced_file(output) as fresh:
        fresh.write_bytes(text.encode())


def origin(model: Path, **options: Any) -> dict[str, Any]:
    """What a manifest says of the model and the options that a program came from."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    return {"model": model.name, "model_sha256": digest, "options": options}


__all__ = [
    "BALANCES",
    "Asked",
    "AudioOptions",
    "Build",
    "Coding",
    "Compared",
    "Compiled",
    "CompiledNetwork",
    "DataFile",
    "EventOptions",
    "Fit",
    "NmcError",
    "Page",
    "QuantizeResult",
    "Result",
    "Simulated",
    "Validated",
    "check",
    "compare",
    "compile",
    "explain",
    "load",
    "origin",
    "quantize",
    "read_build",
    "read_data",
    "remap",
    "report",
    "simulate",
    "validate",
    "write_build",
]
