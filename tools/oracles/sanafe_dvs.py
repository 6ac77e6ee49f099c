"""Run SANA-FE 2.2.9's DVS-gesture example on its Loihi, as its tutorial maps it or otherwise.

    python sanafe_dvs.py FOLDER            tutorial's mapping; records example.npz and spikes.npz
    python sanafe_dvs.py FOLDER MAPPING    mapping.npz: core_0 ... core_5, the core of each neuron

Prints a line of JSON for each timing model. The network is the one of tutorial 5 (tutorial/
tutorial_5_dvs.ipynb), from the weights that the package carries; its mapping cuts each layer
evenly, in the order of its neurons.
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import sanafe
import sanafe.layers

STEPS = 1000
CORES = (1, 4, 16, 16, 4, 1)  # for each layer, in the tutorial


def main() -> None:
    """Run what the command line names."""
    folder = Path(sys.argv[1])
    data = dict(np.load(str(files("sanafe") / "examples" / "dvs_challenge.npz")))
    architecture, network = sanafe.load_loihi(), sanafe.Network()
    layers = build(network, data)
    recorded = len(sys.argv) == 2
    mapping = dict(np.load(sys.argv[2])) if not recorded else tutorial(layers)
    cores = architecture.cores()
    for i, layer in enumerate(layers):
        for neuron, core in zip(layer, mapping[f"core_{i}"], strict=True):
            neuron.map_to_core(cores[int(core)])
            neuron.set_attributes(log_spikes=recorded)
    for model in ("simple", "detailed"):
        chip = sanafe.SpikingChip(architecture)
        chip.load(network)
        traced = recorded and model == "simple"
        result = chip.sim(STEPS, timing_model=model, spike_trace=True if traced else None)
        if traced:
            np.savez(folder / "example.npz", **data)
            np.savez(folder / "spikes.npz", **spikes(result["spike_trace"], layers))
        kept = ("energy", "sim_time", "packets_sent", "neurons_fired", "spikes")
        print(json.dumps({"model": model, **{name: result[name] for name in kept}}))


def build(network: object, data: dict[str, np.ndarray]) -> list[object]:
    """The six layers."""
    thresholds = data["thresholds"]
    layers = [sanafe.layers.Input2D(network, 32, 32, threshold=thresholds[0])]
    for i in range(1, 5):
        stride = {"stride_width": 2, "stride_height": 2} if i == 1 else {}
        layers.append(sanafe.layers.Conv2D(
            network, layers[-1], data[f"conv{i}"], threshold=thresholds[i], **stride))
    layers.append(sanafe.layers.Dense(
        network, layers[-1], 11, data["dense1"], threshold=thresholds[5]))
    for neuron, bias in zip(layers[0], data["inputs"], strict=True):
        neuron.set_attributes(model_attributes={"bias": bias})
    return layers


def tutorial(layers: list[object]) -> dict[str, np.ndarray]:
    """Each layer cut into its number of equal runs of neurons, the last taking what remains."""
    first = np.cumsum((0, *CORES))
    return {
        f"core_{i}": first[i] + np.minimum(
            np.arange(len(layer)) // (len(layer) // CORES[i]), CORES[i] - 1)
        for i, layer in enumerate(layers)}


def spikes(trace: list[list[object]], layers: list[object]) -> dict[str, np.ndarray]:
    """(steps, n) bool for each layer."""
    fired = {layer.group.get_name(): np.zeros((STEPS, len(layer)), bool) for layer in layers}
    for step, addresses in enumerate(trace):
        for address in addresses:
            fired[address.group_name][step, address.neuron_offset] = True
    return {f"layer_{i}": values for i, values in enumerate(fired.values())}


if __name__ == "__main__":
    main()
