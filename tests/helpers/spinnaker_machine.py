"""The cores that emitted files describe, run step by step from their words alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from nmcompile_backends.spinnaker import ring as rings
from nmcompile_backends.spinnaker.accum import ONE
from nmcompile_backends.spinnaker.parameters import Cell, delta_neuron, neuron

from helpers.spinnaker_networks import CoreNetwork


class Core:
    """One core: its neurons, its ring buffer, and the sources of its rows, in their order."""

    def __init__(self, description: dict, values: dict, words: np.ndarray,
                 index: np.ndarray) -> None:
        population = next(p for p in values["populations"]
                          if p["name"] == description["population"])
        self.population, self.neurons = population["name"], np.array(description["neurons"])
        self.early = population["refractory_timer"]
        rows = [index[b["first_row"] : b["first_row"] + b["n_rows"]] for b in description["rows"]]
        self.sources = [_source(values["projections"][block["projection"]], own[:, 0])
                        for block, own in zip(description["rows"], rows, strict=True)]
        n, cell = len(self.neurons), _cell(population, self.neurons)
        make = delta_neuron if population["cell"] == "IF_curr_delta" else neuron
        self.network = CoreNetwork(
            neuron=make(self.population, cell, (n,), shifts=population["ring_buffer_shifts"]),
            cell=cell, dt_ms=values["time_step_ms"], n=n, slots=description["slots"],
            synapses=_synapses(np.concatenate([index[:0], *rows]), words, description["slots"], n), spikes=np.zeros((0, 0), np.int32))
        self.ring = rings.empty_ring(description["slots"], n)
        self.network.synapses.verify(self.population, self.ring)
        self.state = self.network.neuron.initial_state((1, n))
        self.state["hold"] += self.early

    def tick(self, step: int) -> np.ndarray:
        """(n, 5) v, refractory timer, exc, inh and whether it spiked."""
        current = rings.take(self.ring, step).astype(np.int64)[None]
        self.state, fired = self.network.neuron.step(self.state, current)
        columns = [self.state[k][0] for k in ("v", "hold", "exc", "inh")]
        return np.stack([*columns, fired[0]], axis=1)

    def deliver(self, step: int, sent: dict[str, np.ndarray]) -> np.ndarray:
        """Add the rows of the sources that spiked; which those are, one number a row."""
        spiking = np.concatenate([sent[source][part] for source, part in self.sources])
        rings.deliver_plainly(self.ring, step, np.flatnonzero(spiking), self.network.synapses)
        return spiking


def run(folder: Path, inputs: dict[str, np.ndarray], steps: int) -> tuple[dict, list[Core], list]:
    """Run all cores for `steps` with inputs name -> (at most steps, n).

    Returns population -> (steps, n, 5) as of `Core.tick`, the cores, and for each core the network
    that it is with all that reached it as outer sources, and what it computed.
    """
    values = json.loads((folder / "spinnaker.json").read_text("utf-8"))
    words = np.fromfile(folder / "rows.bin", "<u4")
    index = read_index(folder)
    cores = [Core(description, values, words, index) for description in values["cores"]]
    sizes = {p["name"]: int(np.prod(p["shape"])) for p in values["populations"]}
    told = {name: np.zeros((steps, n, 5), np.int64) for name, n in sizes.items()}
    heard: list[list[np.ndarray]] = [[] for _ in cores]
    for step in range(steps):
        for core in cores:
            told[core.population][step, core.neurons] = core.tick(step)
        sent = {name: told[name][step, :, 4] for name in sizes}
        sent |= {name: v[step] if step < len(v) else 0 * v[0] for name, v in inputs.items()}
        for core, spikes in zip(cores, heard, strict=True):
            spikes.append(core.deliver(step, sent))
    networks = [_with_outer(core, np.array(spikes)) for core, spikes in zip(
        cores, heard, strict=True)]
    return told, cores, networks


def read_index(folder: Path) -> np.ndarray:
    """(r, 2) source and first word of each row."""
    return np.fromfile(folder / "row_index.bin", "<u4").reshape(-1, 2).astype(np.int64)


def _source(projection: dict, lines: np.ndarray) -> tuple[str, np.ndarray]:
    return projection["source"], projection["first_source"] + lines


def _with_outer(core: Core, spikes: np.ndarray) -> CoreNetwork:
    """The core with rows for its own neurons that are empty, as `CoreNetwork` has them."""
    synapses = core.network.synapses
    start = np.concatenate([synapses.start, np.full(core.network.n, synapses.start[-1])])
    return replace(core.network, synapses=replace(synapses, start=start), spikes=spikes)


def _cell(population: dict, neurons: np.ndarray) -> Cell:
    values = {name: np.array(words)[neurons] / ONE if isinstance(words, list) else words / ONE
              for name, words in population["parameters"].items()}
    return Cell(**values)


def _synapses(rows: np.ndarray, words: np.ndarray, slots: int, n: int) -> rings.Synapses:
    counts, found, index = [], [], rings.bits_for(n)
    for at in rows[:, 1].tolist():
        plastic, fixed, plastic_fixed = words[at : at + 3].tolist()
        assert (plastic, plastic_fixed) == (0, 0)
        found.append(words[at + 3 : at + 3 + fixed])
        counts.append(fixed)
    word = np.concatenate([np.zeros(0, np.uint32), *found])
    delay = word >> (index + 1) & (slots - 1)
    return rings.Synapses(
        start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        kind=(word >> index & 1).astype(np.uint8),
        target=(word & (2**index - 1)).astype(np.int32),
        delay=np.where(delay == 0, slots, delay).astype(np.uint16),
        weight=(word >> 16).astype(np.uint16))
