"""Map a network with sPyNNaker on a virtual board; keep its tables and the time of each stage.

    python tools/oracles/spinnaker_mapping.py network.npz mapped.npz [--repeats N]

The input has `sizes` and `inputs` (1 = Poisson source) of each population, and for each projection
`pre`, `post` and `kind`: 0 all to all, 1 one to one, 2 fixed probability (`probability`), 3 a list
(`rows<i>`: source and target of each synapse). The result has, for each slice that sends or
receives, `slices` (population, first neuron, end) and `cores` (x, y, core), for each that sends
`keys` (slice, key, mask), the `boards` chips with links (x, y, link, x, y), and tables as rows of
x, y, key, mask, route: `plain` as generated, `pair` and `covering` compressed as far as its two
compressors go. `seconds` has the least time of
each stage, named in `stages`.

sPyNNaker reads its settings from ~/.spynnaker.cfg: run it with HOME set to a folder of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import spinn_front_end_common.interface.abstract_spinnaker_base as base
from pacman.data import PacmanDataView
from pacman.operations.router_compressors import pair_compressor
from pacman.operations.router_compressors.ordered_covering_router_compressor import (
    ordered_covering_compressor,
)
from pyNN import spiNNaker as sim  # noqa: N813

SETTINGS = """
[Machine]
version = 5
virtual_board = True
[Mode]
mode = Production
[Mapping]
router_table_compress_as_far_as_possible = True
"""
STAGES = {
    "partition": (base, "splitter_partitioner"),
    "place": (base, "place_application_graph"),
    "route": (base, "route_application_graph"),
    "global keys": (base, "global_allocate"),
    "keys": (base, "flexible_allocate"),
    "tables": (base, "merged_routing_table_generator"),
}
spent: dict[str, float] = {}


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which adds its seconds to those of `name`."""

    def run(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments, **named)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - start
        return result

    return run


def build(data: np.lib.npyio.NpzFile) -> list[sim.Population]:
    """The populations and projections of `data`."""
    made = [
        sim.Population(int(n), sim.SpikeSourcePoisson(rate=10.0) if source else sim.IF_curr_exp())
        for n, source in zip(data["sizes"], data["inputs"], strict=True)
    ]
    for i, (pre, post, kind) in enumerate(
            zip(data["pre"], data["post"], data["kind"], strict=True)):
        if kind == 3:
            connector = sim.FromListConnector(data[f"rows{i}"], column_names=[])
        elif kind == 2:
            connector = sim.FixedProbabilityConnector(float(data["probability"][i]))
        else:
            connector = sim.OneToOneConnector() if kind else sim.AllToAllConnector()
        sim.Projection(made[pre], made[post], connector, sim.StaticSynapse(weight=0.1, delay=1.0))
    return made


def rows(tables: Any) -> np.ndarray:
    """Every entry of `tables` in its order: x, y, key, mask, route."""
    found = [
        (table.x, table.y, entry.key, entry.mask, entry.spinnaker_route)
        for table in tables.routing_tables for entry in table.multicast_routing_entries
    ]
    return np.array(found, np.int64).reshape(-1, 5)


def mapped(data: np.lib.npyio.NpzFile) -> dict[str, np.ndarray]:
    """What sPyNNaker makes of `data`; the seconds of its stages are in `spent`."""
    sim.setup(timestep=1.0)
    populations = build(data)
    sim.run(1)
    number = {population._vertex: i for i, population in enumerate(populations)}
    slices, cores, keys = [], [], []
    for place in PacmanDataView.iterate_placemements():
        vertex = place.vertex
        if vertex.app_vertex not in number:
            continue
        atoms = vertex.vertex_slice
        slices.append((number[vertex.app_vertex], atoms.lo_atom, atoms.hi_atom + 1))
        cores.append((place.x, place.y, place.p))
        for info in PacmanDataView.get_routing_infos():
            if info.vertex is vertex:
                keys.append((len(slices) - 1, info.key, info.mask))
    links = [
        (chip.x, chip.y, link.source_link_id, link.destination_x, link.destination_y)
        for chip in PacmanDataView.get_machine().chips for link in chip.router.links
    ]
    free = [(chip.x, chip.y, len(chip.placable_processors_ids))
            for chip in PacmanDataView.get_machine().chips]
    plain = PacmanDataView.get_uncompressed()
    spent["compress"] = 0.0
    pair = timed("compress", pair_compressor)(accept_overflow=True)
    covering = timed("covering", ordered_covering_compressor)()
    names = ("slices", "cores", "keys", "links", "free")
    result = {name: np.array(found, np.int64)
              for name, found in zip(names, (slices, cores, keys, links, free), strict=True)}
    result |= {"plain": rows(plain), "pair": rows(pair), "covering": rows(covering)}
    sim.end()
    return result


def only_tables(simulator: Any) -> None:
    """In place of loading the machine: no synapses are written, which takes minutes."""
    simulator._execute_pre_compression(True)


def main() -> None:
    """Map the network that the command line names, `--repeats` times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("mapped", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    (Path.home() / ".spynnaker.cfg").write_text(SETTINGS)
    base.AbstractSpinnakerBase._do_load = only_tables
    for name, (module, function) in STAGES.items():
        setattr(module, function, timed(name, getattr(module, function)))
    data = np.load(arguments.network)
    runs = []
    for _ in range(arguments.repeats):
        spent.clear()
        result = mapped(data)
        runs.append(dict(spent))
    stages = list(runs[0])
    seconds = np.array([min(run[stage] for run in runs) for stage in stages])
    np.savez(arguments.mapped, stages=stages, seconds=seconds, **result)


if __name__ == "__main__":
    main()
