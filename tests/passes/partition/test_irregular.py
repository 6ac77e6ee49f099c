"""Populations whose synapses follow no shape are cut by who hears whom, and run as before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from helpers import register_machine
from helpers.loihi_programs import neuron, port
from helpers.networks import board, every_step, small_target
from hypothesis import given
from hypothesis import strategies as st
from nmcompile_backends.loihi.emit import emit

from nmcompile.errors import NmcError
from nmcompile.ir import Network, Output, Population, Projection, SynapseFormat, run_aligned
from nmcompile.ir.maps import Conv, from_matrix
from nmcompile.mapper import cut, map_network
from nmcompile.mapping import Program
from nmcompile.mapping.files import load_program, save_program
from nmcompile.mapping.verify import verify_program
from nmcompile.passes.partition import blocks, irregular, partition
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.target import load_target

GROUPS, SIZE = 6, 24  # neurons hear their own group, whose members have numbers drawn at random
BACKEND = backend("loihi")


def recurrent(weights: np.ndarray) -> Network:
    """A population with an input for each neuron and `weights` (n, n) between its neurons."""
    n, bits = len(weights), SynapseFormat(bits=8)
    entry, inner = (from_matrix(scipy.sparse.csr_array(matrix.astype(np.int16)), (n,), (n,))
                    for matrix in (np.diag(np.full(n, 127)), weights))
    return Network(
        inputs=(port((n,)),),
        populations=(Population(name="pool", shape=(n,), neuron=neuron(),
                                bias=np.zeros((), np.int32), start=1),),
        projections=(
            Projection(source="in", target="pool", map=entry, delay=1, format=bits),
            Projection(source="pool", target="pool", map=inner, delay=1, format=bits)),
        outputs=(Output(name="out", population="pool"),))


@pytest.fixture(scope="module")
def network() -> Network:
    rng = np.random.default_rng(0)
    n = GROUPS * SIZE
    group = rng.permutation(np.repeat(np.arange(GROUPS), SIZE))
    return recurrent(
        rng.integers(-60, 100, (n, n)) * (group[:, None] == group) * (rng.random((n, n)) < 0.7))


@pytest.fixture(scope="module")
def program(network: Network) -> Program:
    target = small_target(neurons=30, input_axons=64)
    return verify_program(map_network(network, target, BACKEND, every_step(network))[0])


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

    monkeypatch.setattr(blocks, "cut", cut)
    target = small_target(neurons=30, input_axons=64)
    mapping = map_network(network, target, BACKEND, every_step(network))[0].mapping
    assert mapping.slices.sizes().sum() == network.populations[0].size
    assert len(mapping.slices) >= 5


def clusters() -> Network:
    """8 groups of 25 neurons that hear themselves, and one in a hundred of all others."""
    rng = np.random.default_rng(2)
    group = rng.permutation(np.repeat(np.arange(8), 25))
    near = (group[:, None] == group) * (rng.random((200, 200)) < 0.4)
    return recurrent(rng.integers(1, 60, (200, 200)) * (near | (rng.random((200, 200)) < 0.01)))


@pytest.mark.parametrize("block", [60, 10_000])
def test_a_population_in_blocks_is_cut_as_one_that_is_whole(monkeypatch, block):
    network, target = clusters(), small_target(neurons=40, input_axons=150)
    monkeypatch.setattr(irregular, "BLOCK", block)
    plain = partition(network, target, BACKEND)
    mapped, needs = map_network(network, target, BACKEND, every_step(network))
    mapping = mapped.mapping
    assert sorted(mapping.slices.orders["0"]) == list(range(200))
    assert needs.input_axons.max() <= 150
    assert len(mapping.slices) < 0.8 * len(plain)
    verify_program(mapped)


def test_the_blocks_are_the_same_whatever_thread_cuts_them(monkeypatch):
    network, target = clusters(), small_target(neurons=40, input_axons=150)
    monkeypatch.setattr(irregular, "BLOCK", 60)
    orders = []
    for threads in (1, 4):
        monkeypatch.setattr(irregular.os, "cpu_count", lambda threads=threads: threads)
        orders.append(cut(network, target, BACKEND, every_step(network)).slices.orders["0"])
    np.testing.assert_array_equal(*orders)


@given(st.integers(0, 10**6), st.integers(2, 5))
def test_halving_cuts_the_parts_it_is_told_in_two_and_leaves_the_others(seed, parts):
    rng = np.random.default_rng(seed)
    n = 24
    matrix = scipy.sparse.csr_array(((rng.random((9, n)) < 0.3) * 5).astype(np.int16))
    linear = from_matrix(matrix, (9,), (n,))
    part = np.unique(rng.integers(0, parts, n), return_inverse=True)[1]
    over = np.flatnonzero(rng.random(part.max() + 1) < 0.5)
    after = blocks.halved([linear], part, over)
    assert np.array_equal(np.unique(after), np.arange(after.max() + 1))
    for number in range(part.max() + 1):
        members = after[part == number]
        single = len(members) == 1 or number not in over
        assert len(np.unique(members)) == (1 if single else 2)
        if single:
            assert np.all(members == number)


def test_neurons_with_thresholds_of_their_own_share_cores_that_tell_them_apart(
    network: Network,
) -> None:
    pool, target = network.populations[0], load_target("loihi1")
    thresholds = np.arange(pool.size, dtype=np.int32) % 9 + 60
    own = replace(network, populations=(
        replace(pool, neuron=replace(pool.neuron, threshold=thresholds)),))
    core = {name: getattr(target.core, name).model_copy(update={"value": value})
            for name, value in {"neurons": 30, "input_axons": 64}.items()}
    target = target.model_copy(update={"core": target.core.model_copy(update=core)})
    mapped, needs = map_network(own, target, BACKEND, every_step(own))
    assert needs.of_slices()["threshold_profiles"].max() <= 7
    for number in range(len(mapped.mapping.slices)):
        members = mapped.mapping.slices.members(pool.shape, number)
        assert len(np.unique(thresholds[members])) <= 7


def test_sources_that_send_more_reach_fewer_cores():
    network, target = clusters(), small_target(neurons=40, input_axons=150)
    size = network.populations[0].size
    busy = np.arange(size) % 4 == 0
    reached = []
    for rate in (1.0, 20.0):
        rates = np.concatenate([np.ones(size), np.where(busy, rate, 1.0)]).astype(np.float32)
        mapping = map_network(network, target, BACKEND, rates)[0].mapping
        reached.append(np.diff(mapping.axons[1].start)[busy].mean())
    assert reached[1] < reached[0]


def test_a_population_stays_as_it_is_where_what_it_feeds_would_not_fit():
    rng = np.random.default_rng(0)
    n, sources = 3600, 180
    group = rng.permutation(n) % sources
    rows = scipy.sparse.csr_array(
        (np.full(n * 3, 5, np.int16), (np.concatenate([group + i for i in range(3)]) % sources,
                                       np.tile(np.arange(n), 3))), shape=(sources, n))
    bits = SynapseFormat(bits=8)
    same = Conv(weight=np.ones((1, 1, 1, 1), np.int8), in_shape=(1, 1, n))
    zero = np.zeros((), np.int32)
    net = Network(
        inputs=(port((sources,)),),
        populations=(Population(name="a", shape=(1, 1, n), neuron=neuron(), bias=zero, start=1),
                     Population(name="b", shape=(1, 1, n), neuron=neuron(), bias=zero, start=2)),
        projections=(
            Projection(source="in", target="a", delay=1, format=bits,
                       map=from_matrix(rows, (sources,), (1, 1, n))),
            Projection(source="a", target="b", map=same, delay=1, format=bits)),
        outputs=(Output(name="out", population="b"),))
    target = board(1, 64, 16, input_axons=20, axon_sources=512, neurons=100)
    program, needs = map_network(net, target, BACKEND, every_step(net))
    assert needs.input_axons.max() <= 20
    verify_program(program)
