"""Slices share cores where there are more of them than cores, and only there."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from helpers import truenorth_machine
from helpers.fanning_truenorth import FORMAT, fanning, neurons, sent_to, small_cores
from helpers.fanning_truenorth import dense as fanning_dense
from helpers.loihi_programs import dense, network, neuron, payloads, port, projection, weights
from helpers.networks import board, every_step
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    SpikeFormat,
    run_aligned,
    verify,
)
from nmcompile.mapper import Recorded, cut, lay, map_network
from nmcompile.mapping.capacity import LIMITS, CapacityError, Demand
from nmcompile.mapping.constraints import Constraints
from nmcompile.passes.legalize import retime
from nmcompile.passes.partition import pack, search
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.target import load_target

LOIHI = backend("loihi")
NAMES = [f"layer{i}" for i in range(40)]


def chain(n: int, size: int = 20) -> Network:
    """`n` dense layers of `size` neurons, each behind the one before it."""
    rng, zero = np.random.default_rng(n), np.zeros((), np.int32)
    names = ["in", *(f"layer{i}" for i in range(n))]
    return network(
        (port((size,)),),
        tuple(Population(name=name, shape=(size,), neuron=neuron(threshold=300), bias=zero, start=i)
              for i, name in enumerate(names) if i),
        tuple(projection(a, b, dense(weights(rng, (size, size))))
              for a, b in pairwise(names)))


def random_needs(rng: np.random.Generator, n: int, of: int) -> Demand:
    """Needs of `n` slices, some of them up to 1 / `of` of a core of Loihi 1."""
    core = load_target("loihi1").core
    return Demand(
        **{limit: rng.integers(1, getattr(core, limit).value // of + 1, n) for limit in LIMITS},
        kept={limit: np.stack([np.repeat(np.arange(n), 2), rng.integers(0, 20, 2 * n)], axis=1)
              for limit in ("threshold_profiles", "synapse_formats")})


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), cores=st.integers(1, 40),
       kinds=st.integers(1, 3))
def test_cores_keep_their_limits_and_their_kinds(seed, n, cores, kinds):
    rng, target = np.random.default_rng(seed), load_target("loihi1")
    needs, kind = random_needs(rng, n, 4), rng.integers(0, kinds, n)
    packets = scipy.sparse.random_array((n, n), density=0.2, rng=rng, format="csr")
    core = pack(needs, packets, kind, NAMES, cores, target)
    assert set(core) == set(range(core.max() + 1))
    for limit, need in needs.on_cores(core, n).items():
        assert need.max() <= getattr(target.core, limit).value
    assert all(len(np.unique(kind[core == c])) == 1 for c in core)
    np.testing.assert_array_equal(core, pack(needs, packets, kind, NAMES, cores, target))
    alone = pack(needs, packets, kind, NAMES, n, target)
    assert len(np.unique(alone)) == n


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40))
def test_cores_are_as_few_as_asked_for_or_as_first_fit_makes_them(seed, n):
    needs, target = random_needs(np.random.default_rng(seed), n, 5), load_target("loihi1")
    kind, packets = np.zeros(n, np.int64), scipy.sparse.csr_array((n, n))
    fewest = len(np.unique(pack(needs, packets, kind, NAMES, 1, target)))
    assert len(np.unique(pack(needs, packets, kind, NAMES, fewest, target))) <= fewest
    used = sum(getattr(needs, limit) / getattr(target.core, limit).value for limit in LIMITS)
    assert fewest <= 1 + 2 * used.sum() + n / 3  # of kept numbers, 15 and 7, two slices have few


def test_of_cores_alike_the_one_with_most_packets_is_taken():
    same = np.array([40, 40, 20, 20])
    needs = Demand(neurons=same, synapse_bits=same, input_axons=same, output_axons=same, kept={})
    packets = np.zeros((4, 4))
    packets[3, 0] = packets[1, 2] = 5.0
    core = pack(needs, scipy.sparse.csr_array(packets), np.zeros(4, int), NAMES, 2,
                load_target("loihi1"))
    assert core.tolist() == [0, 1, 1, 0]


def test_a_slice_that_no_empty_core_holds_is_named_with_its_need():
    few, target = np.array([1, 1]), load_target("loihi1")
    needs = Demand(neurons=few, synapse_bits=few, input_axons=np.array([1, 5000]),
                   output_axons=few, kept={})
    with pytest.raises(CapacityError) as error:
        pack(needs, scipy.sparse.csr_array((2, 2)), np.zeros(2, int), NAMES, 1, target)
    assert str(error.value).startswith(
        "layer1: needs 5,000 input axons on one core, loihi1 has 4,096 (")


def test_a_cut_that_overfills_a_core_is_refused_with_what_helps():
    net, target = chain(2), board(1, 1, 1, neurons=30)
    found = replace(cut(net, target, LOIHI, every_step(net)), together=np.zeros(2, np.int64))
    with pytest.raises(CapacityError) as error:
        lay(found, target, LOIHI, every_step(net))
    assert str(error.value) == (
        "layer0, layer1: needs 40 neurons on one core, loihi2 has 30 (published: core.neurons). Go "
        "on from quantize.h5, or give it fewer bits (--bits) or more chips (--chips).")


def test_most_cores_is_kept_also_where_a_cut_is_gone_on_from():
    net, target = chain(2), board(1, 1, 1, neurons=10)
    found = cut(net, target, LOIHI, every_step(net))
    with pytest.raises(NmcError) as error:
        lay(found, target, LOIHI, every_step(net), Constraints(most_cores={"layer0": 1}))
    assert str(error.value) == ("layer0: needs 2 cores, its most_cores is 1. Allow it more, or give "
                                "it fewer bits (--bits).")


def test_what_fits_a_core_a_slice_is_left_so():
    net = chain(4)
    found = cut(net, board(1, 1, 1), LOIHI, every_step(net))
    assert found.together.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("layers", [5, 12])
def test_more_layers_than_cores_run_bit_exactly_on_shared_ones(layers):
    net = chain(layers)
    program, _ = map_network(net, board(1, 1, 1), LOIHI, every_step(net))
    assert len(np.unique(program.mapping.slices.core)) == 4
    sent = payloads(net, 60, np.random.default_rng(0))
    wanted = run_aligned(net, net.lags, sent).records
    found = simulate(program, sent, record=("spikes", "v")).records
    for name, record in wanted.items():
        np.testing.assert_array_equal(found[name]["spikes"], record["spikes"])
        np.testing.assert_array_equal(found[name]["v"], record["v"])
    assert wanted["layer4"]["spikes"].any()


def test_reserved_cores_are_left_free_by_sharing_the_others():
    net, reserved = chain(4), Constraints(reserved=np.array([0, 3], np.int32))
    program, _ = map_network(net, board(1, 1, 1), LOIHI, every_step(net), reserved)
    assert set(program.mapping.slices.core.tolist()) == {1, 2}


def test_layers_that_must_be_apart_or_elsewhere_share_no_core():
    net = chain(6)
    here = np.arange(8) < 4
    asked = Constraints(on={"layer0": here}, apart=(("layer1", "layer2"),),
                        reserved=np.array([6, 7], np.int32))
    program, _ = map_network(net, board(2, 1, 1), LOIHI, every_step(net), asked)
    core = program.mapping.slices.core
    assert core[0] < 4
    assert core[1] // 4 != core[2] // 4
    few = replace(asked, reserved=np.arange(2, 8, dtype=np.int32))
    with pytest.raises(CapacityError) as error:
        map_network(net, board(2, 1, 1), LOIHI, every_step(net), few)
    assert str(error.value) == (
        "network: needs 4 cores for 6 slices, loihi2 has 8 (2 chips of 4), of which 2 are free; "
        "largest layers: layer0 1, layer1 1, layer2 1. With --chips 3 it fits.")


def test_layers_of_one_chip_share_its_cores_and_no_others():
    net, one = chain(6), tuple(f"layer{i}" for i in range(6))
    asked = Constraints(together=(one,), reserved=np.arange(4, 8, dtype=np.int32))
    program, _ = map_network(net, board(2, 1, 1), LOIHI, every_step(net), asked)
    assert len(np.unique(program.mapping.slices.core)) == 4
    groups = Constraints(together=(("layer0", "layer2"), ("layer1", "layer3")),
                         reserved=np.array([1, 2, 3, 5, 6, 7], np.int32))
    program, _ = map_network(chain(4), board(2, 1, 1), LOIHI, every_step(chain(4)), groups)
    core = program.mapping.slices.core
    assert core[0] == core[2] != core[1] == core[3]


def test_where_sharing_does_not_suffice_the_fewest_cores_are_named_and_fit():
    net, target = chain(12), board(1, 1, 1, neurons=50)
    with pytest.raises(CapacityError) as error:
        cut(net, target, LOIHI, every_step(net))
    assert str(error.value) == (
        "network: needs 6 cores for 12 slices, loihi2 has 4 (1 chips of 4); largest layers: "
        "layer0 1, layer1 1, layer2 1. With --chips 2 it fits.")
    assert cut(net, board(2, 1, 1, neurons=50), LOIHI, every_step(net)).n_cores == 8


@pytest.mark.parametrize("kinds", [[0, 1, 0, 1, 0, 1, 0], [0, 0, 0, 1, 1, 1, 2]])
def test_a_search_lets_only_layers_of_a_kind_share_cores(kinds):
    net, rng = chain(7), np.random.default_rng(1)
    spikes = {node.name: (rng.random((20, node.size)) < 0.2).astype(np.int32)
              for node in net.nodes}
    found = search(net, board(1, 1, 1), LOIHI, spikes, 4, np.array(kinds))
    kind = np.array(kinds)[found.slices.population]
    assert len(np.unique(found.together)) <= 4
    assert all(len(np.unique(kind[found.together == core])) == 1 for core in found.together)


def test_a_searched_mapping_keeps_its_constraints():
    net, rng, here = chain(6), np.random.default_rng(2), np.arange(8) < 4
    rare = {"layer0": 0.01, "layer5": 0.01}  # so that these are the first to share
    spikes = {node.name: (rng.random((20, node.size)) < rare.get(node.name, 0.3)).astype(np.int32)
              for node in net.nodes}
    asked = Constraints(on={"layer0": here, "layer5": ~here}, apart=(("layer1", "layer2"),),
                        reserved=np.array([3, 6, 7], np.int32))
    program, _ = map_network(net, board(2, 1, 1), LOIHI, every_step(net), asked, Recorded(typical=spikes))
    slices = program.mapping.slices
    first, one, two, last = (slices.core[slices.population == i] for i in (0, 1, 2, 5))
    assert here[first].all()
    assert not here[last].any()
    assert not set(one // 4) & set(two // 4)


def test_search_on_more_layers_than_cores_shares_them():
    net, rng = chain(7), np.random.default_rng(0)
    spikes = {node.name: (rng.random((20, node.size)) < 0.2).astype(np.int32)
              for node in net.nodes}
    assert cut(net, board(1, 1, 1), LOIHI, every_step(net), None, Recorded(typical=spikes)).n_cores <= 4


def heard_behind(*sizes: int) -> Network:
    """Dense layers of `sizes` behind four inputs, of which the host hears the last."""
    rng, names = np.random.default_rng(0), [*["in", "a", "b"][: len(sizes)], "out"]
    links = tuple(
        Projection(source=a, target=b, map=fanning_dense(rng, n, m), format=FORMAT)
        for (a, n), (b, m) in pairwise(zip(names, (4, *sizes), strict=True)))
    net = Network(
        inputs=(Input(name="in", shape=(4,), format=SpikeFormat(payload_bits=0)),),
        populations=tuple(neurons(name, n, 9) for name, n in zip(names[1:], sizes, strict=True)),
        projections=links, outputs=(Output(name="out", population="out"),))
    return verify(retime(net, 15)[0])


@pytest.mark.parametrize("search", [False, True])
def test_what_the_host_hears_takes_neurons_of_a_shared_core(tmp_path, search):
    net, target, chip = heard_behind(60, 40, 20), load_target("truenorth"), backend("truenorth")
    few = Constraints(reserved=np.arange(2, target.n_cores, dtype=np.int32))
    spikes = {node.name: np.ones((4, node.size), np.int32) for node in net.nodes}
    sent = Recorded(typical=spikes if search else None)
    with pytest.raises(NmcError) as error:
        map_network(net, target, chip, every_step(net), few, sent)
    assert "cores" in str(error.value)
    three = Constraints(reserved=np.arange(3, target.n_cores, dtype=np.int32))
    program, _ = map_network(net, target, chip, every_step(net), three, sent)
    assert "not written" not in str(chip.emit(program, tmp_path))


def test_a_layer_that_is_heard_and_feeds_takes_copies_for_both(tmp_path):
    net, target, chip = heard_behind(60, 1), load_target("truenorth"), backend("truenorth")
    both = replace(net, outputs=(*net.outputs, Output(name="a", population="a")))
    program, needs = map_network(both, target, chip, every_step(both))
    assert needs.output_axons.max() <= 64
    assert "not written" not in str(chip.emit(program, tmp_path))


def test_truenorth_writes_shared_cores_that_spike_as_the_network_does(tmp_path):
    net = fanning(3, hidden=3, wide=30)
    target, chip = small_cores(neurons=20), backend("truenorth")
    few = Constraints(reserved=np.arange(3, target.n_cores, dtype=np.int32))
    program, _ = map_network(net, target, chip, every_step(net), few)
    assert len(program.mapping.slices) > len(np.unique(program.mapping.slices.core)) == 3
    chip.emit(program, tmp_path)
    sent = sent_to(net, 3)
    heard = truenorth_machine.run(tmp_path, {"in": sent["in"][0]}, {"out": 6, "hidden": 3}, 50)
    wanted = run_aligned(net, net.lags, sent).records
    for name in ("out", "hidden"):
        begin = program.latency[name]
        np.testing.assert_array_equal(heard[name][begin : begin + 40], wanted[name]["spikes"][0])
    assert heard["out"].any()
