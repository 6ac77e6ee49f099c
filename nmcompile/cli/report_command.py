"""`nmc report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(folder: Path, as_json: bool) -> None:
    """Show the figures of the build in DIR: its checks, and its last simulation."""
    from nmcompile import api
    from nmcompile.cli._render import print_checks, print_json
    from nmcompile.cli._run_tables import print_summary
    from nmcompile.cli._yardstick_tables import print_yardsticks

    figures = api.read_build(folder).figures
    if as_json:
        print_json(figures)
        return
    print_checks(figures)
    print_summary(figures)
    print_yardsticks(figures["yardsticks"])
    if figures["energy_j"] is None:
        click.echo(f"Not simulated yet: nmc simulate {folder} --input DATA.npz")
