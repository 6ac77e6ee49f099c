"""The engine runs populations in blocks of steps, on threads, and nothing of that shows."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from nmcompile.ir import Input, Network, Output, Population, Projection, SpikeFormat, run_aligned
from nmcompile.ir.formats import SynapseFormat
from nmcompile.ir.maps import Dense
from nmcompile.mapper import map_network
from nmcompile.registry import backend
from nmcompile.simulator import engine, simulate
from nmcompile.simulator.order import Group, groups_of
from nmcompile.target import load_target

ZERO = np.zeros((), np.int32)


def network(links, sizes, rng):
    """Populations of Loihi neurons by the names of `sizes`, and (source, target, delay) links."""
    neuron = LoihiNeuron(du=ZERO + 2000, dv=ZERO + 300, threshold=ZERO + 60, bias_mantissa=ZERO + 9)
    shape = {"in": (6,), **{name: (n,) for name, n in sizes.items()}}
    return Network(
        inputs=(Input(name="in", shape=(6,), format=SpikeFormat(payload_bits=0)),),
        populations=tuple(Population(name=name, shape=(n,), neuron=neuron, bias=ZERO)
                          for name, n in sizes.items()),
        projections=tuple(Projection(
            source=source, target=target, delay=delay, format=SynapseFormat(
                bits=8, exponent=int(rng.choice([0, 0, 1, -1]))),
            map=Dense(weight=rng.integers(-100, 101, (shape[target][0], shape[source][0]), np.int8),
                      in_shape=shape[source], out_shape=shape[target]))
            for source, target, delay in links),
        outputs=(Output(name="out", population=list(sizes)[-1]),))


LOOPS = (("in", "a", 1), ("a", "b", 2), ("b", "c", 1), ("c", "b", 3), ("c", "c", 2), ("a", "d", 1),
         ("in", "d", 4), ("d", "e", 1), ("c", "e", 1))
SIZES = {"e": 4, "d": 5, "c": 7, "b": 3, "a": 8}  # the network's order is not that of its links


def test_loops_run_together_as_many_steps_as_their_shortest_delay_and_all_else_in_order():
    groups = groups_of(network(LOOPS, SIZES, np.random.default_rng(0)))
    assert set(groups) == {
        Group(populations=("a",), steps=None), Group(populations=("c", "b"), steps=1),
        Group(populations=("d",), steps=None), Group(populations=("e",), steps=None)}
    place = {name: i for i, group in enumerate(groups) for name in group.populations}
    assert place["a"] < place["b"] == place["c"] < place["e"]
    assert place["a"] < place["d"] < place["e"]


def test_a_loop_of_long_delays_runs_several_steps_at_a_time():
    links = (("in", "a", 1), ("a", "b", 5), ("b", "a", 3))
    found = groups_of(network(links, {"a": 3, "b": 2}, np.random.default_rng(0)))
    assert found == (Group(populations=("a", "b"), steps=3),)


def plain_groups(net):
    """The rule in plain sets: again and again the first group that hears of no waiting one."""
    names = [p.name for p in net.populations]
    hears = {n: {p.source for p in net.incoming(n)} & set(names) for n in names}
    for _ in names:
        hears = {n: set().union(of, *(hears[m] for m in of)) for n, of in hears.items()}
    waiting, found = list(dict.fromkeys(
        tuple(m for m in names if m == n or {(m in hears[n]), (n in hears[m])} == {True})
        for n in names)), []
    while waiting:
        group = next(g for g in waiting if not any(
            hears[n] & set(other) for n in g for other in waiting if other != g))
        waiting.remove(group)
        delays = [p.delay for p in net.projections if p.source in group and p.target in group]
        found.append(Group(populations=group, steps=min(delays, default=None)))
    return tuple(found)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 9), links=st.data())
def test_groups_of_any_network_stand_as_the_plain_rule_says(n, links):
    names = [f"p{i}" for i in range(n)]
    drawn = links.draw(st.lists(st.tuples(
        st.sampled_from(["in", *names]), st.sampled_from(names), st.integers(1, 5)), max_size=14))
    net = network(drawn, dict.fromkeys(names, 2), np.random.default_rng(0))
    assert groups_of(net) == plain_groups(net)


@pytest.fixture(scope="module")
def program():
    made = network(LOOPS, SIZES, np.random.default_rng(1))
    target = load_target("loihi2")
    rates = np.full(6 + sum(SIZES.values()), 0.1, np.float32)
    return map_network(made, target, backend("loihi"), rates)[0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), samples=st.integers(1, 7), steps=st.integers(1, 12),
       lane=st.integers(1, 4), block=st.integers(1, 6), at_once=st.integers(1, 3000),
       threads=st.integers(1, 3), worth=st.sampled_from([0, 1 << 18]),
       width=st.sampled_from([np.int8, np.int16, np.int32]))
def test_spikes_and_states_do_not_depend_on_lanes_blocks_threads_and_how_inputs_are_kept(
        program, seed, samples, steps, lane, block, at_once, threads, worth, width):
    rng = np.random.default_rng(seed)
    sent = {"in": (rng.random((samples, steps, 6)) < 0.4).astype(np.int32)}
    wanted = run_aligned(program.network, program.latency, sent).records
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "LANE", lane)
        patch.setattr(engine, "BLOCK", block)
        patch.setattr(engine, "AT_ONCE", at_once)
        patch.setattr(engine, "WORTH", worth)
        patch.setattr(engine, "threads", lambda: threads)
        states = simulate(program, sent, record=("spikes", "v", "u"))
        plain = simulate(program, {"in": sent["in"].astype(width)}, record=("spikes",))
    for name, record in wanted.items():
        for variable, values in record.items():
            np.testing.assert_array_equal(states.records[name][variable], values)
        np.testing.assert_array_equal(plain.records[name]["spikes"], record["spikes"])
    np.testing.assert_array_equal(
        plain.scores["out"], wanted["a"]["spikes"].sum(axis=1))
    np.testing.assert_array_equal(states.step_s, plain.step_s)


def test_counts_and_times_do_not_depend_on_threads_to_the_last_bit(program, monkeypatch):
    rng = np.random.default_rng(5)
    sent = {"in": (rng.random((40, 150, 6)) < 0.4).astype(np.int32)}
    runs = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(engine, "threads", lambda threads=threads: threads)
        runs.append(simulate(program, sent))
    for run in runs[1:]:
        np.testing.assert_array_equal(run.step_s, runs[0].step_s)
        for field in fields(run.counts):
            np.testing.assert_array_equal(
                getattr(run.counts, field.name), getattr(runs[0].counts, field.name))
