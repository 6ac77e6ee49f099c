"""The files of a compiled network, loaded into sPyNNaker's own programs, run as its integers do.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers import spinnaker_machine
from helpers.networks import dense, scalar, sparse
from helpers.spinnaker_networks import on_core, register_table

from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, run_aligned, verify
from nmcompile.ir.neurons import LI, LIF, CubaLIF, ResetAt
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.target import load_target

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]
STEPS, STATES = 40, (("v", 0), ("exc", 2), ("inh", 3), ("spikes", 4))


def network(seed: int) -> Network:
    """Delta and exponential synapses, loops, biases, a lost input, delays, and a readout."""
    rng, link = np.random.default_rng(seed), Projection
    bias = rng.normal(0, 0.05, 300).astype(np.float32)
    cuba = CubaLIF(decay=rng.uniform(0.5, 0.97, 300).astype(np.float32), threshold=scalar(1.5),
                   current_decay=scalar(rng.uniform(0.3, 0.9)), reset_at=ResetAt.INPUT)
    return verify(Network(
        inputs=(Input(name="in", shape=(30,)),),
        populations=(
            Population(name="first", shape=(40,), neuron=LIF(decay=scalar(0.9), threshold=scalar(1)),
                       bias=np.full((40,), 0.03, np.float32)),
            Population(name="second", shape=(300,), neuron=cuba, bias=bias),
            Population(name="out", shape=(6,), neuron=LI(decay=scalar(0.95)))),
        projections=(
            link(source="in", target="first", map=dense(rng, 30, 40, 2.0)),
            link(source="first", target="second", map=dense(rng, 40, 300, 2.0)),
            link(source="second", target="second", delay=3, map=sparse(rng, 300, 300, 0.01)),
            link(source="second", target="out", map=dense(rng, 300, 6, 2.0)),
            link(source="first", target="out", delay=20, map=dense(rng, 40, 6, 1.0))),
        outputs=(Output(name="out", population="out", variable="v"),)))


@pytest.mark.parametrize("seed", range(3))
def test_every_core_computes_what_the_compiled_network_does(tmp_path: Path, seed: int) -> None:
    net, rng = network(seed), np.random.default_rng(seed)
    sample = {"in": (rng.random((4, STEPS, 30)) < 0.3).astype(np.float32)}
    program = compile_stage(Traced(network=net, inputs=sample, expected=run(net, sample).records),
                            load_target("spinnaker1")).program
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
