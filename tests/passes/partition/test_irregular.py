"""Populations whose synapses follow no shape are cut by who hears whom, and run as before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import register_machine
from helpers.loihi_programs import neuron, port
from helpers.networks import every_step, small_target
from nmcompile_backends.loihi.emit import emit

from nmcompile.errors import NmcError
from nmcompile.ir import Network, Output, Population, Projection, SynapseFormat, run_aligned
from nmcompile.ir.maps import from_matrix
from nmcompile.mapper import map_network
from nmcompile.mapping import Program
from nmcompile.mapping.files import load_program, save_program
from nmcompile.mapping.verify import verify_program
from nmcompile.passes.partition.hypergraph import partitioners
from nmcompile.registry import backend
from nmcompile.simulator import simulate

GROUPS, SIZE = 6, 24  # neurons hear their own group, whose members have numbers drawn at random
BACKEND = backend("loihi")


@pytest.fixture(scope="module")
def network() -> Network:
    import scipy.sparse

    rng = np.random.default_rng(0)
    n = GROUPS * SIZE
    group = rng.permutation(np.repeat(np.arange(GROUPS), SIZE))
    weights = rng.integers(-60, 100, (n, n)) * (group[:, None] == group) * (rng.random((n, n)) < 0.7)
    inner = from_matrix(scipy.sparse.csr_array(weights.astype(np.int16)), (n,), (n,))
    entry = from_matrix(scipy.sparse.csr_array(np.diag(np.full(n, 127, np.int16))), (n,), (n,))
    bits = SynapseFormat(bits=8)
    return Network(
        inputs=(port((n,)),),
        populations=(Population(name="pool", shape=(n,), neuron=neuron(),
                                bias=np.zeros((), np.int32), start=1),),
        projections=(
            Projection(source="in", target="pool", map=entry, delay=1, format=bits),
            Projection(source="pool", target="pool", map=inner, delay=1, format=bits)),
        outputs=(Output(name="out", population="pool"),))


@pytest.fixture(scope="module")
def program(network: Network) -> Program:
    target = small_target(neurons=30, input_axons=64)
    mapping, _ = map_network(network, target, BACKEND, every_step(network))
    return verify_program(Program(network=network, mapping=mapping, target=target,
                                  latency={"in": 0, "pool": 1}))


def sent(network: Network, steps: int = 20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"in": (rng.random((3, steps, network.inputs[0].size)) < 0.3).astype(np.int32)}


def test_groups_that_hear_each_other_share_cores(program):
    slices = program.mapping.slices
    assert list(slices.orders) == ["0"]
    assert len(slices) <= GROUPS + 2
    recurrent = program.mapping.axons[1]
    assert np.diff(recurrent.start).mean() < 1.5  # cores that hear of a spike


def test_the_mapped_network_does_what_it_did(program, network):
    inputs = sent(network)
    wanted = run_aligned(network, program.latency, inputs).records["pool"]
    found = simulate(program, inputs, record=("spikes", "v", "u")).records["pool"]
    assert wanted["spikes"].any()
    for name in ("spikes", "v", "u"):
        np.testing.assert_array_equal(found[name], wanted[name])


def test_its_file_and_its_registers_say_the_same(program, network, tmp_path: Path):
    save_program(program, tmp_path / "program.h5")
    again = load_program(tmp_path / "program.h5", BACKEND.neurons)
    np.testing.assert_array_equal(again.mapping.slices.orders["0"],
                                  program.mapping.slices.orders["0"])
    (tmp_path / "config").mkdir()
    emit(again, tmp_path / "config")
    groups = [group for chip in json.loads((tmp_path / "config" / "registers.json").read_text())
              ["boards"][0]["chips"] for core in chip["cores"]
              for group in core["compartment_groups"]]
    assert all("neurons" in group for group in groups)
    inputs = sent(network)
    steps = inputs["in"].shape[1]
    found = register_machine.run(tmp_path / "config", {"in": inputs["in"][0]}, steps)
    whole = simulate(program, {"in": inputs["in"][:1]}, record=("spikes",)).records["pool"]
    np.testing.assert_array_equal(found["pool"]["spikes"][1:], whole["spikes"][0, :-1])


@pytest.mark.parametrize(("orders", "message"), [
    ({"0": np.arange(144, dtype=np.int32)[::-1].copy()}, "its order does not rise within a slice"),
    ({"0": np.zeros(144, np.int32)}, "its order does not hold each neuron once"),
    ({"1": np.arange(144, dtype=np.int32)}, "an order is of no population"),
])
def test_an_order_that_breaks_a_rule_is_refused(program, orders, message):
    slices = replace(program.mapping.slices, orders=orders)
    broken = replace(program, mapping=replace(program.mapping, slices=slices))
    with pytest.raises(NmcError, match=message):
        verify_program(broken)


@pytest.mark.parametrize("least", [7, 1000])
def test_parts_that_the_partitioner_cannot_make_are_too_few_and_no_error(
    network, monkeypatch, least
):
    def cut(graph, k, *, imbalance):
        if k < least:
            raise NmcError("hypergraph", f"no {k} parts were found")
        return np.arange(graph.n_vertices) * k // graph.n_vertices

    monkeypatch.setattr(partitioners, "cut", cut)
    target = small_target(neurons=30, input_axons=64)
    mapping, _ = map_network(network, target, BACKEND, every_step(network))
    assert mapping.slices.sizes().sum() == network.populations[0].size
    assert len(mapping.slices) >= 5
