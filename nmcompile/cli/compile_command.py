"""`nmc compile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nmcompile.cli._complete import (
    BALANCES,
    BITS,
    CONVERSIONS,
    PARTITIONERS,
    models,
    paths,
    target_or_file,
    words,
)
from nmcompile.cli._options import coding_options, event_options, read_calibration, read_sample
from nmcompile.coding import Coding
from nmcompile.frontends.events import EventOptions

UNTOLD = ("code", "trust_pickle", "constraints", "dump_to")  # of a build's origin


@click.command("compile")
@click.argument("model", required=False, type=click.Path(path_type=Path), shell_complete=models)
@click.option("--from", "begin", metavar="FILE", type=click.Path(path_type=Path),
              shell_complete=paths(".h5"),
              help="In place of MODEL: a file of --dump, from whose pass to go on.")
@click.option("--target", required=True, shell_complete=target_or_file,
              help="Name of a target, or a target file (.toml).")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build"),
    show_default=True,
    help="Folder for the build.",
)
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    help="Data to trace the model on (.npz with x, .npy, .pt, or recordings of events).",
)
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    help="Data to choose integer scales by; with labels y also the accuracy.",
)
@click.option("--code", metavar="FILE:CLASS", shell_complete=paths(".py"),
              help="The model's own code; runs that file.")
@click.option("--trust-pickle", is_flag=True, help="Let the model file run code as it loads.")
@click.option(
    "--steps",
    type=click.IntRange(1, 100_000),
    help="Steps of a sample, for a model that leaves them to its caller, or has activations in "
    "place of neurons and is converted.  [default: the model's num_steps, or 25; 32 converted]",
)
@click.option(
    "--convert",
    shell_complete=words(*CONVERSIONS),
    default="rate",
    show_default=True,
    help="What activations are converted to: rate (integrate-and-fire neurons) or sigma-delta.",
)
@click.option(
    "--balance",
    shell_complete=words(*BALANCES),
    default="auto",
    show_default=True,
    help="Thresholds of rates: max, a percentile (99.99, 99.9, 99), layer-wise, or the best of "
    "them.",
)
@click.option(
    "--tolerance",
    type=float,
    help="Smallest change that sigma-delta neurons send, as a share of what their layer sends.  "
    "[default: the largest that keeps 99.5 % of the decisions]",
)
@click.option(
    "--bits",
    shell_complete=words(*BITS),
    help="Of a weight: 8, 4, 2, ternary, or auto for what each layer bears.  [default: the chip's]",
)
@click.option(
    "--memory",
    type=click.IntRange(1),
    help="Most bytes of all weights together, for --bits auto.  [default: as few as keep 99.5 % of "
    "the decisions]",
)
@click.option(
    "--legalise",
    is_flag=True,
    help="Take the nearest value where the chip cannot hold the model's (decays, delays, "
         "thresholds, biases).",
)
@click.option(
    "--relay-delays",
    is_flag=True,
    help="Make delays beyond the chip's of relay neurons; the spikes stay the same.",
)
@click.option("--chips", type=click.IntRange(1), help="Chips of the board.  [default: its own]")
@click.option(
    "--constraints",
    type=click.Path(path_type=Path),
    shell_complete=paths(".toml"),
    help="Where layers may go, what stays free, and what is dead (.toml).",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of random encodings.",
)
@click.option("--search", is_flag=True,
              help="Cut layers and share cores for the least energy times delay, in place of the "
              "fewest cores.")
@click.option("--partitioner", default="own", show_default=True,
              shell_complete=words(*PARTITIONERS),
              help="Of irregular populations: own, mt-kahypar (the extra `partition`), or auto for "
              "the better of both.")
@click.option("--dump", "dump_to", metavar="DIR", type=click.Path(path_type=Path),
              help="Keep the result of each pass here, as .h5 to go on from and as .txt.")
@coding_options
@event_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    model: Path | None,
    begin: Path | None,
    target: str,
    output: Path,
    sample: Path | None,
    calibrate: Path | None,
    encoding: Coding,
    events: EventOptions,
    as_json: bool,
    **options: Any,
) -> None:
    """Compile the trained network in MODEL for a chip."""
    from nmcompile import api
    from nmcompile.build import require_free
    from nmcompile.cli._progress import stages_bar
    from nmcompile.cli._render import print_checks, print_json
    from nmcompile.cli._run_tables import print_summary
    from nmcompile.cli._terminal import say
    from nmcompile.dump import require_stage
    from nmcompile.target import load_target

    source = model or begin
    if source is None or (model and begin):
        raise click.UsageError("give a MODEL, or a file of --dump with --from")
    chip = load_target(target)
    require_free(output)
    if begin is not None:
        require_stage(begin)
    with stages_bar() as begin_stage:
        compiled = api.compile(
            source,
            target=chip,
            sample=read_sample(sample, events),
            calibration=read_calibration(calibrate, events),
            encoding=encoding,
            progress=begin_stage,
            **options,
        )
        begin_stage("write")
        told = {name: value for name, value in options.items() if name not in UNTOLD}
        told["encode"] = encoding.told
        build = api.write_build(compiled, output, api.origin(source, **told))
    if as_json:
        print_json(build.figures)
        return
    say(f"{source.name} -> {chip.name}")
    print_checks(build.figures)
    for note in compiled.notes:
        say(f"  note      {note}")
    print_summary(build.figures)
    for name, what in build.manifest["config"].items():
        say(f"config    {output / 'config' / name}: {what}")
