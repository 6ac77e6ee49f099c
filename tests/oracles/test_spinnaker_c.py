"""Networks on a core give what a C program computes from the published equations."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_networks import random_core, run_core
from nmcompile_backends.spinnaker.accum import encode

SOURCE = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker1.c"
GCC = shutil.which("gcc")
PARAMETERS = ("v", "v_rest", "cm", "tau_m", "i_offset", "v_reset", "tau_refrac", "v_thresh",
              "e_rev_e", "e_rev_i", "tau_syn_e", "isyn_exc", "tau_syn_i", "isyn_inh")
COMPUTED = ("resistance", "decay", "refractory", "exc_decay", "exc_gain", "inh_decay", "inh_gain")
pytestmark = pytest.mark.skipif(GCC is None, reason="gcc is not on the path")


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("spinnaker1") / "spinnaker1"
    subprocess.run([GCC, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", SOURCE, "-o", target,
                    "-lm"], check=True)
    return target


def numbers(network) -> np.ndarray:
    model, s, outer = network.neuron, network.synapses, network.spikes.shape[1]
    cells = np.stack([np.broadcast_to(encode(getattr(network.cell, name), name), (network.n,))
                      for name in PARAMETERS], axis=1)
    rows = np.stack([s.kind, s.target, s.delay, s.weight], axis=1).astype(np.int64)
    listed = [np.concatenate([[end - begin], rows[begin:end].reshape(-1)])
              for begin, end in zip(s.start, s.start[1:], strict=False)]
    head = [network.n, outer, len(network.spikes), model.conductance, model.shift_exc,
            model.shift_inh, int(encode(network.dt_ms, "dt"))]
    return np.concatenate([head, cells.reshape(-1), *listed, network.spikes.reshape(-1)])


def test_120_networks_equal_the_c_program_in_registers_states_and_spikes(program: Path) -> None:
    networks = [random_core(seed) for seed in range(1000, 1120)]
    given = np.concatenate([[len(networks)], *map(numbers, networks)]).astype("<i8")
    result = subprocess.run([program], input=given.tobytes(), capture_output=True, check=True,
                            timeout=120)
    told, at, spikes, saturations = np.frombuffer(result.stdout, "<i8"), 0, 0, 0
    for i, network in enumerate(networks):
        n, steps = network.n, len(network.spikes)
        registers = told[at : at + 7 * n].reshape(n, 7)
        for name, column in zip(COMPUTED, registers.T, strict=True):
            np.testing.assert_array_equal(
                column, np.broadcast_to(getattr(network.neuron, name), (n,)), f"{i} {name}")
        at += 7 * n
        wanted, saturated = run_core(network, plain=i % 4 == 0)
        np.testing.assert_array_equal(told[at : at + 5 * n * steps].reshape(steps, n, 5), wanted,
                                      f"{i}")
        at += 5 * n * steps
        spikes, saturations = spikes + int(wanted[..., 4].sum()), saturations + saturated
    assert at == len(told)
    assert spikes > 10_000
    assert saturations > 100
