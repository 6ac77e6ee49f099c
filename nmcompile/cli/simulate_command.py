"""`nmc simulate`."""

from __future__ import annotations

from pathlib import Path

import click

from nmcompile.cli._complete import TIMINGS, builds, words
from nmcompile.cli._options import coding_options, event_options
from nmcompile.coding import Coding
from nmcompile.errors import OptionsError
from nmcompile.frontends.events import EventOptions


@click.command("simulate")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path), shell_complete=builds)
@click.option(
    "--input",
    "data",
    required=True,
    type=click.Path(path_type=Path),
    help="Data: .npz with x and labels y, .npy, .pt, images or recordings (docs/data.md).",
)
@click.option("--steps", type=click.IntRange(1, 10_000_000), help="Steps for each sample.")
@coding_options
@click.option("--timing", default="cycle", show_default=True, metavar="NAME",
              shell_complete=words(*TIMINGS),
              help="Model of time; the report says which.")
@click.option(
    "--record",
    multiple=True,
    metavar="v,LAYER:u,...",
    help="Variables to keep in the run file; * stands for all layers, or all of a layer's.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="Run file: .npz, or .h5, which is written as the run goes on.")
@click.option("--timeline", type=click.Path(path_type=Path),
              help="Steps of the first sample (.json) for Perfetto or chrome://tracing.")
@click.option("--exit-confidence", type=float, metavar="C",
              help="Stop a sample once the first output is decided with this confidence.")
@click.option("--exit-scale", type=float, metavar="S",
              help="Units of score that count as 1 in the confidence.")
@click.option("--perturb", default="", metavar="weights=0.05,drop=0.01,add=0.001,stuck-cores=1",
              help="What goes wrong on the chip.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of --encode rate and of --perturb.",
)
@event_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    folder: Path,
    data: Path,
    steps: int | None,
    encoding: Coding,
    timing: str,
    record: tuple[str, ...],
    output: Path | None,
    timeline: Path | None,
    exit_confidence: float | None,
    exit_scale: float | None,
    perturb: str,
    seed: int,
    events: EventOptions,
    as_json: bool,
) -> None:
    """Run the build in DIR on the model of its chip: accuracy, latency, energy for each layer."""
    from nmcompile import api
    from nmcompile.cli._progress import events_bar, layers_of, steps_bar
    from nmcompile.cli._render import print_json
    from nmcompile.cli._run_tables import print_summary
    from nmcompile.cli._terminal import say
    from nmcompile.files import require_apart

    if record and output is None:
        raise OptionsError(
            "--record", "there is no file to keep the variables in", "Add -o RUN.npz.")
    require_apart({"--input": data, "-o": output, "--timeline": timeline})
    build = api.read_build(folder)
    with events_bar() as count:
        values = api.read_data(data, events, count)
    with steps_bar("simulate", layers_of(build.program.network)) as meter:
        result = api.simulate(
            build,
            values,
            steps=steps,
            encoding=encoding,
            seed=seed,
            timing=timing,
            record=record or (("spikes",) if output is not None else ()),
            output=output,
            timeline=timeline,
            exit_confidence=exit_confidence,
            exit_scale=exit_scale,
            perturb=perturb,
            progress=meter,
            spiked=meter.spiked,
            save_figures=True,
            where=str(data),
            data_name=_called(data),
        )
    if as_json:
        print_json(result.figures)
        return
    print_summary(result.figures)
    if result.timeline:
        say(f"timeline  without {result.timeline}")


def _called(data: Path) -> str:
    """The data's name without folders, which differ from machine to machine."""
    text = str(data)
    return text.rpartition(":")[0] if text.startswith("tonic:") else data.name
