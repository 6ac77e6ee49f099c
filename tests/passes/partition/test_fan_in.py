"""Neurons with more inputs than a core holds receive the same sums through graded relays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import network, neuron, port, projection, sparse, weights
from helpers.networks import board, dense, every_step, scalar, spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.relay import LoihiRelay
from scipy.sparse import csr_array

from nmcompile.dump import dump, load_stage
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run_aligned, verify
from nmcompile.ir.maps import Conv, Dense, from_matrix
from nmcompile.ir.neurons import LIF
from nmcompile.mapper import cut, map_network
from nmcompile.mapping import Mapping
from nmcompile.mapping.capacity import demand, require_fit
from nmcompile.mapping.files import load_program, save_program
from nmcompile.passes.partition import search, split_fan_in
from nmcompile.passes.partition.loads import around
from nmcompile.passes.route import route
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.simulator import simulate
from nmcompile.stages import Data, IntegerStage
from nmcompile.target import load_target

BACKEND = backend("loihi")
ROWS = board(1, 2, 2, synapse_bits=64 * 40)  # rows of 40 sources with up to 6 weights of 8 bits
AXONS = board(1, 2, 2, input_axons=20, axon_sources=1)
LAG = {"in": 0, "wide": 1, "last": 2}


def layer(name, shape, start, **registers):
    return Population(name=name, shape=shape, neuron=neuron(**registers), bias=np.zeros((), int),
                      start=start)


def wide(linear, exponent=0, source=None, *more, **registers) -> Network:
    """Layer `wide` behind `linear`, and `last`, which reads it."""
    rng = np.random.default_rng(1)
    n = int(np.prod(linear.out_shape))
    last = Dense(weight=weights(rng, (3, n)), in_shape=(n,), out_shape=(3,))
    return network(
        (source or port(linear.in_shape),),
        (layer("wide", linear.out_shape, 1, threshold=900, **registers), layer("last", (3,), 2)),
        (projection("in", "wide", linear, exponent=exponent), projection("wide", "last", last),
         *more))


def full(rng, n_out=4, n_in=100, step=2, highest=254) -> Dense:
    weight = step * rng.integers(-highest // step, highest // step + 1, (n_out, n_in))
    return Dense(weight=weight.astype(np.int16), in_shape=(n_in,), out_shape=(n_out,))


def split(net, target=ROWS, lag=None):
    return split_fan_in(net, lag or LAG, target, BACKEND)


def assert_equal_runs(net, found, sent, lag=None) -> None:
    before = run_aligned(net, lag or LAG, sent).records
    after = run_aligned(found.network, found.latency, sent).records
    for name, record in before.items():
        for variable, values in record.items():
            assert np.array_equal(after[name][variable], values), (name, variable)
    for cut_ in found.cuts:
        assert max(np.abs(after[name]["spikes"]).max() for name in cut_.relays) <= 2**15 - 1


def binary(net, seed, rate=0.5):
    return {name: v.astype(np.int32) for name, v in spikes(net, 3, 12, rate, seed).items()}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["dense", "sparse", "conv"]), st.integers(-1, 3))
def test_every_spike_and_state_stays_what_it_was(seed, kind, exponent):
    rng = np.random.default_rng(seed)
    if kind == "dense":
        linear, target = full(rng, n_in=int(rng.integers(41, 300))), ROWS
    elif kind == "sparse":
        linear, target = sparse(rng, 120, 4), AXONS
    else:
        linear = Conv(weight=weights(rng, (4, 40, 3, 3)), in_shape=(40, 3, 3), padding=(1, 1))
        target = ROWS
    net = wide(linear, exponent, bias=int(rng.integers(-50, 50)))
    found = split(net, target)
    assert len(found.cuts[0].relays) > 1
    assert found.latency["last"] == 3
    assert_equal_runs(net, found, binary(net, seed))


@pytest.mark.parametrize(("linear", "core", "shares", "first"), [
    (full(np.random.default_rng(0)), {"synapse_bits": 64 * 40}, 3, (0, 33)),
    (sparse(np.random.default_rng(0), 120, 60),
     {"input_axons": 50, "axon_sources": 1, "neurons": 16}, 3, (0, 40)),
])
def test_relays_are_counted_mapped_and_simulated_like_all_other_neurons(
    linear, core, shares, first, tmp_path
):
    net = wide(linear)
    target = board(16, 2, 2, **core)
    found = split(net, target)
    relays = found.cuts[0].relays
    assert [p.sources for p in found.network.incoming(relays[0])] == [first]
    assert len(relays) == shares
    program, _ = map_network(found.network, target, BACKEND, every_step(found.network))
    assert program.latency == found.latency
    save_program(program, tmp_path / "program.h5")
    program = load_program(tmp_path / "program.h5", BACKEND.neurons)
    sent = binary(net, 2)
    wanted = run_aligned(net, LAG, sent).records
    records = simulate(program, sent, record=("spikes", "v", "u")).records
    assert all(np.array_equal(records[name]["v"], wanted[name]["v"]) for name in wanted)
    assert wanted["wide"]["spikes"].any()


def test_of_shares_that_differ_the_fullest_decides_and_the_empty_have_no_relays():
    weight = np.zeros((240, 4), np.int16)
    weight[:60] = weights(np.random.default_rng(4), (60, 4)) | 2
    net = wide(from_matrix(csr_array(weight), (240,), (4,)))
    found = split(net, AXONS)
    assert [p.sources for p in found.network.projections[:6:2]] == [(0, 20), (20, 40), (40, 60)]
    assert found.cuts[0].relays == ("wide.part1", "wide.part2", "wide.part3")
    assert found.latency["last"] == 3
    assert_equal_runs(net, found, binary(net, 6))


@pytest.mark.parametrize(("weight", "parts"), [(255, 16), (254, 8)])
def test_as_many_shares_are_cut_as_keep_every_sum_within_a_payload(weight, parts):
    linear = Dense(weight=np.full((4, 2000), weight, np.int16), in_shape=(2000,), out_shape=(4,))
    net = wide(linear)
    found = split(net, board(1, 2, 2, synapse_bits=64 * 1999))
    assert len(found.cuts[0].relays) == parts  # even sums are sent halved
    assert_equal_runs(net, found, {"in": np.ones((1, 6, 2000), np.int32)})


@pytest.mark.parametrize("linear", [
    full(np.random.default_rng(1), 30, 90),
    Conv(weight=weights(np.random.default_rng(2), (6, 12, 3, 3)), in_shape=(12, 5, 6)),
])
def test_the_search_counts_what_comes_from_parts_of_a_source(linear):
    net = wide(linear)
    target = board(4, 2, 2, synapse_bits=64 * 12 if isinstance(linear, Conv) else 64 * 80)
    found = split(net, target).network
    trace = run_aligned(found, dict.fromkeys((n.name for n in found.nodes), 0), binary(net, 1))
    sent = {"in": binary(net, 1)["in"].reshape(36, -1)} | {
        p.name: trace.spikes(p.name).reshape(36, -1) for p in found.populations}
    best = search(found, target, BACKEND, sent)
    placed = replace(best.slices, core=best.together.astype(np.int32))
    mapping = Mapping(slices=placed, axons=route(found, best.slices), rates=every_step(found))
    require_fit(found, mapping, target, demand(found, mapping, target, BACKEND))
    assert len(np.unique(best.together)) > len(found.populations) - 2


@given(st.tuples(*[st.integers(1, 5)] * 3), st.data())
def test_the_box_around_a_part_of_a_source_is_the_least(shape, data):
    size = int(np.prod(shape))
    first = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(first + 1, size))
    places = np.stack(np.unravel_index(np.arange(first, end), shape), axis=1)
    np.testing.assert_array_equal(around(shape, first, end),
                                  [places.min(axis=0), places.max(axis=0) + 1])


def test_what_fits_is_left_alone():
    net = wide(full(np.random.default_rng(0), n_in=30))
    found = split(net)
    assert found.network is net
    assert found.cuts == ()


def test_a_chip_without_relays_leaves_it_to_the_user_with_proposals():
    net = wide(full(np.random.default_rng(0)))
    small = load_target("loihi1")
    bits = small.core.synapse_bits.model_copy(update={"value": 64 * 40})
    target = small.model_copy(update={"core": small.core.model_copy(update={"synapse_bits": bits})})
    assert split(net, target).cuts == ()
    with pytest.raises(NmcError) as error:
        cut(net, target, BACKEND, every_step(net))
    assert str(error.value).endswith("Split the inputs of wide over 3 layers whose outputs it "
                                     "adds up.")


def test_a_skip_beside_the_relays_waits_for_them():
    rng = np.random.default_rng(3)
    skip = projection("in", "last", full(rng, 3), delay=2)
    net = wide(full(rng), 0, None, skip)
    target = board(1, 2, 2, synapse_bits=64 * 99)
    found = split(replace(net, projections=(net.projections[0], net.projections[1],
                                            replace(skip, map=full(rng, 3, 100)))), target)
    assert {c.layer for c in found.cuts} == {"wide", "last"}
    assert found.latency == {"in": 0, "wide": 2, "last": 3} | {
        name: 1 if "wide" in name else 2 for c in found.cuts for name in c.relays}


def test_graded_payloads_have_no_room_for_sums():
    net = wide(full(np.random.default_rng(0)), source=port((100,), 16))
    with pytest.raises(NmcError) as error:
        split(net)
    text = str(error.value)
    assert text.startswith("wide: needs 6,400 synapse bits on one core, loihi2 has 2,560 ")
    assert "Graded relays cannot add up its inputs: they reach " in text
    assert text.endswith(" units of weight times the largest payload of their source, and none of "
                         "100 shares may exceed 2.")


def test_small_payloads_are_added_up_signs_included():
    net = wide(full(np.random.default_rng(0)), source=port((100,), 5))
    sent = {"in": np.random.default_rng(1).integers(-15, 16, (2, 9, 100)).astype(np.int32)}
    assert_equal_runs(net, split(net), sent)


def test_a_loop_without_a_step_to_spare_is_refused_and_one_with_it_is_not():
    rng = np.random.default_rng(0)
    for delay in (1, 2):
        net = wide(full(rng), 0, None)
        loop = projection("wide", "wide", full(rng, 4, 4), delay=1)
        around = replace(
            net, projections=(*net.projections, loop,
                              projection("last", "wide", full(rng, 4, 3), delay=delay)))
        found = split(around)
        assert_equal_runs(around, found, binary(net, delay))
    wide_loop = network(
        (port((3,)),), (layer("wide", (60,), 1, threshold=900),),
        (projection("in", "wide", full(rng, 60, 3)), projection("wide", "wide", full(rng, 60, 60))))
    with pytest.raises(NmcError, match="cannot add up its inputs: network: the loop through wide"):
        split(wide_loop, lag={"in": 0, "wide": 1})
    spare = replace(wide_loop, projections=(
        wide_loop.projections[0], replace(wide_loop.projections[1], delay=2)))
    found = split(spare, lag={"in": 0, "wide": 1})
    assert_equal_runs(spare, found, binary(spare, 5), {"in": 0, "wide": 1})


@pytest.mark.parametrize(("change", "why"), [
    ({"exponent": -3}, "its weight exponent of -3 rounds their whole sum"),
    ({"groups": 3}, "no projection is left that can be cut by its sources"),
    ({"core": {"input_axons": 20, "axon_sources": 1}}, "of 12 shares of them one is still too large for a core"),
])
def test_what_relays_cannot_keep_is_named(change, why):
    rng = np.random.default_rng(0)
    groups = change.get("groups", 1)
    linear = Conv(weight=weights(rng, (6, 12 // groups, 5, 5)) | 2, in_shape=(12, 5, 5),
                  groups=groups)
    with pytest.raises(NmcError, match=why):
        split(wide(linear, change.get("exponent", 0)),
              board(1, 2, 2, **change.get("core", {"synapse_bits": 64 * 4})))


@pytest.mark.parametrize("lags", [LAG | {"last": 3}, LAG | {"wide": 0}])
def test_a_kept_stage_has_the_lags_of_its_network(lags, tmp_path):
    net = wide(full(np.random.default_rng(0), n_in=30))
    target, sample = load_target("loihi2"), Data(inputs=spikes(net, 2, 4))
    stage = IntegerStage(network=net, latency=LAG, sample=sample, rates=every_step(net), checks=(),
                         errors=(), notes=())
    dump(stage, "right", target, tmp_path)
    assert load_stage(tmp_path / "right.h5", target).latency == LAG
    dump(replace(stage, latency=lags), "wrong", target, tmp_path)
    with pytest.raises(NmcError, match=r"wrong.h5: its lags are not those of its network"):
        load_stage(tmp_path / "wrong.h5", target)


def test_a_model_compiles_with_relays_and_says_so(tmp_path):
    rng = np.random.default_rng(7)
    net = verify(Network(
        inputs=(Input(name="input", shape=(90,)),),
        populations=tuple(
            Population(name=name, shape=(n,),
                       neuron=LIF(decay=scalar(0.9), threshold=scalar(1)))
            for name, n in (("hidden", 12), ("out", 4))),
        projections=(Projection(source="input", target="hidden", map=dense(rng, 90, 12, 3.0)),
                     Projection(source="hidden", target="out", map=dense(rng, 12, 4, 3.0))),
        outputs=(Output(name="output", population="out"),)))
    target = board(2, 2, 2, synapse_bits=64 * 60)
    traced = Traced(network=net, inputs=spikes(net), expected={})
    compiled = compile_stage(
        traced, target, keep=lambda name, stage: dump(stage, name, target, tmp_path))
    program = compiled.program
    assert sum(isinstance(p.neuron, LoihiRelay) for p in program.network.populations) == 3
    assert compiled.notes == (
        "hidden: no core of loihi2 holds the 90 inputs of a neuron; 3 populations of graded relays "
        "(36 neurons) add them up one step before it",)
    checks = {check.arrow: check for check in compiled.checks}
    assert checks["fan-in"].text.endswith("0 states differ; 2 -> 3 steps from input to output")
    assert checks["map"].figures["spikes_differing"] == 0
    again = compile_stage(load_stage(tmp_path / "quantize.h5", target), target)
    resumed = compile_stage(load_stage(tmp_path / "partition.h5", target), target)
    for other in (again, resumed):
        assert np.array_equal(other.program.mapping.rates, program.mapping.rates)
        assert other.program.latency == program.latency == {
            "input": 0, "hidden": 2, "out": 3} | {f"hidden.part{n}": 1 for n in (1, 2, 3)}
