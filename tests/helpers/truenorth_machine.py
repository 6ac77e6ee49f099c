"""Runs `cores.json` as its description says, knowing nothing else of the program."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


class Core:
    """The state of one core: V, and the axons that are active in each of the next 16 ticks."""

    def __init__(self, entry: dict) -> None:
        self.entry, n = entry, len(entry["neurons"])
        row = [entry["registers"][neuron[0]] for neuron in entry["neurons"]]
        types = entry["axon_types"]
        bits = np.array([[int(b) for b in f"{int(neuron[1], 16):0256b}"]
                         for neuron in entry["neurons"]], np.int64).reshape(n, 256)
        values = np.array([[r["values"][t] for t in types] for r in row], np.int64).reshape(n, 256)
        assert np.abs(values).max(initial=0) <= 255
        self.weights = bits * values
        self.v = np.array([r["v"] for r in row], np.int64)
        self.row, self.scheduled = row, np.zeros((16, 256), bool)

    def tick(self, t: int) -> list[list]:
        """Advance by a tick; the targets of the neurons that fire."""
        active, fired = self.scheduled[t % 16].copy(), []
        self.scheduled[t % 16] = False
        self.v += self.weights @ active
        for j, r in enumerate(self.row):
            v = int(self.v[j]) + r["leak"]
            if v >= r["threshold"]:
                fired.append(self.entry["neurons"][j][2])
                v = {"zero": r["reset_value"], "subtract": v - r["threshold"], "none": v}[r["reset"]]
            elif v < -r["floor"]:
                assert r["saturates"]
                v = -r["floor"]
            self.v[j] = v
        return fired


def run(folder: Path, inputs: dict[str, np.ndarray], sizes: dict[str, int],
        ticks: int) -> dict[str, np.ndarray]:
    """Spikes (ticks, neurons) of each population that the host hears; `inputs` (steps, lines)."""
    content = json.loads((folder / "cores.json").read_text())
    cores = {entry["core"]: Core(entry) for entry in content["cores"]}
    heard = {name: np.zeros((ticks, n), np.int32) for name, n in sizes.items()}
    for t in range(ticks):
        sent = [target for core in cores.values() for target in core.tick(t)]
        for port, index, *target in content["inputs"]:
            if t < len(inputs[port]) and inputs[port][t, index]:
                sent.append(target)
        for first, second, third in sent:
            if first == "out":
                heard[second][t, third] = 1
            else:
                assert 1 <= third <= 15
                cores[first].scheduled[(t + third) % 16, second] = True
    return heard
