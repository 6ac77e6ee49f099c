"""lava-dl's netx loads the emitted `.net` file and gives the reference's spikes and membranes.

NMC_LAVA_PYTHON names the interpreter that `tools/oracles/make_env.py lava DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.loihi_programs import payloads
from helpers.random_loihi import random_chain
from nmcompile_backends.loihi.net_file import write_net

from nmcompile.ir import Network, run

PYTHON = os.environ.get("NMC_LAVA_PYTHON")
TOOL = Path(__file__).parents[2] / "tools" / "oracles" / "netx_run.py"
STEPS = 16
pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(PYTHON is None, reason="NMC_LAVA_PYTHON names no Python with lava-nc"),
]


def netx_order(values: np.ndarray) -> np.ndarray:
    """(steps, channel, row, column) as (steps, x, y, channel)."""
    return values.transpose(0, 3, 2, 1) if values.ndim == 4 else values


def netx(net: Network, folder: Path, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Spikes and v of every layer, loaded as the file's description says."""
    note = write_net(net, folder)["network.net"]
    assert note.startswith("lava-dl network")
    arguments: dict[str, int] = {}
    if "reset_offset=1" in note:
        arguments |= {"reset_interval": 1000, "reset_offset": 1}
    if bits := net.inputs[0].format.payload_bits:
        arguments["input_message_bits"] = bits
    np.save(folder / "input.npy", netx_order(rows))
    command = [PYTHON, TOOL, "network.net", "input.npy", "output.npz", json.dumps(arguments)]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    return dict(np.load(folder / "output.npz"))


@pytest.mark.parametrize("seed", range(10))
def test_netx_runs_the_chain_with_the_same_spikes_and_membranes(tmp_path: Path, seed: int) -> None:
    net = random_chain(seed)
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    found = netx(net, tmp_path, sent["in"][0])
    wanted = run(net, sent).records
    for number, layer in enumerate(net.populations):
        for variable in ("spikes", "v"):
            expected = netx_order(wanted[layer.name][variable][0])[layer.start:]
            np.testing.assert_array_equal(found[f"{number}/{variable}"][layer.start:], expected)
    assert found["0/spikes"].any()
    assert found["0/v"].any()
