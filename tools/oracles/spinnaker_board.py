"""Map networks with sPyNNaker on a virtual board and keep what it would load.

    python tools/oracles/spinnaker_board.py projections.npz loaded.npz

The input has `dt_ms`, `sources`, `reals`, `count`, and for each target i: `conductancei`,
`neuronsi` and `synapsesi`, rows of source, target, weight, delay in ms, type (0 excitatory,
1 inhibitory) and number of the projection. The result has `words`, the accums of `reals`, and for
each target `headi`, the words of its SynapseParams region (neurons, types, their bits, delay bits,
flags, shifts), and `synapsesi` (synapses, 2): source and synaptic word.

sPyNNaker reads its settings from ~/.spynnaker.cfg: run it with HOME set to a folder of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pyNN import spiNNaker as sim  # noqa: N813
from spinn_front_end_common.interface.ds import DataType, DsSqlliteDatabase
from spynnaker.pyNN.data import SpynnakerDataView

SETTINGS = "[Machine]\nversion = 5\nvirtual_board = True\n"
TYPES = ("excitatory", "inhibitory")
SYNAPSE_PARAMS, POPULATION_TABLE, SYNAPTIC_MATRIX = 4, 5, 6  # population_machine_vertex.py REGIONS


def build(data: np.lib.npyio.NpzFile) -> list[sim.Population]:
    """One population for each target, reached by one source population."""
    n_sources = int(data["sources"])
    source = sim.Population(n_sources, sim.SpikeSourceArray([[1]] * n_sources))
    targets = []
    for i in range(int(data["count"])):
        cell = sim.IF_cond_exp() if data[f"conductance{i}"] else sim.IF_curr_exp()
        targets.append(sim.Population(int(data[f"neurons{i}"]), cell, n_synapse_cores=0))
        synapses = data[f"synapses{i}"]
        for kind, number in np.unique(synapses[:, 4:], axis=0):
            chosen = synapses[(synapses[:, 4] == kind) & (synapses[:, 5] == number)]
            rows = [(int(a), int(b), w, d) for a, b, w, d in chosen[:, :4].tolist()]
            sim.Projection(source, targets[-1], sim.FromListConnector(rows),
                           receptor_type=TYPES[int(kind)])
    return targets


def loaded(target: sim.Population, n_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """The SynapseParams region, and sources with their synaptic words."""
    (vertex,) = target._vertex.machine_vertices
    place = SpynnakerDataView.get_placement_of_vertex(vertex)
    with DsSqlliteDatabase() as database:
        regions = {
            number: np.frombuffer(content[: len(content) // 4 * 4], np.uint32)
            for number, _, content in database.get_region_pointers_and_content(
                place.x, place.y, place.p)
            if content is not None
        }
    table, matrix = regions[POPULATION_TABLE], regions[SYNAPTIC_MATRIX]
    found = []
    for entry in table[len(table) - int(table[1]):]:  # row length in words - 1, address / 16
        length, begin = int(entry & 0xFF) + 4, int(entry >> 8) * 4
        rows = matrix[begin : begin + n_sources * length].reshape(n_sources, length)
        found += [np.stack([np.full(row[1], i, np.uint32), row[3 : 3 + row[1]]], axis=1)
                  for i, row in enumerate(rows)]
    return regions[SYNAPSE_PARAMS], np.concatenate(found)


def main() -> None:
    """Map what the first file holds, write the second."""
    (Path.home() / ".spynnaker.cfg").write_text(SETTINGS)
    data = np.load(sys.argv[1])
    sim.setup(float(data["dt_ms"]))
    targets = build(data)
    sim.run(10)
    results = {"words": [DataType.S1615.encode_as_int(x) for x in data["reals"].tolist()]}
    for i, target in enumerate(targets):
        results[f"head{i}"], results[f"synapses{i}"] = loaded(target, int(data["sources"]))
    np.savez(sys.argv[2], **results)
    sim.end()


if __name__ == "__main__":
    main()
