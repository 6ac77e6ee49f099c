"""`nmc report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nmcompile.errors import OptionsError


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="File to write: .html (a page with charts), .md, .csv (layers) or .json.")
@click.option("--format", "how", type=click.Choice(["html", "md", "csv", "json", "text"]),
              help="html goes to DIR/report.html and others are printed, unless -o names a file.")
@click.option("--open", "show", is_flag=True, help="Write the page and open it in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    folder: Path, output: Path | None, how: str | None, show: bool, as_json: bool
) -> None:
    """Show the figures of the build in DIR: its checks, and its last simulation."""
    from nmcompile import api
    from nmcompile.build import PAGE
    from nmcompile.report import format_of, rendered

    how = _asked(how, show, as_json) or (format_of(output) if output is not None else "text")
    if how == "text" and output is not None:
        raise OptionsError("--format text", "is printed, not written", "Leave out -o, or take md.")
    build = api.read_build(folder)
    if how == "html" and output is None:
        output = folder / PAGE
    if output is not None:
        api.report(build, output, how)
        click.echo(f"report    {output}")
    elif how == "text":
        _print(build.figures, folder)
    else:
        click.echo(rendered(build.figures, build.name, how), nl=False)
    if show:
        click.launch(str(output))


def _asked(how: str | None, show: bool, as_json: bool) -> str | None:
    """The format that the options name, None where none does."""
    asked = [how, "html" if show else None, "json" if as_json else None]
    named = sorted({each for each in asked if each is not None})
    if len(named) > 1:
        raise OptionsError("--format", f"is both {' and '.join(named)}",
                           "--open shows the page; --json is --format json.")
    return named[0] if named else None


def _print(figures: dict[str, Any], folder: Path) -> None:
    from nmcompile.cli._render import print_checks
    from nmcompile.cli._run_tables import print_summary
    from nmcompile.cli._yardstick_tables import print_yardsticks

    print_checks(figures)
    print_summary(figures)
    print_yardsticks(figures["yardsticks"])
    if figures["samples"] is None:
        click.echo(f"Not simulated yet: nmc simulate {folder} --input DATA.npz")
