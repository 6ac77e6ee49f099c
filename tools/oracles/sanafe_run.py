"""Run TrueNorth neurons in SANA-FE 2.2.9 and save their membranes and spikes.

    python sanafe_run.py FOLDER

Every `NAME.npz` of FOLDER gives `NAME.out.npz`. Its arrays: spikes (steps, lines) bool, weights
(lines, neurons), and for each neuron the attributes of SANA-FE's `truenorth` model by their names.
A line's spike of step t is added in step t + 1. Out come v and spikes, (steps, neurons).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import sanafe


def free(events: tuple[str, ...]) -> str:
    """Zero energies and latencies of `events`, as attributes in YAML."""
    return ", ".join(f"{cost}_{event}: 0.0" for event in events for cost in ("energy", "latency"))


HOPS = free(("north_hop", "east_hop", "south_hop", "west_hop"))
COSTS = free(("access_neuron", "update_neuron", "spike_out"))
ARCHITECTURE = f"""
architecture:
  name: two_cores
  attributes: {{topology: mesh, width: 1, height: 1, link_buffer_size: 1, sync_model: fixed,
               latency_sync: 0.0}}
  tile:
    - name: tile
      attributes: {{{HOPS}}}
      core:
        - name: core[0..1]
          attributes: {{buffer_position: soma, buffer_inside_unit: false,
                       max_neurons_supported: 4096}}
          axon_in:
            - name: axon_in
              attributes: {{energy_message_in: 0.0, latency_message_in: 0.0}}
          synapse:
            - name: synapses
              attributes: {{model: current_based, energy_process_spike: 0.0,
                           latency_process_spike: 0.0}}
          dendrite:
            - name: dendrites
              attributes: {{model: accumulator, energy_update: 0.0, latency_update: 0.0}}
          soma:
            - name: neurons
              attributes: {{model: truenorth, {COSTS}}}
            - name: lines[0..1023]
              attributes: {{model: input, {COSTS}}}
          axon_out:
            - name: axon_out
              attributes: {{energy_message_out: 0.0, latency_message_out: 0.0}}
"""
ATTRIBUTES = ("threshold", "reverse_threshold", "reset", "reverse_reset", "reset_mode",
              "reverse_reset_mode", "leak", "leak_towards_zero")


def main() -> None:
    """Run every file of the folder that the command line names."""
    for path in sorted(Path(sys.argv[1]).glob("*.npz")):
        np.savez(path.with_suffix(".out.npz"), **run(dict(np.load(path))))


def run(case: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Membranes and spikes of one case."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(ARCHITECTURE)
        file.flush()
        architecture = sanafe.load_arch(file.name)
    network, cores = sanafe.Network(), architecture.cores()
    steps, n_lines = case["spikes"].shape
    n = case["weights"].shape[1]
    lines = network.create_neuron_group("lines", n_lines)
    for index, line in enumerate(lines):
        line.set_attributes(soma_hw_name=f"lines[{index}]", model_attributes={
            "spikes": [bool(s) for s in case["spikes"][:, index]]})
        line.map_to_core(cores[0])
    neurons = network.create_neuron_group("neurons", n, soma_hw_name="neurons")
    for index, neuron in enumerate(neurons):
        neuron.set_attributes(log_potential=True, log_spikes=True, model_attributes={
            name: case[name][index].item() for name in ATTRIBUTES})
        neuron.map_to_core(cores[1])
    lines.connect_neurons_dense(neurons, {"weight": case["weights"].ravel().tolist()})
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    result = chip.sim(steps, timing_model="simple", spike_trace=True, potential_trace=True)
    return {"v": np.array(result["potential_trace"]), "spikes": spikes(result, steps, n)}


def spikes(result: dict[str, object], steps: int, n: int) -> np.ndarray:
    """The spike trace as 0 and 1."""
    fired = np.zeros((steps, n), np.int32)
    for step, addresses in enumerate(result["spike_trace"]):
        for address in addresses:
            fired[step, address.neuron_offset] = 1
    return fired


if __name__ == "__main__":
    main()
