"""Cycles and clocks of networks are what Rockpool's own functions say.

NMC_XYLO_PYTHON names the interpreter that `tools/oracles/make_env.py xylo DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.random_xylo import network_of, random_specification
from nmcompile_backends.xylo.cycles import counted, cycles, needed_clock_hz

from nmcompile.target import load_target

PYTHON = os.environ.get("NMC_XYLO_PYTHON")
RUNNER = Path(__file__).parents[2] / "tools" / "oracles" / "xylo_cycles.py"
NETWORKS = 200
TARGETS = {"a2": "xylo_a2", "imu": "xylo_imu"}
pytestmark = [
    pytest.mark.xylo,
    pytest.mark.skipif(PYTHON is None, reason="NMC_XYLO_PYTHON names no Python with rockpool"),
]


def given(seed):
    """A network, and rasters of what its channels and hidden neurons did."""
    spec, rng = random_specification(seed), np.random.default_rng(seed)
    hidden = rng.random((50, spec["alias"].size)) < rng.random()
    return spec, (hidden * rng.integers(1, 31, hidden.shape))


def test_the_mean_over_steps_is_rockpools_figure_and_so_is_the_clock(tmp_path):
    networks = [given(seed) for seed in range(NETWORKS)]
    np.savez(tmp_path / "in.npz", **{
        f"{i}/{name}": value for i, (spec, hidden) in enumerate(networks) for name, value in {
            "chip": spec["chip"], "alias": spec["alias"], "input": spec["input"], "hidden": hidden,
            "weights_in": spec["weights_in"][:, :, 0], "weights_rec": spec["weights_rec"][:, :, 0],
            "weights_out": spec["weights_out"]}.items()})
    subprocess.run([PYTHON, RUNNER, tmp_path / "in.npz", tmp_path / "out.npz"], check=True,
                   timeout=120)
    theirs, linear = np.load(tmp_path / "out.npz"), 0
    for i, (spec, hidden) in enumerate(networks):
        formula = load_target(TARGETS[str(spec["chip"])]).cycle_formula
        of = counted(network_of(spec), formula)
        shares = [np.count_nonzero(raster, axis=1) / raster.shape[1]
                  for raster in (spec["input"], hidden)]
        whole = cycles(formula, of, *(share.mean(keepdims=True) for share in shares)).total[0]
        steps = cycles(formula, of, *shares).total.mean()
        assert whole == pytest.approx(float(theirs[f"{i}/cycles"]), rel=1e-12)
        assert steps >= whole * (1 - 1e-12)
        if of.copying == 0:
            linear += 1
            assert steps == pytest.approx(whole, rel=1e-12)
        assert needed_clock_hz(formula, of, 1e-3) == pytest.approx(
            float(theirs[f"{i}/clock"]), rel=1e-12)
    assert NETWORKS / 4 < linear < NETWORKS
