"""The experiment as a script for py-spinnaker2, which has no file format of its own.

It uses what py-spinnaker2's published examples use: `snn.Population`, `snn.Projection`,
`snn.Network`, `hardware.SpiNNaker2Chip` and `get_spikes`. What the experiment runner below it reads
(spec.json and images of memories) is made by py-spinnaker2 and not public in its fields.
"""

from __future__ import annotations

from pathlib import Path

FILE = "spinnaker2_run.py"
SCRIPT = '''"""Run spinnaker2.json, beside this file, on a SpiNNaker 2 board.

    python spinnaker2_run.py INPUT.npz OUTPUT.npz [--board ADDRESS] [--steps N]

INPUT.npz has for each input an array (steps, lines), whose values above 0 are spikes. OUTPUT.npz
gets for each population an array (steps, neurons) of spikes, and NAME/v of those that the network
answers by, where it answers by membranes.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from spinnaker2 import hardware, snn


def made(description, spikes):
    """The network's populations by name, and its projections."""
    populations, read = {}, answering(description)
    for port in description["inputs"]:
        times = {line: np.flatnonzero(row > 0).tolist()
                 for line, row in enumerate(spikes[port["name"]].reshape(-1, port["size"]).T)}
        populations[port["name"]] = snn.Population(
            size=port["size"], neuron_model="spike_list", params=times, name=port["name"])
    for layer in description["populations"]:
        params = {name: np.array(value) if isinstance(value, list) else value
                  for name, value in layer["params"].items()}
        populations[layer["name"]] = snn.Population(
            size=layer["size"], neuron_model=layer["neuron_model"], params=params,
            name=layer["name"], record=["spikes", "v"] if layer["name"] in read else ["spikes"])
    projections = []
    for link in description["projections"]:
        one, delay = link["connections"], link["delay"]
        connections = [[*row, delay] for row in zip(one["pre"], one["post"], one["weight"])]
        projections.append(snn.Projection(
            pre=populations[link["pre"]], post=populations[link["post"]],
            connections=connections))
    return populations, projections


def answering(description):
    """The populations that the network answers by the membranes of."""
    return {port["population"] for port in description["outputs"] if port["variable"] == "v"}


def raster(times, steps, size):
    """Lists of spike times by neuron as (steps, neurons)."""
    fired = np.zeros((steps, size), np.int32)
    for neuron, when in times.items():
        fired[np.asarray(when, int), neuron] = 1
    return fired


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--board", help="address of the board's Ethernet port")
    parser.add_argument("--steps", type=int, help="default: as many as the input has")
    chosen = parser.parse_args()
    description = json.loads(Path(__file__).with_name("spinnaker2.json").read_text("utf-8"))
    spikes = dict(np.load(chosen.input, allow_pickle=False))
    steps = chosen.steps or len(next(iter(spikes.values())))
    populations, projections = made(description, spikes)
    network = snn.Network("nmcompile")
    network.add(*populations.values(), *projections)
    options = {"eth_ip": chosen.board} if chosen.board else {}
    hardware.SpiNNaker2Chip(**options).run(network, steps)
    found = {}
    for layer in description["populations"]:
        population = populations[layer["name"]]
        found[layer["name"]] = raster(population.get_spikes(), steps, layer["size"])
        if layer["name"] in answering(description):
            voltages = population.get_voltages()
            found[layer["name"] + "/v"] = np.array(
                [voltages[i] for i in range(layer["size"])], np.float32).T
    np.savez(chosen.output, **found)


if __name__ == "__main__":
    main()
'''


def write_experiment(folder: Path) -> dict[str, str]:
    """Write spinnaker2_run.py, which is alike for all networks."""
    (folder / FILE).write_bytes(SCRIPT.encode())
    return {FILE: "runs spinnaker2.json with py-spinnaker2 on a board: python spinnaker2_run.py "
                  "INPUT.npz OUTPUT.npz; written after its published examples and not run with it"}
