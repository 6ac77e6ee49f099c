"""`nmc map`."""

from __future__ import annotations

from pathlib import Path

import click

from nmcompile.cli._complete import PARTITIONERS, builds, paths, words


@click.command("map")
@click.argument("build", type=click.Path(path_type=Path), shell_complete=builds)
@click.option("--explain", is_flag=True,
              help="Cores, what limits each layer, copies, traffic, busiest links.  [default "
              "without -o]")
@click.option("--constraints", type=click.Path(path_type=Path), shell_complete=paths(".toml"),
              help="Where layers may go, what stays free, and what is dead (.toml); with -o.")
@click.option("--search", is_flag=True,
              help="Cut layers and share cores for the least energy times delay, in place of the "
              "fewest cores.")
@click.option("--partitioner", default="own", show_default=True,
              shell_complete=words(*PARTITIONERS),
              help="Of irregular populations: own, mt-kahypar (the extra `partition`), or auto for "
              "the better of both.")
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="Map the network anew and write the build here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    build: Path, explain: bool, constraints: Path | None, search: bool, partitioner: str,
    output: Path | None, as_json: bool,
) -> None:
    """Show how the network in the folder BUILD lies on its chip, or map it anew."""
    from nmcompile import api
    from nmcompile.cli._mapping_tables import print_mapping
    from nmcompile.cli._progress import stages_bar
    from nmcompile.cli._render import print_checks, print_json
    from nmcompile.cli._terminal import say

    if (constraints or search or partitioner != "own") and not output:
        raise click.UsageError("--constraints, --search and --partitioner make a new mapping: say "
                               "with -o where it goes")
    found = api.read_build(build)
    if output:
        with stages_bar() as begin_stage:
            begin_stage("search" if search else "map")
            found = api.remap(found, output, constraints=constraints, search=search,
                              partitioner=partitioner)
    if as_json:
        print_json(api.explain(found))
        return
    if output:
        say(f"{build} -> {output}")
        print_checks({"checks": [c for c in found.figures["checks"] if c["arrow"] == "map"]})
    if explain or not output:
        print_mapping(api.explain(found))
