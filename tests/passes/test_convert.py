"""Activations become neurons that count: what they lose is bounded, and never hidden."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import dense, scalar
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, run
from nmcompile.ir.neurons import LI, LIF, Activation
from nmcompile.passes.convert import BALANCES, Conversion, convert, convert_to_changes
from nmcompile.passes.convert.balance import of_quantile
from nmcompile.passes.convert.changes import TOLERANCES
from nmcompile.passes.convert.rate import rate_coded, unsigned

BOUNDED = {"low": scalar(-0.5), "high": scalar(0.8)}


def layers(rng, *neurons, n=6):
    """A network of layers of `n` neurons and a readout of 3, its weights from `rng`."""
    names = [f"layer{i}" for i in range(len(neurons))]
    sources = ["input", *names]
    populations = [
        Population(name=name, shape=(n,), neuron=neuron,
                   bias=rng.normal(0, 0.1, n).astype(np.float32))
        for name, neuron in zip(names, neurons, strict=True)]
    readout = Population(name="out", shape=(3,), neuron=LI(decay=np.zeros((), np.float32)))
    projections = [Projection(source=source, target=name, map=dense(rng, n, n))
                   for source, name in zip(sources, names, strict=False)]
    last = Projection(source=sources[-1], target="out", map=dense(rng, n, 3))
    return Network(
        inputs=(Input(name="input", shape=(n,)),), populations=(*populations, readout),
        projections=(*projections, last), outputs=(Output(name="out", population="out",
                                                          variable="v"),),
        steps=1, static=True)


def values(rng, samples=20, n=6):
    return {"input": rng.normal(size=(samples, 1, n)).astype(np.float32)}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([4, 16, 64]))
def test_a_first_layer_s_rate_is_its_activation_to_half_a_level(seed, steps):
    rng = np.random.default_rng(seed)
    network, inputs = layers(rng, Activation()), values(rng)
    activity = run(network, inputs)
    thresholds = of_quantile(network, activity, 1.0)
    spiking = rate_coded(network, thresholds, steps)
    spikes = run(spiking, {"input": np.repeat(inputs["input"], steps, axis=1)}).spikes("layer0")
    rate = spikes.mean(axis=1) * thresholds["layer0"]
    level = thresholds["layer0"] / steps
    assert np.abs(rate - activity.spikes("layer0")[:, 0]).max() <= level * (0.5 + 1e-3)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_halves_of_a_signed_activation_are_the_activation(seed):
    rng = np.random.default_rng(seed)
    step = {"step_size": scalar(0.1)}
    network = layers(rng, Activation(**BOUNDED), Activation(**BOUNDED, **step))
    inputs = values(rng)
    wanted = run(network, inputs)
    halves = unsigned(network)
    assert {p.name for p in halves.populations} == {
        "layer0", "layer0.below", "layer1", "layer1.below", "out"}
    found = run(halves, inputs)
    assert all(np.all(r["spikes"] >= 0) for r in found.records.values())
    np.testing.assert_allclose(found.records["out"]["v"], wanted.records["out"]["v"], atol=1e-5)


@pytest.mark.parametrize("balance", BALANCES)
def test_more_steps_come_closer(balance):
    rng = np.random.default_rng(1)
    network, inputs = layers(rng, Activation(), Activation(**BOUNDED), Activation()), values(rng)
    errors = [convert(network, inputs, Conversion(steps=steps, balance=balance)).trials[0].error
              for steps in (4, 32, 256)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < (0.2 if balance == "99" else 0.05)  # the 99th percentile clips


def test_the_best_of_all_ways_is_kept_and_all_are_told():
    rng = np.random.default_rng(2)
    found = convert(layers(rng, Activation(), Activation()), values(rng), Conversion(steps=16))
    assert {t.balance for t in found.trials} == set(BALANCES) - {"auto"}
    shares = [t.decisions_equal for t in found.trials]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == np.mean(found.before == found.after)
    assert found.network.steps == 16
    assert all(isinstance(p.neuron, LIF | LI) for p in found.network.populations)


def test_a_layer_that_never_sends_stays_silent():
    rng = np.random.default_rng(3)
    network, inputs = layers(rng, Activation(), Activation()), values(rng)
    first, second, out = network.populations
    low = replace(second, bias=scalar(-100))
    network = replace(network, populations=(first, low, out))
    found = convert(network, inputs, Conversion(steps=8, balance="max"))
    sent = run(found.network, {"input": np.repeat(inputs["input"], 8, axis=1)})
    assert not sent.spikes("layer1").any()


def test_a_half_that_cannot_send_is_left_out():
    network = layers(np.random.default_rng(5), Activation(low=scalar(-1), high=scalar(0)))
    halves = unsigned(network)
    assert [p.name for p in halves.populations] == ["layer0.below", "out"]
    inputs = values(np.random.default_rng(5))
    np.testing.assert_allclose(run(halves, inputs).records["out"]["v"],
                               run(network, inputs).records["out"]["v"], atol=1e-5)


def test_spiking_neurons_beside_activations_are_refused():
    neuron = LIF(decay=scalar(0.5), threshold=scalar(1))
    network = layers(np.random.default_rng(4), Activation(), neuron)
    with pytest.raises(NmcError, match="layer1: spiking neurons and activations are in one"):
        convert(network, values(np.random.default_rng(4)), Conversion())


def streamed(network, inputs):
    """The records of `network` with the samples as the steps of one."""
    return run(network, {name: values.swapaxes(0, 1) for name, values in inputs.items()}).records


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_changes_of_any_size_give_the_activations(seed):
    rng = np.random.default_rng(seed)
    network, inputs = layers(rng, Activation(), Activation()), values(rng)
    found = convert_to_changes(network, inputs, tolerance=0.0)
    records, wanted = streamed(found.network, inputs), run(network, inputs).records
    for name in ("layer0", "layer1", "out"):
        expected = wanted[name]["v" if name == "out" else "spikes"][:, 0]
        np.testing.assert_allclose(records[name]["v"][0], expected, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 0.5]))
def test_a_reader_is_never_further_off_than_the_threshold_of_what_it_reads(seed, tolerance):
    rng = np.random.default_rng(seed)
    network, inputs = layers(rng, Activation()), values(rng)
    changed = convert_to_changes(network, inputs, tolerance).network
    records = streamed(changed, inputs)
    for population in changed.populations[:-1]:
        known = np.cumsum(records[population.name]["spikes"][0], axis=0)
        off = np.abs(known - records[population.name]["v"][0])
        assert off.max() <= population.neuron.threshold * (1 + 1e-4)


def test_a_stream_of_similar_values_costs_few_messages():
    rng = np.random.default_rng(4)
    network = layers(rng, Activation(), Activation())
    slow = np.cumsum(rng.normal(size=(200, 1, 6)) * 0.02, axis=0).astype(np.float32)
    jumping = rng.permutation(slow)
    sent = [convert_to_changes(network, {"input": x}, 0.05).trial.sent for x in (slow, jumping)]
    assert sent[0] < 0.5 * sent[1]


def test_the_largest_tolerance_that_keeps_the_decisions_is_taken():
    rng = np.random.default_rng(4)
    network, inputs = layers(rng, Activation()), values(rng, samples=400)
    readout = replace(network.populations[-1], bias=np.array([0.03, 0, -0.03], np.float32))
    network = replace(network, populations=(*network.populations[:-1], readout))  # no ties at 0
    chosen = convert_to_changes(network, inputs).trial
    tried = [convert_to_changes(network, inputs, tolerance).trial for tolerance in TOLERANCES]
    kept = [trial.tolerance for trial in tried if trial.decisions_equal >= 0.995]
    assert 0 < chosen.tolerance < max(TOLERANCES)
    assert chosen.tolerance == max(kept)
    assert [t.sent for t in tried] == sorted(t.sent for t in tried)


def test_a_bounded_activation_is_no_sigma_delta_neuron():
    rng = np.random.default_rng(1)
    network = layers(rng, Activation(high=scalar(6.0)))
    with pytest.raises(NmcError) as error:
        convert_to_changes(network, values(rng))
    assert str(error.value) == (
        "layer0: a bounded or quantised activation is no sigma-delta neuron. Use ReLU without an "
        "upper bound, or convert to rates.")
