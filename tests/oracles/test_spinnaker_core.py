"""Networks on a core give what sPyNNaker's own programs compute, run on an emulated ARM.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_networks import on_core, random_core, register_table, run_core

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


def test_the_core_computes_our_registers_and_then_every_state_and_spike(tmp_path: Path) -> None:
    networks = [random_core(seed, delta=seed >= 100) for seed in range(140)]
    found, spikes, saturations = on_core(PYTHON, networks, tmp_path, poke=False), 0, 0
    for i, network in enumerate(networks):
        wanted, saturated = run_core(network)
        np.testing.assert_array_equal(found[f"registers{i}"], register_table(network), str(i))
        np.testing.assert_array_equal(found[f"states{i}"], wanted, str(i))
        spikes, saturations = spikes + int(wanted[..., 4].sum()), saturations + saturated
    assert spikes > 10_000
    assert saturations > 100


def test_sums_and_products_wrap_where_the_core_wraps_them(tmp_path: Path) -> None:
    networks = [random_core(seed, wild=True, delta=seed >= 60) for seed in range(90)]
    found = on_core(PYTHON, networks, tmp_path, poke=True)
    for i, network in enumerate(networks):
        wanted, _ = run_core(network)
        np.testing.assert_array_equal(found[f"states{i}"], wanted, str(i))
