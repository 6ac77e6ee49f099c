"""A stand-in for py-spinnaker2, which is not on the package index: it runs what a script makes.

It has the names that the emitted script uses. A step is that of `lif_no_delay` in single precision;
spikes arrive in the next step.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np


class Population:
    def __init__(self, *, size, neuron_model, params, name, record=("spikes",)):
        self.size, self.model, self.params, self.name = size, neuron_model, params, name
        self.record, self.spikes, self.voltages = list(record), {}, {}
        assert neuron_model in ("spike_list", "lif_no_delay")

    def get_spikes(self):
        return self.spikes

    def get_voltages(self):
        return self.voltages


class Network:
    def __init__(self, name):
        self.parts = []

    def add(self, *parts):
        self.parts += parts


class Chip:
    def __init__(self, eth_ip=None):
        self.address = eth_ip

    def run(self, network, steps):
        populations = [p for p in network.parts if isinstance(p, Population)]
        links = [p for p in network.parts if not isinstance(p, Population)]
        fired = {p: np.zeros((steps + 1, p.size), bool) for p in populations}
        v = {p: np.full(p.size, p.params["v_init"], np.float32)
             for p in populations if p.model == "lif_no_delay"}
        for p in populations:
            for line, when in p.params.items() if p.model == "spike_list" else ():
                fired[p][when, line] = True
        told = {p: [] for p in v}
        for step in range(steps):
            for p, before in list(v.items()):
                q = np.zeros(p.size)
                for link in links:
                    assert all(delay == 0 for *_, delay in link.connections)
                    if link.post is p and step:
                        pre, post, weight, _ = np.array(link.connections).T
                        np.add.at(q, post, weight * fired[link.pre][step - 1, pre])
                values = {k: np.asarray(x, np.float32) for k, x in p.params.items() if k != "reset"}
                now = values["alpha_decay"] * before + values["i_offset"] + q.astype(np.float32)
                fired[p][step] = now > values["threshold"]
                after = (values["v_reset"] if p.params["reset"] == "reset_to_v_reset"
                         else now - values["threshold"])
                v[p] = np.where(fired[p][step], after, now)
                told[p].append(np.where(fired[p][step], after, now))
        for p in v:
            p.spikes = {i: np.flatnonzero(fired[p][:steps, i]).tolist() for i in range(p.size)}
            p.voltages = {i: [row[i] for row in told[p]] for i in range(p.size)}


def install():
    """Put the stand-in where `from spinnaker2 import hardware, snn` finds it."""
    package = ModuleType("spinnaker2")
    package.snn = SimpleNamespace(
        Population=Population, Network=Network, Projection=SimpleNamespace)
    package.hardware = SimpleNamespace(SpiNNaker2Chip=Chip)
    sys.modules["spinnaker2"] = package
