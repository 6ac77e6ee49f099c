"""`nmc quantize`."""

from __future__ import annotations

from pathlib import Path

import click

from nmcompile.cli._complete import BITS, models, target_or_file, words
from nmcompile.cli._options import (
    coding_options,
    event_options,
    model_options,
    read_calibration,
    read_sample,
)
from nmcompile.coding import Coding
from nmcompile.frontends.events import EventOptions


@click.command("quantize")
@click.argument("model", type=click.Path(path_type=Path), shell_complete=models)
@click.option("--target", default="loihi2", show_default=True, shell_complete=target_or_file,
              help="Whose arithmetic: a target's name or file (.toml).")
@click.option("--bits", shell_complete=words(*BITS),
              help="Of a weight: 8, 4, 2, ternary, or auto for what each layer bears.  "
              "[default: the target's]")
@click.option("--memory", type=click.IntRange(1),
              help="Most bytes of all weights together, for --bits auto.")
@click.option("--compare", is_flag=True,
              help="A table of number formats: fp8 (E4M3, E5M2), int8, int4, int2, ternary.")
@model_options
@coding_options
@event_options
def command(
    model: Path,
    target: str,
    bits: str | None,
    memory: int | None,
    compare: bool,
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
    """Show what the integers of a chip cost the network in MODEL, layer by layer."""
    from nmcompile import api
    from nmcompile.cli._progress import stages_bar
    from nmcompile.cli._quantize_tables import print_formats, print_layers, quantized_figures
    from nmcompile.cli._render import print_json
    from nmcompile.cli._terminal import say
    from nmcompile.target import load_target

    chip = load_target(target)
    with stages_bar() as begin_stage:
        found = api.quantize(
            model, target=chip, code=code, trust_pickle=trust_pickle, steps=steps, bits=bits,
            memory=memory, seed=seed, compare=compare, legalise=legalise,
            sample=read_sample(sample, events),
            calibration=read_calibration(calibrate, events),
            encoding=encoding,
            progress=begin_stage,
        )
    if as_json:
        print_json(quantized_figures(found))
        return
    say(f"{model.name} in the integers of {chip.name}")
    for check in found.stage.checks:
        say(f"  {check.arrow:9} {check.text}")
    for note in found.stage.notes:
        say(f"  note      {note}")
    print_layers(found.stage.errors)
    print_formats(found.formats)
