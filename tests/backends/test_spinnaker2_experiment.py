"""The emitted script makes of the description what spikes as the compiled network.

py-spinnaker2 itself is not on the package index: a stand-in with the names of its published
examples takes its place, so that this says nothing of py-spinnaker2.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.accepted import STEPS, drawn, taken
from helpers.spinnaker2_stand_in import install

from nmcompile.ir import run_aligned
from nmcompile.registry import backend


def test_the_script_runs_all_that_spinnaker2_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spikes, membranes = 0, 0
    for name, made in taken("spinnaker2").items():
        program, folder = made.program, tmp_path / name
        folder.mkdir()
        told = backend("spinnaker2").emit(program, folder)
        assert "not run with it" in told["spinnaker2_run.py"]
        sent = {key: values.astype(np.int32) for key, values in drawn(program.network, 5).items()}
        np.savez(folder / "input.npz", **{k: x[0].reshape(STEPS, -1) for k, x in sent.items()})
        monkeypatch.setitem(sys.modules, "spinnaker2", None)
        install()
        monkeypatch.setattr(sys, "argv", [
            "spinnaker2_run.py", str(folder / "input.npz"), str(folder / "output.npz"),
            "--steps", str(STEPS + 6)])
        runpy.run_path(str(folder / "spinnaker2_run.py"), run_name="__main__")
        found = dict(np.load(folder / "output.npz"))
        wanted = run_aligned(program.network, program.latency, sent).records
        for population, record in wanted.items():
            begin = program.latency[population]
            ours = record["spikes"][0].reshape(STEPS, -1)
            np.testing.assert_array_equal(found[population][begin : begin + STEPS], ours)
            spikes += int(ours.sum())
            if f"{population}/v" in found:
                v = record["v"][0].reshape(STEPS, -1)
                np.testing.assert_array_equal(found[f"{population}/v"][begin : begin + STEPS], v)
                membranes += 1
    assert spikes > 500
    assert membranes > 0
