"""Networks on a core give what sPyNNaker's own programs compute, run on an emulated ARM.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_networks import random_core, register_table, run_core, synaptic_words
from nmcompile_backends.spinnaker.accum import encode

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_core.py"
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


def region(network) -> np.ndarray:
    """The words of the NeuronParameters region, struct after struct."""
    cell, n = network.cell, network.n

    def struct(*values):
        columns = [np.broadcast_to(encode(v, "cell") if not isinstance(v, int) else v, (n,))
                   for v in values]
        return np.stack(columns, axis=1).reshape(-1)

    parts = [[1], struct(cell.v, cell.v_rest, cell.cm, cell.tau_m, cell.i_offset, cell.v_reset,
                         cell.tau_refrac, 0, network.dt_ms)]
    if network.neuron.conductance:
        parts.append(struct(cell.e_rev_e, cell.e_rev_i))
    if network.neuron.delta:
        parts += [struct(network.dt_ms), struct(cell.v_thresh), struct(cell.isyn_exc, cell.isyn_inh)]
        return np.concatenate(parts).astype(np.int64)
    parts += [struct(cell.v_thresh), struct(cell.tau_syn_e, cell.isyn_exc, cell.tau_syn_i,
                                            cell.isyn_inh, network.dt_ms)]
    return np.concatenate(parts).astype(np.int64)


def on_core(networks, folder: Path, *, poke: bool) -> dict[str, np.ndarray]:
    data = {"count": len(networks)}
    for i, network in enumerate(networks):
        model = network.neuron
        number = 2 if model.delta else int(model.conductance)
        data |= {f"model{i}": number, f"parameters{i}": region(network),
                 f"shifts{i}": np.array([model.shift_exc, model.shift_inh]),
                 f"bits{i}": np.array(network.bits), f"start{i}": network.synapses.start,
                 f"words{i}": synaptic_words(network), f"spikes{i}": network.spikes}
        if poke:
            data[f"registers{i}"] = register_table(network)
    np.savez(folder / "networks.npz", **data)
    subprocess.run([PYTHON, SCRIPT, "networks.npz", "results.npz"], cwd=folder, check=True,
                   timeout=300)
    with np.load(folder / "results.npz") as results:
        return dict(results)


def test_the_core_computes_our_registers_and_then_every_state_and_spike(tmp_path: Path) -> None:
    networks = [random_core(seed, delta=seed >= 100) for seed in range(140)]
    found, spikes, saturations = on_core(networks, tmp_path, poke=False), 0, 0
    for i, network in enumerate(networks):
        wanted, saturated = run_core(network)
        np.testing.assert_array_equal(found[f"registers{i}"], register_table(network), str(i))
        np.testing.assert_array_equal(found[f"states{i}"], wanted, str(i))
        spikes, saturations = spikes + int(wanted[..., 4].sum()), saturations + saturated
    assert spikes > 10_000
    assert saturations > 100


def test_sums_and_products_wrap_where_the_core_wraps_them(tmp_path: Path) -> None:
    networks = [random_core(seed, wild=True, delta=seed >= 60) for seed in range(90)]
    found = on_core(networks, tmp_path, poke=True)
    for i, network in enumerate(networks):
        wanted, _ = run_core(network)
        np.testing.assert_array_equal(found[f"states{i}"], wanted, str(i))
