"""`nmc inspect`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("inspect")
@click.argument("what", metavar="MODEL|DIR", type=click.Path(path_type=Path))
@click.option("--sample", type=click.Path(path_type=Path), help="Data to trace the model on.")
@click.option("--code", metavar="FILE:CLASS", help="The model's own code; runs that file.")
@click.option("--trust-pickle", is_flag=True, help="Let the model file run code as it loads.")
def command(what: Path, sample: Path | None, code: str | None, trust_pickle: bool) -> None:
    """Show the network in a model file, or the integer network in a build, as text."""
    from nmcompile import api
    from nmcompile.frontends.interface import Request
    from nmcompile.ir.text import to_text

    if what.is_dir():
        network = api.read_build(what).program.network
    else:
        values = None if sample is None else api.read_data(sample).x
        request = Request(path=what, sample=values, code=code, trust_pickle=trust_pickle)
        network = api.load(request).network
    click.echo(to_text(network))
