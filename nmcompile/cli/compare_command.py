"""`nmc compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nmcompile.cli._complete import builds as build_folders
from nmcompile.cli._formats import FORMATS, format_asked, show_page
from nmcompile.cli._terminal import say


@click.command("compare")
@click.argument("builds", nargs=-1, required=True, metavar="DIR DIR...",
                type=click.Path(path_type=Path), shell_complete=build_folders)
@click.option("--gate", "gates", multiple=True, metavar="METRIC<VALUE",
              help="A bound that all builds must keep, as 'accuracy>=0.97', or, against the first "
              "one, 'energy_j<+5%' (of accuracy in points). Exit code 1 where one does not. May be "
              "given several times.")
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="File to write: .html (a page with charts), .md, .csv (metrics) or .json.")
@click.option("--format", "how", type=click.Choice(FORMATS),
              help="html goes to compare.html in the first DIR and others are printed, unless -o "
              "names a file.")
@click.option("--open", "show", is_flag=True, help="Write the page and open it in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    builds: tuple[Path, ...], gates: tuple[str, ...], output: Path | None, how: str | None,
    show: bool, as_json: bool,
) -> int:
    """Show builds beside each other: targets, bit widths, mappings, versions.

    Metrics: accuracy, latency_s, step_max_s, energy_j, power_w, edp_js, spikes, synaptic_events,
    packets, hops, cores, chips, footprint_bytes.
    """
    from nmcompile import api
    from nmcompile.cli._compare_tables import print_comparison
    from nmcompile.comparison import COMPARED, compare, parse_gate, write_comparison
    from nmcompile.report.compared_formats import rendered_comparison

    asked = [parse_gate(text) for text in gates]
    how = format_asked(how, show, as_json, output)
    read = [api.read_build(folder) for folder in builds]
    found: dict[str, Any] = compare(read, asked)
    if how == "html" and output is None:
        output = builds[0] / COMPARED
    if output is not None:
        write_comparison(found, read, output, how)
        say(f"compare   {output}")
    elif how == "text":
        print_comparison(found)
    else:
        click.echo(rendered_comparison(found, how), nl=False)
    if show and output is not None:
        show_page(output)
    return int(any(gate["broken_by"] for gate in found["gates"]))
