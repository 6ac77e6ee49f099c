"""Run the cores of a cores.json (see `nmcompile_backends.truenorth.cores`) in SANA-FE 2.2.9.

    python sanafe_truenorth.py FOLDER...

Each FOLDER holds cores.json, input.npz (port: (steps, lines) of 0 and 1) and ticks.txt, how many
ticks are run. out.npz comes beside them: (ticks, neurons) spikes of each population that the host
hears.

SANA-FE's `truenorth` neurons take a spike in the next step. A delay of more ticks is a chain of
such neurons, each of which hands one spike on. What a neuron's V is before tick 0 comes as the
weight of one more line, whose only spike is taken in the step ahead.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import sanafe
from sanafe_run import ARCHITECTURE

AHEAD = 2  # steps before tick 0: the line that brings V fires, and V is taken; both leak
MODES = {"zero": "hard", "subtract": "soft", "none": "none"}
RELAY = {"threshold": 1.0, "reverse_threshold": 0.0, "reset": 0.0, "reverse_reset": 0.0,
         "leak": 0.0, "reset_mode": "hard", "reverse_reset_mode": "saturate",
         "leak_towards_zero": False}
ON_A_CORE = 1000  # its dendrites hold 1024


class Edges:
    """Weighted edges between numbered nodes, with chains of relays for what takes longer."""

    def __init__(self, n: int) -> None:
        self.n, self.relays = n, list[tuple[Any, int]]()
        self.weights: dict[tuple[Any, int], float] = defaultdict(float)
        self._later: dict[tuple[Any, int], Any] = {}

    def add(self, source: Any, target: int, weight: float, delay: int) -> None:
        """`weight` from `source` (a neuron's number, or a line) arrives after `delay` steps."""
        self.weights[self._delayed(source, delay - 1), target] += weight

    def _delayed(self, source: Any, steps: int) -> Any:
        if steps == 0:
            return source
        if (source, steps) not in self._later:
            before = self._delayed(source, steps - 1)
            self._later[source, steps] = self.n + len(self.relays)
            self.relays.append((before, self._later[source, steps]))
            self.weights[before, self._later[source, steps]] = 1.0
        return self._later[source, steps]


def attributes(registers: dict[str, Any]) -> dict[str, Any]:
    """SANA-FE's names for one entry of `registers`."""
    assert registers["saturates"]
    return {"threshold": float(registers["threshold"]), "reset": float(registers["reset_value"]),
            "reverse_threshold": -float(registers["floor"]), "leak": float(registers["leak"]),
            "reverse_reset": -float(registers["reset_value"]), "leak_towards_zero": False,
            "reset_mode": MODES[registers["reset"]], "reverse_reset_mode": "saturate"}


def run(folder: Path) -> dict[str, np.ndarray]:
    """Spikes of each population that the host hears."""
    content = json.loads((folder / "cores.json").read_text())
    sent, ticks = dict(np.load(folder / "input.npz")), int((folder / "ticks.txt").read_text())
    first, n = {}, 0
    for core in content["cores"]:
        first[core["core"]] = n
        n += len(core["neurons"])
    neurons = [(core, neuron) for core in content["cores"] for neuron in core["neurons"]]
    edges, weights = Edges(n), {c["core"]: matrix(c) for c in content["cores"]}

    def reach(source: Any, core: int, axon: int, delay: int) -> None:
        for target in np.flatnonzero(weights[core][:, axon]):
            edges.add(source, first[core] + int(target), float(weights[core][target, axon]), delay)

    for number, (_, (_, _, target)) in enumerate(neurons):
        if target[0] != "out":
            reach(number, *target)
    for port, index, *target in content["inputs"]:
        reach((port, index), *target)
    for number, (core, (kind, _, _)) in enumerate(neurons):
        registers = core["registers"][kind]
        edges.add("v", number, float(registers["v"] - AHEAD * registers["leak"]), 1)
    spikes = simulated(
        [attributes(core["registers"][kind]) for core, (kind, _, _) in neurons], edges, sent, ticks)
    return heard(neurons, spikes)


def matrix(core: dict[str, Any]) -> np.ndarray:
    """(neurons, axons) weights of a core: the values of the axons' types where bits are 1."""
    bits = np.array([[int(b) for b in f"{int(digits, 16):0256b}"]
                     for _, digits, _ in core["neurons"]])
    values = np.array([[core["registers"][kind]["values"][t] for t in core["axon_types"]]
                       for kind, _, _ in core["neurons"]])
    return bits * values


def simulated(
    each: list[dict[str, Any]], edges: Edges, sent: dict[str, np.ndarray], ticks: int
) -> np.ndarray:
    """(ticks, neurons) spikes that SANA-FE counts."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(ARCHITECTURE.replace("core[0..1]", "core[0..15]"))
        file.flush()
        architecture = sanafe.load_arch(file.name)
    network, cores = sanafe.Network(), architecture.cores()
    sources = sorted({s for s, _ in edges.weights if not isinstance(s, int)}, key=str)
    lines = network.create_neuron_group("lines", len(sources))
    for number, source in enumerate(sources):
        steps = [True] if source == "v" else [
            *[False] * AHEAD, *map(bool, sent[source[0]][:, source[1]])]
        lines[number].set_attributes(
            soma_hw_name=f"lines[{number}]", model_attributes={"spikes": steps})
        lines[number].map_to_core(cores[0])
    made = network.create_neuron_group("neurons", edges.n + len(edges.relays),
                                       soma_hw_name="neurons")
    for number, neuron in enumerate(made):
        neuron.set_attributes(log_spikes=True, model_attributes=(
            each[number] if number < edges.n else RELAY))
        neuron.map_to_core(cores[1 + number // ON_A_CORE])
    for group, chosen in ((lines, lambda s: not isinstance(s, int)),
                          (made, lambda s: isinstance(s, int))):
        pairs = [(sources.index(s) if group is lines else s, t, w)
                 for (s, t), w in edges.weights.items() if chosen(s)]
        if pairs:
            group.connect_neurons_sparse(
                made, {"weight": [w for _, _, w in pairs]}, [(s, t) for s, t, _ in pairs])
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    result = chip.sim(ticks + AHEAD, timing_model="simple", spike_trace=True)
    fired = np.zeros((ticks + AHEAD, edges.n + len(edges.relays)), np.int32)
    for step, addresses in enumerate(result["spike_trace"]):
        for address in addresses:
            if address.group_name == "neurons":
                fired[step, address.neuron_offset] = 1
    return fired[AHEAD:]


def heard(neurons: list[Any], spikes: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of `spikes` whose targets are outside, by population and index."""
    out: dict[str, dict[int, np.ndarray]] = defaultdict(dict)
    for number, (_, (_, _, target)) in enumerate(neurons):
        if target[0] == "out":
            out[target[1]][target[2]] = spikes[:, number]
    return {name: np.stack([columns[i] for i in sorted(columns)], axis=1)
            for name, columns in out.items()}


def main() -> None:
    """Run the folders that the command line names."""
    for folder in map(Path, sys.argv[1:]):
        np.savez(folder / "out.npz", **run(folder))


if __name__ == "__main__":
    main()
