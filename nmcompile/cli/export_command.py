"""`nmc export`."""

from __future__ import annotations

from pathlib import Path

import click

from nmcompile.cli._complete import models, paths
from nmcompile.cli._options import event_options, read_sample
from nmcompile.cli._terminal import say
from nmcompile.frontends.events import EventOptions

DT = 1e-4  # what NIR's exporters write


@click.command("export")
@click.argument("model", type=click.Path(path_type=Path), shell_complete=models)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path),
              help="The NIR file to write.")
@click.option("--dt", type=click.FloatRange(1e-12, 1.0),
              help="Seconds that one step of the model stands for.  [default: as it says, or 1e-4]")
@click.option("--sample", type=click.Path(path_type=Path), help="Data to trace the model on.")
@click.option("--code", metavar="FILE:CLASS", shell_complete=paths(".py"),
              help="The model's own code; runs that file.")
@click.option("--trust-pickle", is_flag=True, help="Let the model file run code as it loads.")
@event_options
def command(
    model: Path, output: Path, dt: float | None, sample: Path | None, code: str | None,
    trust_pickle: bool, events: EventOptions,
) -> None:
    """Write the network in a model file as a NIR graph.

    What NIR cannot say (soft resets, comparators, the time step) stands in the graph's metadata.
    """
    from nmcompile import api
    from nmcompile.files import require_place
    from nmcompile.frontends.interface import Request
    from nmcompile.frontends.nir_export import write_graph

    require_place(output)
    values = read_sample(sample, events)
    request = Request(path=model, sample=values, code=code, trust_pickle=trust_pickle)
    network = api.load(request).network
    write_graph(network, output, dt or network.dt or DT)
    say(f"{output}: written")
