"""`nmc demo`."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import click

from nmcompile.cli._complete import target_or_file
from nmcompile.cli._terminal import QUIET, say


@click.command("demo")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="Folder for the build.",
)
@click.option("--target", default="loihi2", show_default=True, shell_complete=target_or_file,
              help="Name of a target.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(context: click.Context, output: Path, target: str, as_json: bool) -> None:
    """Compile the shipped digits network, simulate it on its test split, and show the figures."""
    from nmcompile.cli.compile_command import command as compile_command
    from nmcompile.cli.simulate_command import command as simulate_command

    if as_json:
        context.meta[QUIET] = True
    with as_file(files("nmcompile_examples")) as examples:
        model, code = examples / "digits.pt", f"{examples / 'train_digits.py'}:DigitsNet"
        calibration, test = examples / "digits_calibration.npz", examples / "digits_test.npz"
        say(
            f"$ nmc compile {model} --target {target} --code {code} "
            f"--calibrate {calibration} -o {output}"
        )
        context.invoke(
            compile_command,
            model=model,
            target=target,
            code=code,
            calibrate=calibration,
            output=output,
        )
        say(f"\n$ nmc simulate {output} --input {test}")
        context.invoke(simulate_command, folder=output, data=test, as_json=as_json)
    say(f"\nThe configuration lies in {output / 'config'}. A page with charts: nmc report "
        f"{output} --open")
