"""A Speck handles events as they come: queues of operations, and no step."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from helpers.frames import frames_of
from helpers.networks import dense, every_step
from helpers.plain_speck_time import plain_ends
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.speck.neuron import SpeckNeuron
from nmcompile_backends.speck.timing import SpeckTiming

from nmcompile.ir import Input, Network, Output, Population, Projection, SynapseFormat
from nmcompile.ir.maps import from_matrix
from nmcompile.ir.maps.base import LinearMap
from nmcompile.ir.neurons import Reset
from nmcompile.mapping import Mapping, Program, Slices
from nmcompile.passes.route import route
from nmcompile.registry import backend
from nmcompile.simulator.packets import fast_timing
from nmcompile.target import load_target

TARGET = load_target("speck2f")
NEURON = SpeckNeuron(
    threshold=np.array(10, np.int32), v_min=np.array(-10, np.int32), reset=Reset.SUBTRACT,
    leak=np.array(0, np.int32), v_init=np.array(0, np.int32))


def program(links: dict[str, str], sizes: dict[str, int], cores: list[int],
            maps: dict[str, object] | None = None, dt: float | None = None) -> Program:
    """A tree of layers: target -> source, each dense unless `maps` has another."""
    rng = np.random.default_rng(0)
    projections = tuple(
        Projection(source=source, target=target, delay=1, format=SynapseFormat(bits=8),
                   map=(maps or {}).get(target) or dense(rng, sizes[source], sizes[target]))
        for target, source in links.items())
    network = Network(
        inputs=(Input(name="in", shape=(sizes["in"],)),),
        populations=tuple(Population(name=name, shape=(sizes[name],), neuron=NEURON)
                          for name in links),
        projections=projections, outputs=(Output(name="out", population=list(links)[-1]),), dt=dt)
    n = len(links)
    slices = Slices(
        population=np.arange(n, dtype=np.int32), low=np.zeros((n, 3), np.int32),
        high=np.array([(1, 1, sizes[name]) for name in links], np.int32),
        core=np.array(cores[:n], np.int32))
    return Program(
        network=network, target=TARGET, latency={name: 0 for name in sizes},
        mapping=Mapping(slices=slices, axons=route(network, slices), rates=every_step(network)))


def chain(length: int, cores: list[int] | None = None, **options: object) -> Program:
    """Layers of a neuron each behind one line."""
    names = ["in", *(f"layer{i}" for i in range(length))]
    return program(dict(zip(names[1:], names, strict=False)), dict.fromkeys(names, 1),
                   cores or list(range(length)), **options)


def connected(there: np.ndarray) -> LinearMap:
    """Weights of 1 where `there` (sources, targets) says so."""
    weights = scipy.sparse.csr_array(there.astype(np.int16))
    return from_matrix(weights, there.shape[:1], there.shape[1:])


def ends(program: Program, spikes: np.ndarray, blocks: tuple[int, ...] = ()) -> np.ndarray:
    """(samples, steps) the end of the last event after each step."""
    timing = backend("speck").timing(program)
    timing.begin(spikes.shape[1])
    parts = [timing.add(frames_of(part)).step_s.reshape(len(part), -1)
             for part in np.split(spikes, blocks) if len(part)]
    return np.cumsum(np.concatenate(parts), axis=0).T


@pytest.mark.parametrize(("layers", "microseconds"), [(1, 1.58), (9, 3.36)])
def test_an_event_takes_what_was_measured_through_one_and_nine_layers(layers, microseconds):
    one = np.eye(layers + 1, dtype=int)[:, None]  # a layer fires in each step
    assert ends(chain(layers), one)[0, -1] == pytest.approx(microseconds * 1e-6)


def test_a_core_takes_events_one_after_the_other_and_core_0_is_faster():
    wide = {"layer0": connected(np.ones((1, 50), bool))}
    sizes, event = {"in": 1, "layer0": 50}, np.zeros((3, 1, 51), int)
    event[:2, 0, 0] = 1
    for core, seconds in ((0, 1e-8), (4, 3.3e-8)):
        found = ends(program({"layer0": "in"}, sizes, [core], wide), event)[0]
        assert found[1:] - 1.3575e-6 == pytest.approx([50 * seconds, 100 * seconds])


def test_where_a_step_has_a_time_its_events_come_evenly_over_it():
    spikes = np.zeros((3, 1, 2), int)
    spikes[0, 0, 0], spikes[1, 0, 0] = 1, 1
    found = ends(chain(1, dt=1e-3), spikes)[0]
    assert found == pytest.approx([1.3575e-6, 1e-3 + 1.3575e-6, 1e-3 + 1.3675e-6])


def test_a_sample_without_events_takes_no_time():
    assert not ends(chain(2), np.zeros((4, 3, 3), int)).any()


TREE = {"a": "in", "b": "a", "c": "a", "d": "b"}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.1, 0.5, 1.0]),
       dt=st.sampled_from([None, 1e-6, 1e-5]))
def test_events_end_when_the_plain_model_says(seed, rate, dt):
    rng = np.random.default_rng(seed)
    sizes = {name: int(rng.integers(1, 6)) for name in ("in", *TREE)}
    maps = {name: connected(rng.random((sizes[source], sizes[name])) < 0.7)
            for name, source in TREE.items()}
    made = program(TREE, sizes, rng.permutation(9).tolist(), maps, dt)
    shape = (int(rng.integers(1, 8)), int(rng.integers(1, 4)), sum(sizes.values()))
    spikes = rng.integers(1, 4, shape) * (rng.random(shape) < rate)
    cut = np.cumsum([0, *sizes.values()])
    found = ends(made, spikes, tuple(sorted(rng.integers(0, shape[0], 2).tolist())))
    for sample in range(shape[1]):
        bins = [{name: step[sample, a:b].tolist()
                 for name, a, b in zip(sizes, cut[:-1], cut[1:], strict=True)} for step in spikes]
        np.testing.assert_allclose(found[sample], plain_ends(made, bins), rtol=1e-9, atol=1e-18)


def test_samples_that_go_on_are_timed_as_if_by_themselves():
    rng, made = np.random.default_rng(5), chain(3)
    spikes = (rng.random((8, 4, 4)) < 0.6).astype(int)
    timing, rows = SpeckTiming(made, TARGET.event_pipeline), np.array([0, 3])
    timing.begin(4)
    timing.add(frames_of(spikes[:5]))
    timing.keep(rows)
    rest = timing.add(frames_of(spikes[5:, rows])).step_s.reshape(3, 2)
    alone = ends(made, spikes[:, rows])
    np.testing.assert_allclose(np.cumsum(rest, axis=0).T, alone[:, 5:] - alone[:, 4:5], atol=1e-15)


def test_several_spikes_of_a_neuron_are_as_many_events():
    made, spikes = chain(2), np.zeros((2, 1, 3), int)
    spikes[0, 0, 0], spikes[1, 0, 1] = 3, 2
    timing = SpeckTiming(made, TARGET.event_pipeline)
    timing.begin(1)
    found = timing.add(frames_of(spikes))
    assert found.events.tolist() == [3, 2]
    assert found.spikes.tolist() == [2, 0, 3]
    assert found.busy_s == pytest.approx([3e-8, 2 * 3.3e-8])


def test_the_fast_model_counts_as_many_events_too():
    rng = np.random.default_rng(6)
    sizes = {name: 4 for name in ("in", *TREE)}
    maps = {name: connected(rng.random((4, 4)) < 0.7) for name in TREE}
    made = program(TREE, sizes, [3, 0, 7, 5], maps)
    frames = frames_of(rng.integers(0, 4, (5, 2, 20)))
    models = [backend("speck").timing(made), fast_timing(made)]
    for model in models:
        model.begin(2)
    own, fast = (model.add(frames) for model in models)
    assert own.events.sum() > len(frames.sender)
    for name in ("spikes", "packets_out", "hops", "events", "packets_in"):
        np.testing.assert_array_equal(getattr(own, name), getattr(fast, name), name)


def test_a_target_without_the_table_has_no_time_of_its_own():
    bare = replace(chain(1), target=TARGET.model_copy(update={"event_pipeline": None}))
    assert backend("speck").timing(bare) is None
