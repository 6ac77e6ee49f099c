"""Networks need no more routing entries and hops than with sPyNNaker, and reach the same cores.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "bench" / "spinnaker_mapping.py"
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


@pytest.mark.slow
def test_four_networks_need_no_more_entries_and_hops_than_with_spynnaker() -> None:
    command = [sys.executable, SCRIPT, PYTHON, "--repeats", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["network"] for row in rows] == [
        "balanced 1k", "layered 10k", "microcircuit 50k", "hot fan-out 20k"]
    for row in rows:
        assert row["our entries"] <= row["compressed"] <= row["entries"], row
        assert row["our hops"] <= row["hops"], row
