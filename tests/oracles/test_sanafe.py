"""SANA-FE's TrueNorth neurons do what ours do, and its DVS example runs alike on its Loihi.

NMC_SANAFE_PYTHON names the interpreter that `tools/oracles/make_env.py sanafe DIR` made.

TrueNorth: both have no leak reversal (SANA-FE leaks towards zero ahead of the input, TrueNorth behind it);
all three resets at the threshold; at the negative threshold saturation, a reset to a value, and
none (SANA-FE's soft one moves V away from 0). SANA-FE compares V <= reverse_threshold where
TrueNorth compares V < -floor, so a reset there is given -floor - 1. It counts in double, without
an end at 20 bits.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.random_truenorth import Group, random_group

from nmcompile.ir.neurons import Reset
from nmcompile.simulator import TIMINGS, energy_by_slice, simulate

PYTHON = os.environ.get("NMC_SANAFE_PYTHON")
ORACLES = Path(__file__).parents[2] / "tools" / "oracles"
RUNNER = ORACLES / "sanafe_run.py"
pytestmark = [
    pytest.mark.sanafe,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SANAFE_PYTHON names no Python with sanafe"),
]
NAMES = {Reset.ZERO: "hard", Reset.SUBTRACT: "soft", Reset.NONE: "none"}
SHARED = [(Reset.ZERO, True), (Reset.ZERO, False), (Reset.SUBTRACT, True), (Reset.NONE, True),
          (Reset.NONE, False)]


def given(group: Group) -> dict[str, np.ndarray]:
    """The arrays that `sanafe_run.py` takes."""
    model, n = group.neuron, group.size
    floor = model.floor + (0 if model.saturates else 1)
    values = {
        "threshold": model.threshold, "reverse_threshold": -floor, "reset": model.reset_value,
        "reverse_reset": -model.reset_value, "leak": model.leak,
        "reset_mode": np.array(NAMES[model.reset]),
        "reverse_reset_mode": np.array("saturate" if model.saturates else NAMES[model.reset]),
        "leak_towards_zero": np.array(False)}
    each = {k: np.broadcast_to(v.astype(np.float64) if v.dtype.kind == "i" else v, n)
            for k, v in values.items()}
    return {**each, "spikes": group.spikes.astype(bool),
            "weights": group.crossbar.matrix().T.astype(np.float64)}


def test_125_random_neurons_do_what_sanafes_do_for_200_steps(tmp_path: Path) -> None:
    groups = {}
    for seed, (reset, saturates) in enumerate(SHARED):
        group = random_group(seed, (reset, False, True, saturates), 25)
        start = replace(group.neuron, v_init=np.zeros((), np.int32))
        late = np.concatenate([np.zeros_like(group.spikes[:1]), group.spikes[:-1]])
        groups[f"{seed}"] = replace(group, neuron=start, spikes=late)
        np.savez(tmp_path / f"{seed}.npz", **given(replace(group, neuron=start)))
    subprocess.run([PYTHON, RUNNER, tmp_path], check=True, timeout=300, stdout=subprocess.DEVNULL)
    total = 0
    for name, group in groups.items():
        found, (membranes, spikes) = np.load(tmp_path / f"{name}.out.npz"), group.run()
        within = np.abs(found["v"]).max(axis=0) < 2**19
        assert within.sum() > 15
        np.testing.assert_array_equal(found["spikes"][:, within], spikes[:, within])
        np.testing.assert_array_equal(found["v"][:, within], membranes[:, within])
        total += int(spikes.sum())
    assert total > 1000


@pytest.fixture(scope="module")
def dvs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict], Path]:
    """SANA-FE's figures of its DVS example with two timing models, and what they came from."""
    folder = tmp_path_factory.mktemp("dvs")
    done = subprocess.run([PYTHON, ORACLES / "sanafe_dvs.py", folder], check=True, timeout=1200,
                          stdout=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines], folder


@pytest.mark.slow
def test_the_dvs_example_fires_sends_and_costs_what_sanafe_says(
    dvs: tuple[list[dict], Path],
) -> None:
    (simple, detailed), folder = dvs
    spec = importlib.util.spec_from_file_location("sanafe_example", ORACLES / "sanafe_example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    program = module.example(folder / "example.npz")
    runs = {name: simulate(program, module.no_input(1000), timing=TIMINGS[name](program),
                           record=("spikes",)) for name in ("cycle", "fast")}
    fired, theirs = runs["cycle"].records, np.load(folder / "spikes.npz")
    for name, values in fired.items():
        np.testing.assert_array_equal(values["spikes"][0].reshape(1000, -1), theirs[name])
    counts = runs["cycle"].counts
    assert counts.spikes.sum() == simple["neurons_fired"] == 365277
    assert counts.packets_out.sum() == simple["packets_sent"]
    assert counts.events.sum() == simple["spikes"]
    energies = energy_by_slice(program, runs["cycle"])
    cost = program.target.energy_j
    network = simple["energy"]["network"] - counts.packets_out.sum() * cost.packet_out.value
    hops = counts.hops.sum(axis=0) @ [cost.hop_x.value, cost.hop_y.value, 0.0]
    assert hops == pytest.approx(network, rel=1e-9)
    total = sum(values.sum() for values in energies.values())
    assert total == pytest.approx(simple["energy"]["total"], rel=1e-3)
    cycle_s, fast_s = (runs[name].step_s.sum() for name in ("cycle", "fast"))
    assert simple["sim_time"] < fast_s < cycle_s < detailed["sim_time"]
