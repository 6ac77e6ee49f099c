"""Loihi's neuron with nengo's edges is nengo-loihi's emulator, and differs from Lava's there.

NMC_NENGO_PYTHON names the interpreter that `tools/oracles/make_env.py nengo DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.loihi_programs import payloads
from helpers.random_nengo import block_network, described, registers

from nmcompile.ir import Network, run

PYTHON = os.environ.get("NMC_NENGO_PYTHON")
RUNNER = Path(__file__).parents[2] / "tools" / "oracles" / "nengo_run.py"
STEPS, NETWORKS = 70, 160
pytestmark = [
    pytest.mark.nengo,
    pytest.mark.skipif(PYTHON is None, reason="NMC_NENGO_PYTHON names no Python with nengo-loihi"),
]
Records = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Network], list[Records], Records]:
    """All networks, what they were sent, and what the emulator recorded."""
    folder = tmp_path_factory.mktemp("nengo")
    nets = [block_network(seed) for seed in range(NETWORKS)]
    sent = [payloads(net, STEPS, np.random.default_rng(i)) for i, net in enumerate(nets)]
    arrays = {f"{i}/{name}": values for i, net in enumerate(nets)
              for name, values in registers(net, sent[i]["in"][0]).items()}
    (folder / "networks.json").write_text(json.dumps([described(net, STEPS) for net in nets]))
    np.savez(folder / "arrays.npz", **arrays)
    command = [PYTHON, str(RUNNER), "networks.json", "arrays.npz", "output.npz"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    return nets, sent, dict(np.load(folder / "output.npz"))


def differing(runs: tuple[list[Network], list[Records], Records], edges: str) -> set[str]:
    """The records that differ in any step, with all neurons' edges as given."""
    nets, sent, found = runs
    unequal = set()
    for number, net in enumerate(nets):
        changed = replace(net, populations=tuple(
            replace(p, neuron=replace(p.neuron, edges=edges)) for p in net.populations))
        for name, record in run(changed, sent[number]).records.items():
            unequal |= {f"{number}/{name}/{k}" for k, values in record.items()
                        if not np.array_equal(values[0], found[f"{number}/{name}/{k}"])}
    return unequal


def test_the_emulator_has_the_same_u_v_and_spikes_in_every_step(runs) -> None:
    assert differing(runs, "nengo") == set()


def test_the_networks_reach_what_tells_the_emulators_apart(runs) -> None:
    nets, _, found = runs
    assert len({key.split("/")[0] for key in differing(runs, "lava")}) > NETWORKS / 3
    periods = {p.neuron.refractory for net in nets for p in net.populations}
    assert {1, 2, 63} < periods
    assert len(periods) > 40
    low = high = spikes = 0
    for number, net in enumerate(nets):
        for population in net.populations:
            v = found[f"{number}/{population.name}/v"]
            bottom, top = population.neuron.v_limits
            low += np.count_nonzero(v == bottom) if bottom else 0
            high += np.count_nonzero(v == top)
            spikes += int(found[f"{number}/{population.name}/spikes"].sum())
    assert min(low, high, spikes) > 100
