"""`nmc compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nmcompile.cli._complete import builds as build_folders


@click.command("compare")
@click.argument("builds", nargs=-1, required=True, metavar="DIR DIR...",
                type=click.Path(path_type=Path), shell_complete=build_folders)
@click.option("--gate", "gates", multiple=True, metavar="METRIC<VALUE",
              help="A bound that all builds must keep, as 'accuracy>=0.97', or, against the first "
              "one, 'energy_j<+5%'. Exit code 1 where one does not. May be given several times.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(builds: tuple[Path, ...], gates: tuple[str, ...], as_json: bool) -> int:
    """Show builds beside each other: targets, bit widths, mappings, versions.

    Metrics: accuracy, latency_s, step_max_s, energy_j, power_w, edp_js, spikes, synaptic_events,
    packets, hops, cores, chips.
    """
    from nmcompile import api
    from nmcompile.cli._compare_tables import print_comparison
    from nmcompile.cli._render import print_json
    from nmcompile.comparison import compare, parse_gate

    asked = [parse_gate(text) for text in gates]
    found: dict[str, Any] = compare([api.read_build(folder) for folder in builds], asked)
    if as_json:
        print_json(found)
    else:
        print_comparison(found)
    return int(any(gate["broken_by"] for gate in found["gates"]))
