"""`nmc simulate`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("simulate")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--input",
    "data",
    required=True,
    type=click.Path(path_type=Path),
    help="Data: .npz with x and labels y, .npy, .pt.",
)
@click.option("--steps", type=click.IntRange(1, 10_000_000), help="Steps for each sample.")
@click.option(
    "--encode",
    type=click.Choice(["direct", "rate", "latency"]),
    help="How values become spikes; without it they are sent as they are.",
)
@click.option(
    "--record",
    default="",
    metavar="spikes,v,u",
    help="Variables of every population to keep in the run file.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run file (.npz).")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of --encode rate.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    folder: Path,
    data: Path,
    steps: int | None,
    encode: str | None,
    record: str,
    output: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Run the build in DIR on the model of its chip: accuracy, latency, energy for each layer."""
    from nmcompile import api
    from nmcompile.cli._render import print_json, print_summary, progress_bar
    from nmcompile.cli._run_file import save_run, variables
    from nmcompile.files import require_place

    kept = variables(record, output)
    if output is not None:
        require_place(output)
    build, values = api.read_build(folder), api.read_data(data)
    with progress_bar() as bar:
        task = bar.add_task("simulate", total=len(values.x))
        result = api.simulate(
            build,
            values,
            steps=steps,
            encoding=encode,  # type: ignore[arg-type]
            record=kept,
            seed=seed,
            where=str(data),
            progress=lambda samples: bar.advance(task, samples),
        )
    if output is not None:
        save_run(result.run, output)
    api.save_run_figures(build, result.figures)
    if as_json:
        print_json(result.figures)
    else:
        print_summary(result.figures)
