"""Loihi 2's microcode neurons are lava-nc's processes, state by state.

NMC_LAVA_PYTHON names the interpreter that `tools/oracles/make_env.py lava DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.loihi_programs import neuron
from helpers.random_microcode import adaptive, resonator
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.resonator import LoihiResonator

PYTHON = os.environ.get("NMC_LAVA_PYTHON")
TOOL = Path(__file__).parents[2] / "tools" / "oracles" / "lava_neurons.py"
SHAPE, STEPS, NEURONS = (5,), 60, 60
Case = dict[str, Any]
pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(PYTHON is None, reason="NMC_LAVA_PYTHON names no Python with lava-nc"),
]


def atrlif(model: LoihiAdaptive) -> Case:
    """Lava takes decays and the step as fractions: of 4096, and of a unit of weight."""
    decays = {"delta_i": model.du, "delta_v": model.dv, "delta_theta": model.dtheta,
              "delta_r": model.dr}
    return {"process": "lava.proc.atrlif.process:ATRLIF", "tag": "fixed_pt", "variables": {},
            "arguments": {"shape": SHAPE, **{k: int(d) / 4096 for k, d in decays.items()},
                          "i": model.u_init.tolist(), "v": model.v_init.tolist(),
                          "theta_0": int(model.threshold),
                          "theta_step": int(model.threshold_step) / 64,
                          "bias_mant": model.bias_mantissa.tolist(),
                          "bias_exp": model.bias_exponent},
            "ports": ["a_in"], "states": ["i", "v", "theta", "r"]}


def rf(model: LoihiResonator) -> Case:
    """The process computes its registers from a period; they are set to the model's behind it."""
    kind = "rf.process:RF" if model.phase else "rf_iz.process:RF_IZ"
    registers = {name: int(getattr(model, field)) for name, field in
                 (("sin_decay", "sin_decay"), ("cos_decay", "cos_decay"), ("vth", "threshold"))}
    return {"process": f"lava.proc.{kind}", "tag": "fixed_pt", "variables": registers,
            "arguments": {"shape": SHAPE, "period": 10, "alpha": 0.1, "state_exp": 6,
                          "decay_bits": 12},
            "ports": ["a_real_in", "a_imag_in"], "states": ["real", "imag"]}


def refractory(model: LoihiNeuron) -> Case:
    """Lava has this process in floating point only; without a leak its values are whole.

    Lava counts the steps that are lost, the chip the step of the spike as well.
    """
    return {"process": "lava.proc.lif.process:LIFRefractory", "tag": "floating_pt",
            "variables": {},
            "arguments": {"shape": SHAPE, "du": 1, "dv": 0, "vth": int(model.threshold) * 64,
                          "bias_mant": (model.bias_mantissa << model.bias_exponent).tolist(),
                          "refractory_period": model.refractory - 1},
            "ports": ["a_in"], "states": ["u", "v"]}


def check(models: list[Any], cases: list[Case], folder: Path, scale: int = 1,
          reaches: tuple[int, ...] = (30, 2000, 2**17)) -> int:
    """Compares every state and spike of all models in every step; how often they fired."""
    rng, inputs = np.random.default_rng(0), {}
    for number, case in enumerate(cases):
        reach = int(rng.choice(reaches))
        for port in case["ports"]:
            inputs[f"{number}/{port}"] = rng.integers(-reach // 2, reach, (STEPS, *SHAPE))
    (folder / "cases.json").write_text(json.dumps(cases))
    np.savez(folder / "inputs.npz", **{k: values * scale for k, values in inputs.items()})
    command = [PYTHON, str(TOOL), "cases.json", "inputs.npz", "output.npz"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    found, fired = np.load(folder / "output.npz"), 0
    for number, (model, case) in enumerate(zip(models, cases, strict=True)):
        model.verify("n", SHAPE)
        state = model.initial_state((1, *SHAPE))
        for step in range(STEPS):
            parts = np.stack([inputs[f"{number}/{port}"][step] for port in case["ports"]])
            state, spikes = model.step(state, parts[None] if len(parts) > 1 else parts)
            np.testing.assert_array_equal(found[f"{number}/spikes"][step], spikes[0])
            for ours, theirs in zip(model.state_names, case["states"], strict=True):
                np.testing.assert_array_equal(found[f"{number}/{theirs}"][step], state[ours][0])
            fired += int(spikes.sum())
    return fired


def test_lavas_atrlif_has_the_same_states_and_spikes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    models = [adaptive(rng, SHAPE) for _ in range(2 * NEURONS)]
    assert check(models, [atrlif(model) for model in models], tmp_path) > 1000


@pytest.mark.parametrize("phase", [True, False])
def test_lavas_resonate_and_fire_processes_have_the_same_states_and_spikes(
    tmp_path: Path, phase: bool
) -> None:
    rng = np.random.default_rng(2 + phase)
    models = [resonator(rng, phase, SHAPE) for _ in range(NEURONS)]
    assert check(models, [rf(model) for model in models], tmp_path) > 500


def test_lavas_refractory_lif_loses_the_same_steps(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    models = [neuron(du=4095, dv=0, threshold=int(rng.integers(1, 2000)), bias_exponent=3,
                     bias=rng.integers(0, 900, SHAPE).astype(np.int32),
                     refractory=int(rng.integers(2, 64))) for _ in range(NEURONS)]
    cases = [refractory(model) for model in models]
    assert check(models, cases, tmp_path, scale=64, reaches=(30, 2000)) > 500
