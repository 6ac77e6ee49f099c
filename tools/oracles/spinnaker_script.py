"""Run an emitted PyNN script with sPyNNaker on a virtual board and keep what it would load.

    python tools/oracles/spinnaker_script.py pynn_network.py input.npz loaded.npz

The result has for each population of PyNN, by its label, `LABEL:place` (x, y, p), `LABEL:key` (key,
mask, spare bits) if it sends, and `LABEL:regionN`, the words of each region that is written, with
`LABEL:sizeN`, its bytes; `tables`, rows of x, y, key, mask, route as generated; and, as text, the
reports `placements`, `routing_tables` and `machine`, which its own schemas have passed.

sPyNNaker reads its settings from ~/.spynnaker.cfg: run it with HOME set to a folder of its own.
Neuron parameters are written by the host here, as it does when it loads them anew, not made by
neuron_expander.aplx on the chip.
"""

from __future__ import annotations

import json
import runpy
import sys
import tempfile
from pathlib import Path

import numpy as np
from pacman.data import PacmanDataView
from pacman.model.routing_tables.multicast_routing_tables import to_json
from pacman.utilities import file_format_schemas
from pacman.utilities.json_utils import placements_to_json
from pyNN import spiNNaker as sim  # noqa: N813
from spinn_front_end_common.interface.ds import DsSqlliteDatabase
from spinn_machine.json_machine import to_json as machine_to_json
from spynnaker.pyNN.models.neuron.population_vertex import PopulationVertex

SETTINGS = "[Machine]\nversion = 5\nvirtual_board = True\n"


def loaded() -> dict[str, np.ndarray]:
    """What the run that just ended would load."""
    found = {}
    with DsSqlliteDatabase() as database:
        for place in PacmanDataView.iterate_placemements():
            label = place.vertex.app_vertex.label if place.vertex.app_vertex else None
            if label is None:
                continue
            found[f"{label}:place"] = np.array([place.x, place.y, place.p])
            regions = database.get_region_pointers_and_content(place.x, place.y, place.p)
            for number, _, content in regions:
                if content is not None:
                    found[f"{label}:region{number}"] = np.frombuffer(content, np.uint8)
            sizes = database.get_region_sizes(place.x, place.y, place.p)
            for number, size in sizes.items():
                found[f"{label}:size{number}"] = np.array(size)
            for info in PacmanDataView.get_routing_infos():
                if info.vertex is place.vertex:
                    found[f"{label}:key"] = np.array([info.key, info.mask,
                                                      place.vertex.app_vertex.n_colour_bits])
    plain = PacmanDataView.get_uncompressed()
    rows = [(t.x, t.y, e.key, e.mask, e.spinnaker_route) for t in plain.routing_tables
            for e in t.multicast_routing_entries]
    found["tables"] = np.array(rows, np.int64).reshape(-1, 5)
    for name, value in (("placements", placements_to_json()), ("routing_tables", to_json(plain)),
                        ("machine", machine_to_json())):
        file_format_schemas.validate(value, f"{name}.json")
        found[name] = np.array(json.dumps(value))
    return found


def main() -> None:
    """Run the script that the command line names, and write what it would load."""
    (Path.home() / ".spynnaker.cfg").write_text(SETTINGS)
    PopulationVertex.can_generate_on_machine = lambda self: False
    end, target = sim.end, sys.argv[3]

    def kept() -> None:
        np.savez(target, **loaded())
        end()

    sim.end = kept
    script = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [script, sys.argv[2], str(Path(folder) / "spikes.npz")]
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
