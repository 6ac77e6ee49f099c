"""The files of a compiled network, loaded into sPyNNaker's own programs, run as its integers do.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers import spinnaker_machine
from helpers.spinnaker_compiled import STEPS, compiled, mixed_network
from helpers.spinnaker_networks import on_core, register_table

from nmcompile.ir import run_aligned
from nmcompile.registry import backend

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]
STATES = (("v", 0), ("exc", 2), ("inh", 3), ("spikes", 4))


@pytest.mark.parametrize("seed", range(3))
def test_every_core_computes_what_the_compiled_network_does(tmp_path: Path, seed: int) -> None:
    program, rng = compiled(mixed_network(seed), seed), np.random.default_rng(seed + 100)
    backend("spinnaker").emit(program, tmp_path)
    sent = (rng.random((1, STEPS, 30)) < 0.4).astype(np.int32)
    records = run_aligned(program.network, program.latency, {"in": sent}).records
    _, cores, networks = spinnaker_machine.run(tmp_path, {"in": sent[0]}, STEPS + 30)
    found, fired = on_core(PYTHON, networks, tmp_path, early=[core.early for core in cores]), 0
    assert len(cores) == 4
    for i, core in enumerate(cores):
        np.testing.assert_array_equal(found[f"registers{i}"][:, 8:],
                                      register_table(core.network)[:, 8:], core.population)
        begin = program.latency[core.population]
        for variable, column in STATES:
            wanted = records[core.population][variable][0].reshape(STEPS, -1)[:, core.neurons]
            np.testing.assert_array_equal(
                found[f"states{i}"][begin : begin + STEPS, :, column], wanted,
                f"{core.population} {variable}")
        fired += int(found[f"states{i}"][..., 4].sum())
    assert fired > 500
