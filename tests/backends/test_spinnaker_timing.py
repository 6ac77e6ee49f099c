"""SpiNNaker's cores in time: timers that no one waits for, packets and rows that interrupt."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers.frames import frames_of
from helpers.networks import conv, dense, scalar
from helpers.plain_spinnaker_time import Plain
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.spinnaker.ring import slots_of

from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.neurons import LIF
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.report.figures import run_figures
from nmcompile.simulator import simulate
from nmcompile.simulator.packets import fast_timing
from nmcompile.target import load_target

BACKEND = backend("spinnaker")


def changed(table, **values):
    return table.model_copy(update={
        name: getattr(table, name).model_copy(update={"value": value})
        for name, value in values.items()})


@cache
def compiled():
    """A convolution, a recurrent and a dense layer on small cores of several chips."""
    rng, found = np.random.default_rng(0), load_target("spinnaker1")
    target = found.model_copy(update={"core": changed(found.core, neurons=3),
                                      "board": changed(found.board, cores_per_tile=4)})
    image = conv(rng, (1, 6, 6), 3, stride=(2, 2), padding=(1, 1), gain=2.0)
    lif = LIF(decay=scalar(0.9), threshold=scalar(1))
    network = verify(Network(
        inputs=(Input(name="image", shape=(1, 6, 6)),),
        populations=(Population(name="conv", shape=image.out_shape, neuron=lif),
                     Population(name="out", shape=(12,), neuron=lif)),
        projections=(Projection(source="image", target="conv", map=image),
                     Projection(source="conv", target="out", map=dense(rng, 27, 12, 3.0)),
                     Projection(source="out", target="out", map=dense(rng, 12, 12), delay=2)),
        outputs=(Output(name="out", population="out"),)))
    sample = {"image": (rng.random((2, 12, 1, 6, 6)) < 0.4).astype(np.float32)}
    traced = Traced(network=network, inputs=sample, expected=run(network, sample).records)
    return compile_stage(traced, target).program


@pytest.fixture
def program():
    return compiled()


def slower(program, seed):
    """The program on a machine whose every time is another, and where cores fall behind or not."""
    rng, target = np.random.default_rng(seed), program.target
    loop = changed(target.timer_loop, buffer=int(rng.integers(1, 12)),
                   ticks=int(rng.integers(1, 4)), colours=int(rng.choice([1, 2, 16])),
                   lookup=tuple(rng.integers(1, 2000, 2) * 1e-9),
                   **{name: int(rng.integers(1, 3000)) * 1e-9 for name in (
                       "timer", "receive", "start", "transfer", "row", "fetch", "link")})
    times = changed(target.time_s, tick=int(rng.choice([20_000, 60_000, 400_000])) * 1e-9,
                    **{name: int(rng.integers(1, 3000)) * 1e-9 for name in (
                        "neuron_update", "spike_out", "synaptic_event", "hop_chip")})
    return replace(program, target=target.model_copy(
        update={"timer_loop": loop, "time_s": times}))


def found_in(program, spikes, blocks=()):
    """The costs of (steps, samples, senders) spikes, handed on in blocks."""
    timing = BACKEND.timing(program)
    timing.begin(spikes.shape[1])
    return [timing.add(frames_of(part)) for part in np.split(spikes, blocks) if len(part)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.03, 0.2, 0.7]))
def test_cores_do_what_the_plain_model_does(seed, rate):
    rng, made = np.random.default_rng(seed), slower(compiled(), seed)
    spikes = (rng.random((6, 2, 75)) < rate).astype(int)
    parts = found_in(made, spikes, tuple(sorted(rng.integers(0, 7, 2).tolist())))
    overran = np.concatenate([part.overran for part in parts]).reshape(6, 2)
    models = [Plain(made) for _ in range(2)]
    for sample, plain in enumerate(models):
        steps = [np.flatnonzero(step[sample]).tolist() for step in spikes]
        assert plain.run(steps) == overran[:, sample].tolist()
    late = {name: sum(part.late[name] for part in parts) for name in parts[0].late}
    cores = list(zip(*[plain.cores for plain in models], strict=True))
    for name, wanted in {
        "late_updates": [sum(core.late_updates for core in both) for both in cores],
        "waiting_packets": [sum(core.waited for core in both) for both in cores],
        "late_rows": [sum(core.late_rows for core in both) for both in cores],
        "skipped_synapses": [sum(core.skipped for core in both) for both in cores],
        "lost_packets": [sum(core.lost for core in both) for both in cores],
        "skipped_ticks": [sum(core.missed for core in both) for both in cores],
    }.items():
        assert late[name].tolist() == wanted, name
    worked = [sum(core.worked for core in both) / 1e12 for both in cores]
    np.testing.assert_allclose(sum(part.busy_s for part in parts), worked, rtol=1e-9)


@pytest.mark.parametrize("late", [False, True])
def test_counts_are_those_of_the_tables_and_a_step_takes_a_tick(program, late):
    rng = np.random.default_rng(1)
    if late:
        program = slower(program, 4)
    inputs = {"image": (rng.random((3, 9, 1, 6, 6)) < 0.4).astype(np.int32)}
    found = simulate(program, inputs, timing=BACKEND.timing(program))
    assert found.overran.any() == late
    wanted = simulate(program, inputs, timing=fast_timing(program)).counts
    for name in ("spikes", "packets_out", "hops", "events", "packets_in"):
        np.testing.assert_array_equal(getattr(found.counts, name), getattr(wanted, name))
    assert found.counts.hops.sum() > 0
    assert np.all(found.step_s == program.target.time_s.tick.value)


def test_cores_with_time_to_spare_are_never_late(program):
    spikes = (np.random.default_rng(2).random((8, 1, 75)) < 0.3).astype(int)
    (found,) = found_in(program, spikes)
    assert not found.overran.any()
    assert not any(counts.any() for counts in found.late.values())
    assert found.busy_s.max() < 8 * 1e-3


def test_a_tick_too_short_for_the_updates_alone_makes_every_step_late(program):
    times, timer = program.target.time_s, program.target.timer_loop.timer.value
    short = replace(program, target=program.target.model_copy(update={
        "time_s": changed(times, tick=timer + 2.5 * times.neuron_update.value)}))
    (found,) = found_in(short, np.zeros((5, 1, 75), int))
    three = program.mapping.slices.sizes() == 3
    assert np.all(found.overran >= np.count_nonzero(three))
    assert np.all(found.late["late_updates"][three] == 5)


def test_a_tick_takes_no_more_packets_than_the_way_in_can(program):
    loop, times = program.target.timer_loop, program.target.time_s
    nothing = ("timer", "start", "transfer", "row", "fetch")
    loop = changed(loop, lookup=(0.0, 0.0), link=1e-4, receive=1e-8, **dict.fromkeys(nothing, 0.0))
    times = changed(times, neuron_update=0.0, spike_out=0.0, synaptic_event=0.0, hop_chip=1e-9)
    made = replace(program, target=program.target.model_copy(
        update={"timer_loop": loop, "time_s": times}))
    spikes = np.zeros((12, 1, 75), int)
    spikes[:2, :, :36] = 1  # all lines in two ticks, each of which has room for 10
    parts = found_in(made, spikes, tuple(range(1, 12)))
    heard = np.array([np.rint(part.busy_s / 1e-8) for part in parts])
    assert heard.sum() == sum(part.packets_in.sum() for part in parts) > 0
    assert heard.max() <= 10
    assert heard[7].sum() > 0
    assert not heard[8:].any()


def test_a_delay_as_long_as_the_ring_buffer_is_never_skipped(program):
    slow = replace(program, target=program.target.model_copy(update={
        "time_s": changed(program.target.time_s, synaptic_event=4e-4)}))
    spikes = np.zeros((12, 1, 75), int)
    spikes[0, 0, 63:] = 1  # the recurrent layer, whose delay of 2 is all of its ring
    (found,) = found_in(slow, spikes)
    assert slots_of(program)[-1] == 2
    assert found.late["late_rows"].sum() > 0
    assert found.late["skipped_synapses"].sum() == 0


def test_only_ticks_that_cores_still_update_are_kept(program):
    times, timer = program.target.time_s, program.target.timer_loop.timer.value
    short = replace(program, target=program.target.model_copy(update={
        "time_s": changed(times, tick=timer + 2.5 * times.neuron_update.value)}))
    timing, spikes = BACKEND.timing(short), np.zeros((1, 1, 75), int)
    timing.begin(1)
    spikes[0, 0, 36:] = 1
    held = []
    for _ in range(60):
        timing.add(frames_of(spikes))
        held.append(len(timing._samples[0].past[1]))
    assert max(held) <= (short.target.timer_loop.ticks.value + 2) * 39
    assert max(held) > 0


def test_rows_of_a_late_spike_lose_the_synapses_whose_time_is_over(program):
    slow = replace(program, target=program.target.model_copy(update={
        "time_s": changed(program.target.time_s, synaptic_event=4e-4)}))
    spikes = np.zeros((12, 1, 75), int)
    spikes[0, 0, 36:63] = 1  # all of the convolution, whose synapses have a delay of 1
    (found,) = found_in(slow, spikes)
    assert found.late["late_rows"].sum() > 0
    assert 0 < found.late["skipped_synapses"].sum() < found.events.sum()


def test_what_is_late_is_in_the_report(program):
    slow = replace(program, target=program.target.model_copy(update={
        "time_s": changed(program.target.time_s, synaptic_event=4e-4)}))
    inputs = {"image": np.ones((2, 9, 1, 6, 6), np.int32)}
    run_ = simulate(slow, inputs, timing=BACKEND.timing(slow))
    figures = run_figures({"layers": []}, slow, run_, None)
    assert 0 < figures["latency_s"]["overruns"] == np.count_nonzero(run_.overran) <= run_.frames
    assert figures["late"]["late_rows"] == run_.late["late_rows"].sum() > 0
    in_time = simulate(program, inputs, timing=BACKEND.timing(program))
    figures = run_figures({"layers": []}, program, in_time, None)
    assert figures["latency_s"]["overruns"] == 0
    assert not any(figures["late"].values())


def test_samples_that_go_on_are_timed_as_if_by_themselves(program):
    made, rows = slower(program, 8), np.array([1, 2])
    spikes = (np.random.default_rng(3).random((6, 3, 75)) < 0.2).astype(int)
    timing = BACKEND.timing(made)
    timing.begin(3)
    timing.add(frames_of(spikes[:2]))
    timing.keep(rows)
    rest = timing.add(frames_of(spikes[2:, rows]))
    _, alone = found_in(made, spikes[:, rows], (2,))
    assert rest.overran.tolist() == alone.overran.tolist()
    for name, counts in rest.late.items():
        np.testing.assert_array_equal(counts, alone.late[name])


def test_a_target_without_the_table_has_no_time_of_its_own(program):
    bare = replace(program, target=program.target.model_copy(update={"timer_loop": None}))
    assert BACKEND.timing(bare) is None
