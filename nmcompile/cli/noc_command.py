"""`nmc noc`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from nmcompile.cli._complete import paths
from nmcompile.cli._terminal import say
from nmcompile.errors import OptionError


@click.command("noc")
@click.argument("trace", metavar="TRACE.csv", type=click.Path(path_type=Path),
                shell_complete=paths(".csv"))
@click.option("--mesh", "size", required=True, metavar="COLUMNSxROWS", help="Routers of the mesh.")
@click.option("--buffer", type=click.IntRange(1, 1000), default=8, show_default=True,
              help="Packets that each input of a router holds.")
@click.option("--router", "pipeline", default="A", show_default=True, metavar="NAME[,STAGE=CYCLES]",
              help="A pipeline, and changes to it: routing, output, switch, traversal, link, "
              "credit (cycles), speculative (0 or 1).")
@click.option("--cores", type=click.IntRange(1, 32), default=1, show_default=True,
              help="Cores of each router.")
@click.option("--chip", metavar="COLUMNSxROWS", help="Routers of a chip.  [default: all]")
@click.option("--chip-latency", type=click.IntRange(1, 100_000), default=1, show_default=True,
              help="Cycles on a link between chips.")
@click.option("--chip-interval", type=click.IntRange(1, 100_000), default=1, show_default=True,
              help="Cycles between two packets on such a link.")
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="CSV file for the packets, with injected, arrived and routers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    trace: Path,
    size: str,
    buffer: int,
    pipeline: str,
    cores: int,
    chip: str | None,
    chip_latency: int,
    chip_interval: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Replay the packets in TRACE.csv on a mesh of routers, cycle by cycle.

    The file has the columns src, dst (nodes, counted row by row) and created (cycles). Where it
    also has injected, arrived or routers, the differences are told.
    """
    from nmcompile.cli._progress import parts_bar
    from nmcompile.cli._render import print_json
    from nmcompile.files import require_place
    from nmcompile.simulator import noc

    width, height = _size(size, "--mesh")
    mesh = noc.Mesh(width=width, height=height, cores=cores,
                    chip=None if chip is None else _size(chip, "--chip"),
                    chip_latency=chip_latency, chip_interval=chip_interval)
    mesh.verify("--mesh")
    router = noc.parse_router(pipeline, buffer=buffer, where="--router")
    if output is not None:
        require_place(output)
    packets = noc.read_trace(trace, mesh.n_nodes)
    with parts_bar("replay", len(packets.source)) as arrived:
        found = noc.replay(packets.source, packets.target, packets.created, mesh=mesh,
                           router=router,
                           progress=arrived)
    if output is not None:
        noc.write_trace(output, packets, {"injected": found.injected, "arrived": found.arrived,
                                          "routers": found.routers})
    told = noc.figures(packets, found, mesh)
    if as_json:
        print_json(told)
    else:
        _print(told)


def _size(text: str, where: str) -> tuple[int, int]:
    if not re.fullmatch(r"[0-9]{1,7}x[0-9]{1,7}", text):
        raise OptionError(where, f"'{text}' is no size", "Give columns and rows, such as 8x8.")
    columns, rows = text.split("x")
    return int(columns), int(rows)


def _print(told: dict[str, Any]) -> None:
    latency = told["latency_cycles"]
    say(f"packets   {told['packets']:,} in {told['cycles']:,} cycles, "
        f"{told['packets_per_node_cycle']:.4g} a node and cycle")
    say(f"latency   {latency['mean']:.3f} cycles on average "
        f"({latency['queued_mean']:.3f} of them in the queue of the source), "
        f"median {latency['median']:g}, 99 % below {latency['p99']:.0f}, "
        f"at most {latency['max']:,}")
    say(f"routers   {told['routers_mean']:.3f} a packet, the fullest buffer held "
        f"{told['fullest_buffer_packets']:,}")
    if told["recorded"] is not None:
        say(f"recorded  {_differences(told['recorded'])}")


def _differences(against: dict[str, Any]) -> str:
    parts = []
    if against["mean_latency_cycles"] is not None:
        error = against["latency_error"]
        apart = "" if error is None else f", ours is {100 * error:+.2f} %"
        parts += [f"latency {against['mean_latency_cycles']:.3f} cycles{apart}",
                  f"{100 * against['arrived_close']:.2f} % of packets arrive within 2 cycles",
                  f"{100 * against['arrived_equal']:.2f} % in the same",
                  f"at most {against['arrived_most_cycles']:,} apart"]
    for name in ("injected", "routers"):
        if against[f"{name}_equal"] is not None:
            parts.append(f"{name} equal for {100 * against[f'{name}_equal']:.2f} %")
    return "; ".join(parts)
