"""`nmc inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from nmcompile.cli._complete import models_and_builds, paths
from nmcompile.cli._options import event_options, read_sample
from nmcompile.frontends.events import EventOptions


@click.command("inspect")
@click.argument("what", metavar="MODEL|DIR", type=click.Path(path_type=Path),
                shell_complete=models_and_builds)
@click.option("--sample", type=click.Path(path_type=Path), help="Data to trace the model on.")
@click.option("--code", metavar="FILE:CLASS", shell_complete=paths(".py"),
              help="The model's own code; runs that file.")
@click.option("--trust-pickle", is_flag=True, help="Let the model file run code as it loads.")
@click.option("--graph", type=click.Path(path_type=Path), help="Draw the network to this SVG file.")
@click.option("--text", "as_text", is_flag=True, help="Print every part on a line of its own.")
@event_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    what: Path,
    sample: Path | None,
    code: str | None,
    trust_pickle: bool,
    graph: Path | None,
    as_text: bool,
    events: EventOptions,
    as_json: bool,
) -> None:
    """Show the network in a model file, or the integer network in a build."""
    from nmcompile import api
    from nmcompile.cli._network_tables import print_structure
    from nmcompile.cli._render import print_json
    from nmcompile.files import replaced_file, require_place
    from nmcompile.frontends.interface import Request
    from nmcompile.ir.text import to_text
    from nmcompile.report import structure, to_svg

    if graph is not None:
        require_place(graph)
    if what.is_dir():
        network = api.read_build(what).program.network
    else:
        values = read_sample(sample, events)
        request = Request(path=what, sample=values, code=code, trust_pickle=trust_pickle)
        network = api.load(request).network
    found = structure(network)
    if graph is not None:
        with replaced_file(graph) as fresh:
            fresh.write_text(to_svg(found), "utf-8")
    if as_json:
        print_json(found)
    elif as_text:
        click.echo(to_text(network))
    else:
        print_structure(found)
