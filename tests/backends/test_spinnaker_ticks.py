"""Layers are cut so that SpiNNaker's cores are done within their tick."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers.compiled_networks import EXAMPLES, compiled
from helpers.networks import conv, dense, scalar
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.frontends.data_file import read_data
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.neurons import LIF
from nmcompile.late import LATE, told_of_late
from nmcompile.mapper import record_of
from nmcompile.mapping.ticks import tick_seconds
from nmcompile.passes.partition.tick_loads import TickLoads
from nmcompile.pipeline import Options, compile_stage
from nmcompile.registry import backend
from nmcompile.report.figures import decisions
from nmcompile.report.mapped import TICK, mapping_figures
from nmcompile.simulator import simulate
from nmcompile.target import installed, load_target

BACKEND = backend("spinnaker")
STEPS = 6


def changed(table, **values):
    return table.model_copy(update={
        name: getattr(table, name).model_copy(update={"value": value})
        for name, value in values.items()})


def network_of(seed):
    """A convolution, and a dense layer that is recurrent."""
    rng, lif = np.random.default_rng(seed), LIF(decay=scalar(0.9), threshold=scalar(1))
    image = conv(rng, (1, 8, 8), 4, stride=(2, 2), padding=(1, 1), gain=2.0)
    n = int(np.prod(image.out_shape))
    return verify(Network(
        inputs=(Input(name="image", shape=(1, 8, 8)),),
        populations=(Population(name="conv", shape=image.out_shape, neuron=lif),
                     Population(name="out", shape=(12,), neuron=lif)),
        projections=(Projection(source="image", target="conv", map=image),
                     Projection(source="conv", target="out", map=dense(rng, n, 12, 3.0)),
                     Projection(source="out", target="out", map=dense(rng, 12, 12), delay=2)),
        outputs=(Output(name="out", population="out"),)))


def busy_network(lines=200, hidden=64):
    """Inputs that all fire in every step, more than one core gets through for all neurons."""
    rng, lif = np.random.default_rng(0), LIF(decay=scalar(0.9), threshold=scalar(1))
    return verify(Network(
        inputs=(Input(name="lines", shape=(lines,)),),
        populations=(Population(name="hidden", shape=(hidden,), neuron=lif),
                     Population(name="out", shape=(4,), neuron=lif)),
        projections=(Projection(source="lines", target="hidden", map=dense(rng, lines, hidden)),
                     Projection(source="hidden", target="out", map=dense(rng, hidden, 4, 3.0))),
        outputs=(Output(name="out", population="out"),)))


def compiled_on(target, network, rate, options=None):
    rng, port = np.random.default_rng(1), network.inputs[0]
    sample = {port.name: (rng.random((4, STEPS, *port.shape)) < rate).astype(np.float32)}
    traced = Traced(network=network, inputs=sample, expected=run(network, sample).records)
    return compile_stage(traced, target, options=options)


@cache
def of_small_cores(seed):
    """On cores of few neurons, so that layers are on several of them."""
    found = load_target("spinnaker1")
    target = found.model_copy(update={"core": changed(found.core, neurons=6),
                                      "board": changed(found.board, cores_per_tile=4)})
    return compiled_on(target, network_of(seed), 0.4).program


def inputs(program, seed, rate, samples=2):
    rng, port = np.random.default_rng(seed), program.network.inputs[0]
    return {port.name: (rng.random((samples, STEPS, *port.shape)) < rate).astype(np.int32)}


def ticks_of(program, sent):
    """(ticks, n) what all senders send in each tick, and the run that says so."""
    found = simulate(program, sent, timing=BACKEND.timing(program), record=("spikes",))
    spikes = {**sent, **{name: kept["spikes"] for name, kept in found.records.items()}}
    ticks = record_of(program.network, spikes, search=False, hurried=True).ticks
    return ticks, found


def predicted(program, ticks):
    mapping, target = program.mapping, program.target
    every = np.concatenate([ticks[node.name] for node in program.network.nodes], axis=1)
    return tick_seconds(program.network, mapping.slices, mapping.axons, target,
                        BACKEND.tick_work(target), every.astype(float))


@settings(max_examples=20, deadline=None)
@given(network=st.integers(0, 2), seed=st.integers(0, 10**6),
       rate=st.sampled_from([0.0, 0.2, 0.6, 1.0]))
def test_the_time_of_a_tick_is_what_the_timing_counts_but_for_bursts_and_halvings(
        network, seed, rate):
    made = of_small_cores(network)
    loop = changed(made.target.timer_loop, start=0.0, lookup=(4e-7, 0.0))
    program = replace(made, target=made.target.model_copy(update={"timer_loop": loop}))
    ticks, found = ticks_of(program, inputs(program, seed, rate))
    assert not found.overran.any()
    np.testing.assert_allclose(
        predicted(program, ticks).sum(axis=0), found.counts.busy_s, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(network=st.integers(0, 2), seed=st.integers(0, 10**6), rate=st.sampled_from([0.2, 0.9]))
def test_bursts_and_halvings_change_it_by_no_more_than_one_for_each_packet(network, seed, rate):
    program = of_small_cores(network)
    work = BACKEND.tick_work(program.target)
    ticks, found = ticks_of(program, inputs(program, seed, rate))
    told, packets = predicted(program, ticks).sum(axis=0), found.counts.packets_in
    assert not found.overran.any()
    assert np.all(found.counts.busy_s <= told + packets * work.burst)
    assert np.all(found.counts.busy_s >= told - packets * 4 * work.halving - 1e-12)


@settings(max_examples=20, deadline=None)
@given(network=st.integers(0, 2), seed=st.integers(0, 10**6), rate=st.sampled_from([0.2, 0.9]))
def test_boxes_are_taken_to_need_what_slices_do_or_little_more(network, seed, rate):
    program = of_small_cores(network)
    ticks, _ = ticks_of(program, inputs(program, seed, rate))
    loads = TickLoads(program.network, program.target, BACKEND.tick_work(program.target), ticks)
    slices, grids = program.mapping.slices, {}
    for i, population in enumerate(program.network.populations):
        mine = slices.population == i
        grids[population.name] = tuple(len(np.unique(slices.low[mine, axis])) for axis in range(3))
    exact = predicted(program, ticks)
    for i, population in enumerate(program.network.populations):
        cuts = tuple(grids.get(source) for source in loads.sources(population.name))
        busy = loads.busy(population.name, grids[population.name], cuts)
        told = (sum(busy.rows.values()) + busy.updates).max()
        most = exact[:, slices.population == i].max()
        assert most <= told * (1 + 1e-6)
        assert told <= 1.25 * most


@pytest.mark.parametrize("name", [n for n in installed() if not n.startswith("spinnaker1")])
def test_no_tick_hurries_the_cores_of_other_chips(name):
    target = load_target(name)
    assert backend(target.family).tick_work(target) is None


def test_a_layer_is_cut_until_its_cores_are_done_within_the_tick():
    found = compiled_on(load_target("spinnaker1"), busy_network(), 1.0)
    program = found.program
    assert np.count_nonzero(program.mapping.slices.population == 0) > 1
    assert not any(note.startswith(LATE) for note in found.notes)
    _, ran = ticks_of(program, inputs(program, 0, 1.0))
    assert not ran.overran.any()
    assert not any(counts.any() for counts in ran.late.values())


def test_a_layer_that_is_in_time_is_not_cut():
    slices = compiled_on(load_target("spinnaker1"), busy_network(), 0.2).program.mapping.slices
    assert len(slices) == 2


def test_where_there_are_too_few_cores_a_note_says_what_is_late():
    found = load_target("spinnaker1_4chips")
    few = found.model_copy(update={"board": changed(found.board, cores_per_tile=1)})
    built = compiled_on(few, busy_network(hidden=250), 1.0)
    note, lost = [note for note in built.notes if note.startswith(LATE)]
    port = built.program.network.inputs[0]
    sent = {port.name: np.ones((4, STEPS, *port.shape), np.int32)}
    late = simulate(built.program, sent, timing=BACKEND.timing(built.program))
    assert note.startswith(f"late: {np.count_nonzero(late.overran)} of {late.frames} ticks of the "
                           "sample overrun on cores of hidden")
    assert lost.startswith(f"late: {late.late['lost_packets'].sum():,} packets of the sample are lost")
    assert told_of_late(built.program, BACKEND.timing(built.program), sent) == (note, lost)
    assert len(built.program.mapping.slices) <= 4


def test_a_layer_takes_no_more_cores_than_the_user_allows_it(tmp_path):
    file = tmp_path / "most.toml"
    file.write_text("[layers.hidden]\nmost_cores = 1\n", "utf-8")
    built = compiled_on(load_target("spinnaker1"), busy_network(), 1.0, Options(constraints=file))
    assert np.count_nonzero(built.program.mapping.slices.population == 0) == 1
    assert any(note.startswith(LATE) for note in built.notes)


def test_a_slower_tick_takes_fewer_cores():
    assert len(compiled_on(slower(1e-2), busy_network(), 1.0).program.mapping.slices) == 2


def slower(seconds):
    found = load_target("spinnaker1")
    return found.model_copy(update={"time_s": changed(found.time_s, tick=seconds)})


@pytest.mark.parametrize("tick", [1e-2, 1e-1])
def test_no_cores_are_spent_on_a_burst_that_no_buffer_holds(tick):
    built = compiled_on(slower(tick), busy_network(lines=300), 1.0)
    assert len(built.program.mapping.slices) == 2


@pytest.mark.parametrize("lines", [400, 600])
def test_packets_that_no_cut_holds_do_not_make_cores_late(lines):
    built = compiled_on(load_target("spinnaker1"), busy_network(lines=lines), 1.0)
    _, ran = ticks_of(built.program, inputs(built.program, 0, 1.0))
    assert not ran.overran.any()
    assert ran.late["lost_packets"].any()


def test_packets_that_are_lost_are_told_apart_from_cores_that_are_late():
    built = compiled_on(load_target("spinnaker1"), busy_network(lines=300), 1.0)
    note, = [note for note in built.notes if note.startswith(LATE)]
    assert "packets of the sample are lost in 32 ticks, on cores of hidden" in note
    assert "a core's buffer holds 255 packets of a burst" in note
    assert "overrun" not in note
    assert "longer tick" not in note


def test_a_note_says_how_many_samples_it_is_of(monkeypatch):
    program = compiled_on(slower(1e-2), busy_network(lines=300), 1.0).program
    monkeypatch.setattr("nmcompile.late.DELIVERIES", 3 * STEPS * 364)
    note, = told_of_late(program, BACKEND.timing(program), {"lines": np.ones((4, STEPS, 300))})
    assert "packets in the first 3 of 4 samples are lost" in note


def test_updates_that_take_no_time_are_cut_for_like_others():
    found = load_target("spinnaker1")
    free = found.model_copy(update={
        "time_s": changed(found.time_s, neuron_update=0.0, spike_out=0.0),
        "timer_loop": changed(found.timer_loop, timer=0.0)})
    program = compiled_on(free, busy_network(), 1.0).program
    _, ran = ticks_of(program, inputs(program, 0, 1.0))
    assert 2 < len(program.mapping.slices) <= 6
    assert not ran.overran.any()


def test_the_time_of_a_mean_tick_is_told_among_the_limits():
    built = compiled_on(load_target("spinnaker1"), busy_network(), 1.0)
    program, needs = built.program, built.demand
    told = predicted(program, {node.name: program.mapping.rates[None, first : first + node.size]
                               for node, first in zip(program.network.nodes, (0, 200, 264),
                                                      strict=True)})
    np.testing.assert_allclose(needs.tick_ns, told[0] * 1e9, atol=1)
    rows = {row["limit"]: row for row in mapping_figures(program, needs)["limits"]}
    assert (rows[TICK]["need"], rows[TICK]["have"]) == (needs.tick_ns.max(), 1_000_000)


@pytest.mark.slow
def test_the_digits_are_in_time_and_decided_as_where_nothing_is_late():
    program, _ = compiled("digits on spinnaker1")
    test = read_data(EXAMPLES / "digits_test.npz")
    sent = encoded(test.x[:20], 20)
    late = simulate(program, sent, timing=BACKEND.timing(program))
    assert np.count_nonzero(late.overran) == 0
    assert not any(counts.any() for counts in late.late.values())
    assert np.array_equal(decisions(late), decisions(simulate(program, sent)))
    assert (decisions(late) == test.y[:20]).mean() >= 0.95


def encoded(pictures, steps):
    """Pixels of pictures as spikes of that rate."""
    pixels = pictures.reshape(-1, 1, 1, 8, 8)
    spikes = np.random.default_rng(2).random((len(pixels), steps, 1, 8, 8)) < pixels
    return {"input": spikes.astype(np.int32)}


def test_layers_that_are_to_share_a_chip_are_not_cut_for_the_tick(tmp_path):
    file = tmp_path / "together.toml"
    file.write_text('together = [["hidden", "out"]]\n', "utf-8")
    built = compiled_on(load_target("spinnaker1"), busy_network(), 1.0, Options(constraints=file))
    assert len(built.program.mapping.slices) == 2
    assert any(note.startswith(LATE) for note in built.notes)
