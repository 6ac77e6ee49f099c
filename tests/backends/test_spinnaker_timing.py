"""SpiNNaker's cores in time: timers that no one waits for, packets and rows that interrupt."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers.networks import conv, dense, scalar
from helpers.plain_spinnaker_time import Plain
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.neurons import LIF, CubaLIF, ResetAt
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.report.figures import run_figures
from nmcompile.simulator import Exit, Modes, Perturbation, each_step, simulate
from nmcompile.simulator.packets import fast_timing
from nmcompile.simulator.stepwise import Stepwise
from nmcompile.target import load_target

BACKEND = backend("spinnaker")


def changed(table, **values):
    return table.model_copy(update={
        name: getattr(table, name).model_copy(update={"value": value})
        for name, value in values.items()})


@cache
def compiled(currents=False):
    """A convolution, a recurrent and a dense layer on small cores of several chips.

    With `currents` behind synaptic currents that decay, biases, and inputs that are lost at spikes.
    """
    rng, found = np.random.default_rng(0), load_target("spinnaker1")
    target = found.model_copy(update={"core": changed(found.core, neurons=3),
                                      "board": changed(found.board, cores_per_tile=4)})
    image = conv(rng, (1, 6, 6), 3, stride=(2, 2), padding=(1, 1), gain=2.0)
    lif = CubaLIF(decay=scalar(0.9), threshold=scalar(1), current_decay=scalar(0.6),
                  reset_at=ResetAt.INPUT) if currents else LIF(
                      decay=scalar(0.9), threshold=scalar(1))
    bias = np.full((12,), 0.1 if currents else 0.0, np.float32)
    network = verify(Network(
        inputs=(Input(name="image", shape=(1, 6, 6)),),
        populations=(Population(name="conv", shape=image.out_shape, neuron=lif),
                     Population(name="out", shape=(12,), neuron=lif, bias=bias)),
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
                       "timer", "receive", "start", "transfer", "row", "skipped", "fetch", "link")})
    times = changed(target.time_s, tick=int(rng.choice([20_000, 60_000, 400_000])) * 1e-9,
                    **{name: int(rng.integers(1, 3000)) * 1e-9 for name in (
                        "neuron_update", "spike_out", "synaptic_event", "hop_chip")})
    return replace(program, target=target.model_copy(
        update={"timer_loop": loop, "time_s": times}))


class Told:
    """Takes all that is told of a run, as its log and as what is handed on."""

    def __init__(self, timing):
        self._timing, self.states, self.sent, self.costs = timing, {}, [], []

    def watches(self, population):
        return True

    def add(self, population, step, sample, spikes, state):
        self.states[population, step] = {name: values.copy() for name, values in state.items()}

    def hand_on(self, frames):
        for frame in range(len(frames)):
            self.sent.append(frames.sender[frames.start[frame] : frames.start[frame + 1]].tolist())
        self.costs.append(self._timing.add(frames))
        return True


def told_of(program, inputs, *, block=64):
    """A run of {name: (samples, steps, *shape)} inputs, without steps behind these."""
    samples, steps = inputs["image"].shape[:2]
    timing = BACKEND.timing(program)
    timing.begin(samples)
    told = Told(timing)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("nmcompile_backends.spinnaker.timing.BLOCK", block)
        timing.run(inputs, steps, told, told.hand_on)
    return told


def image(rng, samples, steps, rate):
    return {"image": (rng.random((samples, steps, 1, 6, 6)) < rate).astype(np.int32)}


def in_all(costs):
    return {name: sum(part.late[name] for part in costs) for name in costs[0].late}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.1, 0.4, 0.9]),
       block=st.sampled_from([1, 3, 64]), currents=st.booleans())
def test_cores_do_what_the_plain_model_does(seed, rate, block, currents):
    rng, made, steps = np.random.default_rng(seed), slower(compiled(currents), seed), 8
    inputs = image(rng, 2, steps, rate)
    told = told_of(made, inputs, block=block)
    overran = np.concatenate([part.overran for part in told.costs]).reshape(steps, 2)
    models = [Plain(made) for _ in range(2)]
    for sample, plain in enumerate(models):
        lines = [np.flatnonzero(step).tolist() for step in inputs["image"][sample]]
        assert plain.run(lines) == overran[:, sample].tolist()
        assert [sorted(step) for step in plain.spikes] == told.sent[sample::2]
        require_states(plain, told, sample)
    late, cores = in_all(told.costs), list(zip(*[plain.cores for plain in models], strict=True))
    for name, wanted in {
        "late_updates": [sum(core.late_updates for core in both) for both in cores],
        "waiting_packets": [sum(core.waited for core in both) for both in cores],
        "late_rows": [sum(core.late_rows for core in both) for both in cores],
        "skipped_synapses": [sum(core.skipped for core in both) for both in cores],
        "lost_packets": [sum(core.lost for core in both) for both in cores],
        "skipped_ticks": [sum(core.missed for core in both) for both in cores],
    }.items():
        assert late[name].tolist() == wanted, name
    added = [sum(core.added for core in both) for both in cores]
    assert sum(part.events for part in told.costs).tolist() == added
    worked = [sum(core.worked for core in both) / 1e12 for both in cores]
    np.testing.assert_allclose(sum(part.busy_s for part in told.costs), worked, rtol=1e-9)


def require_states(plain, told, sample):
    """The states behind all updates that were made are those of the plain model."""
    first = 36
    for population in plain.program.network.populations:
        for step, states in enumerate(plain.states):
            for neuron in range(population.size):
                if first + neuron in states:
                    found = told.states[population.name, step]
                    assert {k: int(v[sample, neuron]) for k, v in found.items()} == {
                        k: int(v[0]) for k, v in states[first + neuron].items()}
        first += population.size


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.1, 0.4, 0.9]),
       perturb=st.sampled_from([None, Perturbation(drop=0.2, add=0.1, stuck_cores=2, seed=3)]),
       currents=st.booleans())
def test_where_nothing_is_late_all_is_as_the_engine_has_it(seed, rate, perturb, currents):
    program, rng = compiled(currents), np.random.default_rng(seed)
    inputs, modes = image(rng, 3, 9, rate), Modes(perturb=perturb)
    found = simulate(program, inputs, timing=BACKEND.timing(program), record=("*",), modes=modes)
    wanted = simulate(program, inputs, timing=fast_timing(program), record=("*",), modes=modes)
    assert not found.overran.any()
    assert not any(counts.any() for counts in found.late.values())
    require_same(found, wanted)


def require_same(found, wanted):
    np.testing.assert_array_equal(found.scores["out"], wanted.scores["out"])
    for population, variables in wanted.records.items():
        for name, values in variables.items():
            np.testing.assert_array_equal(found.records[population][name], values)
    for name in ("spikes", "packets_out", "hops", "events", "packets_in"):
        np.testing.assert_array_equal(getattr(found.counts, name), getattr(wanted.counts, name))


def test_a_step_takes_a_tick_and_packets_are_those_of_the_spikes(program):
    made = slower(program, 0)
    found = simulate(made, image(np.random.default_rng(1), 3, 9, 0.4), record=("*:spikes",),
                     timing=BACKEND.timing(made))
    assert found.overran.any()
    assert np.all(found.step_s == made.target.time_s.tick.value)
    spikes = sum(int(kept["spikes"].sum()) for kept in found.records.values())
    assert found.counts.spikes[:-1].sum() >= spikes  # those ahead of the records' first step too
    assert found.counts.hops.sum() > 0


def test_cores_with_time_to_spare_are_never_late(program):
    (found,) = told_of(program, image(np.random.default_rng(2), 1, 8, 0.3)).costs
    assert not found.overran.any()
    assert not any(counts.any() for counts in found.late.values())
    assert found.busy_s.max() < 8 * 1e-3


def test_a_tick_too_short_for_the_updates_alone_makes_every_step_late(program):
    times, timer = program.target.time_s, program.target.timer_loop.timer.value
    short = replace(program, target=program.target.model_copy(update={
        "time_s": changed(times, tick=timer + 2.5 * times.neuron_update.value)}))
    costs = told_of(short, image(np.random.default_rng(0), 1, 5, 0)).costs
    overran, late = np.concatenate([part.overran for part in costs]), in_all(costs)
    three = program.mapping.slices.sizes() == 3
    assert np.all(overran >= np.count_nonzero(three))
    assert np.all(late["late_updates"][three] == 5)


def test_a_tick_takes_no_more_packets_than_the_way_in_can(program):
    loop, times = program.target.timer_loop, program.target.time_s
    nothing = ("timer", "start", "transfer", "row", "skipped", "fetch")
    loop = changed(loop, lookup=(0.0, 0.0), link=1e-4, receive=1e-8, **dict.fromkeys(nothing, 0.0))
    times = changed(times, neuron_update=0.0, spike_out=0.0, synaptic_event=0.0, hop_chip=1e-9)
    made = replace(program, target=program.target.model_copy(
        update={"timer_loop": loop, "time_s": times}))
    inputs = image(np.random.default_rng(0), 1, 12, 0)
    inputs["image"][:, :2] = 1  # all lines in two ticks, each of which has room for 10
    told = told_of(made, inputs, block=1)
    heard = np.array([np.rint(part.busy_s / 1e-8) for part in told.costs])
    assert heard.max() <= 10
    assert heard[:8].sum(axis=1).all()


def test_a_run_is_handed_on_also_while_a_core_gets_to_no_update(program):
    times, timer = program.target.time_s, program.target.timer_loop.timer.value
    stuck = replace(program, target=program.target.model_copy(update={
        "time_s": changed(times, tick=timer + 0.1 * times.neuron_update.value)}))
    told = told_of(stuck, image(np.random.default_rng(0), 2, 7, 0), block=1)
    assert [len(part.step_s) for part in told.costs] == [0] * 6 + [2 * 7]
    assert in_all(told.costs)["late_updates"].sum() == 2 * 7 * len(program.mapping.slices)


def test_what_is_late_is_in_the_report(program):
    slow = replace(program, target=program.target.model_copy(update={
        "time_s": changed(program.target.time_s, synaptic_event=4e-4)}))
    inputs = {"image": np.ones((2, 9, 1, 6, 6), np.int32)}
    run_ = simulate(slow, inputs, timing=BACKEND.timing(slow), record=("*:spikes",))
    figures = run_figures({"layers": []}, slow, run_, None)
    assert 0 < figures["latency_s"]["overruns"] == np.count_nonzero(run_.overran) <= run_.frames
    assert figures["late"]["late_rows"] == run_.late["late_rows"].sum() > 0
    in_time = simulate(program, inputs, timing=BACKEND.timing(program))
    figures = run_figures({"layers": []}, program, in_time, None)
    assert figures["latency_s"]["overruns"] == 0
    assert not any(figures["late"].values())


@pytest.mark.parametrize("seed", [0, 4, 8])
def test_samples_that_stop_change_nothing_of_the_others(seed):
    made = slower(compiled(), seed)
    inputs = image(np.random.default_rng(seed), 4, 12, 0.6)
    timing = BACKEND.timing(made)
    whole = simulate(made, inputs, timing=timing, record=("*",))
    stops = simulate(made, inputs, timing=timing, record=("*",),
                     modes=Modes(exit_at=Exit(confidence=0.3)))
    assert len(set(stops.ran.tolist())) > 1
    for sample, steps in enumerate(stops.exits.steps.tolist()):
        for population, variables in whole.records.items():
            for name, values in variables.items():
                np.testing.assert_array_equal(
                    stops.records[population][name][sample, :steps], values[sample, :steps])
        ran = stops.ran[sample]
        np.testing.assert_array_equal(stops.overran[sample, :ran], whole.overran[sample, :ran])


def test_steps_by_themselves_take_what_they_take_together(program):
    made, steps = slower(program, 4), []
    inputs = image(np.random.default_rng(5), 1, 12, 0.5)
    whole = simulate(made, inputs, timing=BACKEND.timing(made))
    each_step(made, inputs, lambda cost: steps.append(cost) or True, timing=BACKEND.timing(made))
    assert len(steps) == whole.frames
    for name, counts in whole.late.items():
        np.testing.assert_array_equal(sum(step.late[name] for step in steps), counts)


def test_a_target_without_the_table_has_no_time_of_its_own(program):
    bare = replace(program, target=program.target.model_copy(update={"timer_loop": None}))
    assert BACKEND.timing(bare) is None


def stepped(program, inputs):
    """What the output answers in each step, (steps, n), where inputs are given one by one."""
    stepwise = Stepwise(program, BACKEND.timing(program))
    given = []
    for _ in range(2):  # the second sample begins reset
        stepwise.begin()
        given.append([stepwise.step({"image": image})["out"] for image in inputs["image"][0]])
    np.testing.assert_array_equal(*given)
    return np.stack(given[0])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.2, 0.9]))
def test_a_sample_that_is_run_step_by_step_answers_as_a_whole_one(seed, rate):
    program, inputs = compiled(), image(np.random.default_rng(seed), 1, 12, rate)
    found = stepped(program, inputs)
    wanted = simulate(program, inputs, record=("spikes",)).records["out"]["spikes"][0]
    lag = program.latency["out"]
    assert wanted.any()
    np.testing.assert_array_equal(found[lag:], wanted[: len(found) - lag])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_step_by_step_late_updates_count_once_in_their_order(seed):
    program, inputs = slower(compiled(), seed), image(np.random.default_rng(seed), 1, 12, 0.9)
    so_far = stepped(program, inputs).cumsum(axis=0)
    first = sum(node.size for node in program.network.nodes) - 12
    spikes = np.zeros((12, 12), np.int64)
    for tick, sent in enumerate(told_of(program, inputs).sent):
        spikes[tick, [sender - first for sender in sent if sender >= first]] = 1
    ticks = np.concatenate([np.zeros((1, 12), np.int64), spikes.cumsum(axis=0)])
    place = 0
    for now in so_far:
        while not np.array_equal(ticks[place], now):
            place += 1  # beyond the last tick: an IndexError, what was answered is in no order
    assert place <= len(so_far)
