"""Our boards have the chips, cores and links of SpiNNMachine's.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from nmcompile.mapping import Faults
from nmcompile.mapping.multicast.machine import machine_of
from nmcompile.target import load_target, with_chips

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_machine.py"
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


@pytest.mark.parametrize(("name", "chips", "version", "width", "height"), [
    ("spinnaker1_4chips", 4, 3, 2, 2),
    ("spinnaker1", 48, 5, 8, 8),
    ("spinnaker1", 144, 5, 12, 12),
    ("spinnaker1", 864, 5, 36, 24),
])
def test_a_machine_has_the_chips_cores_and_links_of_spinnmachine(
    tmp_path: Path, name: str, chips: int, version: int, width: int, height: int
) -> None:
    target = with_chips(load_target(name), chips)
    path = tmp_path / "machine.npz"
    subprocess.run([PYTHON, SCRIPT, str(version), str(width), str(height), path], cwd=tmp_path,
                   check=True, timeout=300, capture_output=True)
    made = machine_of(target, Faults())
    with np.load(path) as theirs:
        there, working = theirs["chips"][:, :2], theirs["chips"][:, 2]
        links = theirs["links"]
    assert sorted(zip(made.x.tolist(), made.y.tolist(), strict=True)) == list(map(tuple, there))
    assert target.cores_per_chip == working.min() - 1
    chip, link = np.nonzero(made.neighbour >= 0)
    behind = made.neighbour[chip, link]
    ours = np.stack([made.x[chip], made.y[chip], link, made.x[behind], made.y[behind]], axis=1)
    assert sorted(map(tuple, ours.tolist())) == list(map(tuple, links.tolist()))
