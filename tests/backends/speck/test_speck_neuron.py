"""Speck's neuron in time steps, and where it agrees with the chip's events."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.edges import assert_kernel_follows, at_edges
from helpers.random_speck import events, graph, in_steps, step_counts
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.speck.arithmetic import run
from nmcompile_backends.speck.cores import SpeckNetwork
from nmcompile_backends.speck.neuron import SpeckNeuron

from nmcompile.errors import NmcError
from nmcompile.ir import run as run_steps
from nmcompile.ir.neurons import Reset


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([Reset.SUBTRACT, Reset.ZERO]),
       st.sampled_from([3, 400, 32767]), st.sampled_from([128, 100_000, 2**31 - 1]))
@example(0, Reset.SUBTRACT, 32767, 128)
def test_the_kernel_is_the_readable_step(seed, reset, threshold, reach):
    rng = np.random.default_rng(seed)
    model = SpeckNeuron(
        threshold=at_edges(rng, 1, threshold), reset=reset,
        leak=at_edges(rng, -(2**15), 2**15 - 1, (3, 1)), v_min=at_edges(rng, -(2**15), -1))
    state = {"v": at_edges(rng, -(2**15), 2**15 - 1, (2, 3, 2))}
    currents = [at_edges(rng, -reach, reach, (2, 3, 2)) for _ in range(20)]
    assert_kernel_follows(model, (3, 2), state, currents)


def agreeing(network, inputs, steps):
    """Spike counts of the chip and of the engine, as (steps, neurons) for each core."""
    net, sent = in_steps(network, inputs, steps)
    wanted = run_steps(net, sent)
    found = run(network, inputs)
    for index, core in enumerate(network.cores):
        counts = step_counts(found, index, core, steps)
        yield counts, wanted.spikes(f"core {index}")[0], found, wanted


@pytest.mark.parametrize("seed", range(20))
def test_one_event_a_step_into_one_core_gives_the_same_spikes_and_states(seed):
    rng = np.random.default_rng(seed)
    network = graph(rng, merging=False)
    first = replace(network.cores[0], destinations=())
    largest = max(int(first.weight.max()), 1)
    first = replace(first, threshold_high=max(first.threshold_high, largest))
    network = SpeckNetwork(cores=(first,), inputs=network.inputs)
    inputs = events(rng, network, 200)
    for counts, wanted, found, trace in agreeing(network, inputs, np.arange(200)):
        np.testing.assert_array_equal(counts, wanted)
        np.testing.assert_array_equal(found.states[0], trace.records["core 0"]["v"][0, -1])


@pytest.mark.parametrize("seed", range(20))
def test_weights_that_are_not_negative_and_a_subtraction_give_the_same_in_any_steps(seed):
    rng = np.random.default_rng(seed)
    network = graph(rng, merging=bool(seed % 2), return_to_zero=False)
    kernels = [np.abs(core.weight.astype(int)).clip(1, 127) for core in network.cores]
    network = replace(network, cores=tuple(
        replace(core, weight=kernel.astype(np.int8),
                threshold_high=int(kernel.max() * rng.uniform(1, 3)))
        for core, kernel in zip(network.cores, kernels, strict=True)))
    inputs = events(rng, network, 200)
    steps = np.sort(rng.integers(0, 8, 200))
    fired = 0
    for counts, wanted, _, _ in agreeing(network, inputs, steps):
        np.testing.assert_array_equal(counts, wanted)
        fired += counts.sum()
    assert fired > 0


def test_elsewhere_steps_are_an_approximation():
    spikes, differing = 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        network = graph(rng, merging=False)
        inputs = events(rng, network, 200)
        for counts, wanted, _, _ in agreeing(network, inputs, np.sort(rng.integers(0, 20, 200))):
            spikes += counts.sum()
            differing += np.abs(counts - wanted).sum()
    assert 0.1 < differing / spikes < 0.9


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threshold": np.array(0)}, "n: threshold spans 0 to 0 (int64), Speck holds integers of 1 "
         "to 32767."),
        ({"v_min": np.array(0)}, "n: v_min is 0, Speck holds values below the threshold, 5, other "
         "than 0."),
        ({"reset": Reset.NONE}, "n: reset 'none' does not exist on Speck, which has zero, "
         "subtract."),
    ],
)
def test_a_parameter_that_speck_does_not_hold_is_refused(fields, message):
    with pytest.raises(NmcError) as error:
        SpeckNeuron(**({"threshold": np.array(5)} | fields)).verify("n", (4,))
    assert str(error.value) == message
