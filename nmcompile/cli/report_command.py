"""`nmc report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nmcompile.cli._complete import builds
from nmcompile.cli._formats import FORMATS, format_asked, show_page
from nmcompile.cli._terminal import say


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path), shell_complete=builds)
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="File to write: .html (a page with charts), .md, .csv (layers) or .json.")
@click.option("--format", "how", type=click.Choice(FORMATS),
              help="html goes to DIR/report.html and others are printed, unless -o names a file.")
@click.option("--open", "show", is_flag=True, help="Write the page and open it in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    folder: Path, output: Path | None, how: str | None, show: bool, as_json: bool
) -> None:
    """Show the figures of the build in DIR: its checks, and its last simulation."""
    from nmcompile import api
    from nmcompile.build import PAGE
    from nmcompile.report import rendered

    how = format_asked(how, show, as_json, output)
    build = api.read_build(folder)
    if how == "html" and output is None:
        output = folder / PAGE
    if output is not None:
        api.report(build, output, how)
        say(f"report    {output}")
    elif how == "text":
        _print(build.figures, folder)
    else:
        click.echo(rendered(build.figures, build.name, how), nl=False)
    if show and output is not None:
        show_page(output)


def _print(figures: dict[str, Any], folder: Path) -> None:
    from nmcompile.cli._render import print_checks
    from nmcompile.cli._run_tables import print_summary
    from nmcompile.cli._yardstick_tables import print_yardsticks

    print_checks(figures)
    print_summary(figures)
    print_yardsticks(figures["yardsticks"])
    if figures["samples"] is None:
        say(f"Not simulated yet: nmc simulate {folder} --input DATA.npz")
