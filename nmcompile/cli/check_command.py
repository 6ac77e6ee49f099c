"""`nmc check`."""

from __future__ import annotations

from pathlib import Path

import click

from nmcompile.cli._complete import BITS, models, paths, target_or_file, words
from nmcompile.cli._options import (
    coding_options,
    event_options,
    model_options,
    read_calibration,
    read_sample,
)
from nmcompile.coding import Coding
from nmcompile.frontends.events import EventOptions


@click.command("check")
@click.argument("model", type=click.Path(path_type=Path), shell_complete=models)
@click.option("--target", "targets", multiple=True, shell_complete=target_or_file,
              help="Name of a target, or a target file.")
@click.option("--all-targets", is_flag=True, help="Every installed target.")
@click.option("--chips", type=click.IntRange(1), help="Chips of the board.  [default: its own]")
@click.option("--bits", shell_complete=words(*BITS),
              help="Of a weight: 8, 4, 2, ternary, or auto.  [default: the chip's]")
@click.option("--constraints", type=click.Path(path_type=Path), shell_complete=paths(".toml"),
              help="Where layers may go, and what is dead (.toml).")
@model_options
@coding_options
@event_options
@click.pass_context
def command(
    context: click.Context,
    model: Path,
    targets: tuple[str, ...],
    all_targets: bool,
    chips: int | None,
    bits: str | None,
    constraints: Path | None,
    legalise: bool,
    sample: Path | None,
    calibrate: Path | None,
    code: str | None,
    trust_pickle: bool,
    steps: int | None,
    seed: int,
    encoding: Coding,
    events: EventOptions,
    as_json: bool,
) -> None:
    """Say whether the network in MODEL fits a target: exit code 0 if it does, 1 if not."""
    from nmcompile import api
    from nmcompile.cli._mapping_tables import print_mapping
    from nmcompile.cli._progress import stages_bar
    from nmcompile.cli._render import print_json
    from nmcompile.cli._terminal import show_table
    from nmcompile.target import installed

    if bool(targets) == all_targets:
        raise click.UsageError("give --target T, several times if you like, or --all-targets")
    names = tuple(installed()) if all_targets else targets
    with stages_bar(1 + len(names)) as begin_stage:
        fits = api.check(
            model, targets=names, chips=chips, code=code,
            trust_pickle=trust_pickle, steps=steps, bits=bits, legalise=legalise, seed=seed,
            constraints=constraints,
            sample=read_sample(sample, events),
            calibration=read_calibration(calibrate, events),
            encoding=encoding,
            progress=begin_stage,
        )
    if as_json:
        print_json({fit.target: fit.figures or {"does_not_fit": fit.problem} for fit in fits})
    elif len(fits) == 1 and fits[0].figures:
        print_mapping(fits[0].figures)
    else:
        show_table(("target", "cores", "answer"), [
            (fit.target, f"{fit.figures['cores']:,} of {fit.figures['cores_of']:,}", "fits")
            if fit.figures else (fit.target, "", fit.problem) for fit in fits], text=("answer",))
    context.exit(0 if all(fit.figures for fit in fits) else 1)
