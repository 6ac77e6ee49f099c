"""Xylo's integer neuron: step and kernel agree, its edges, and spikes added one after the other."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.edges import assert_kernel_follows, at_edges
from helpers.random_xylo import network_of, program_of, random_specification
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.xylo.arithmetic import XyloNeuron, decay

from nmcompile.errors import NmcError
from nmcompile.ir import run, verify
from nmcompile.simulator import simulate


def whole(value):
    return np.array(value, np.int32)


def neuron(**fields):
    values = {"dash_syn": whole([0]), "dash_mem": whole(1), "threshold": whole(100),
              "bias": whole(0), "alias": whole(-1)}
    return XyloNeuron(**(values | fields))


def respond(model, currents):
    """Spikes and membranes of one neuron."""
    state, spikes, membranes = model.initial_state((1, 1)), [], []
    for current in currents:
        state, fired = model.step(state, np.array([[current]]))
        spikes.append(int(fired[0, 0]))
        membranes.append(int(state["v"][0, 0]))
    return spikes, membranes


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]), st.sampled_from([1, 31]),
       st.booleans(), st.sampled_from([128, 128 << 8, 40_000]))
@example(0, 2, 31, True, 128 << 8)
def test_the_kernel_is_the_readable_step(seed, currents, most, aliases, reach):
    rng = np.random.default_rng(seed)
    shape, n = (3, 2), 6
    bias = min(reach // 4, 32767) if seed % 4 else 32767
    model = XyloNeuron(
        dash_syn=at_edges(rng, 0, 15, (currents, *shape)), dash_mem=at_edges(rng, 0, 15, (3, 1)),
        threshold=rng.choice([1, 7, 300, 32767], shape),
        bias=at_edges(rng, -bias - 1, bias, (1, 2)),
        alias=rng.integers(-1, n, shape) if aliases else whole(-1), most=most, currents=currents)
    state = {name: at_edges(rng, -32768, 32767, (2, *shape)) for name in model.state_names}
    if currents == 1:
        state["u2"][:] = 0
    arriving = [at_edges(rng, -reach, reach, (2, currents, *shape)) for _ in range(12)]
    assert_kernel_follows(model, shape, state, arriving)


@pytest.mark.parametrize("seed", range(24))
def test_the_simulator_adds_spikes_in_the_references_order(seed):
    spec = random_specification(seed, steps=30)
    sent = np.stack([spec["input"], np.roll(spec["input"], 7, axis=0)]).astype(np.int32)
    wanted = run(verify(network_of(spec)), {"in": sent}).records
    found = simulate(program_of(spec), {"in": sent}, record=("spikes", "u", "u2", "v")).records
    for name, record in wanted.items():
        for variable, values in record.items():
            np.testing.assert_array_equal(found[name][variable], values)


def test_a_spike_that_saturates_is_not_taken_back_by_a_later_one():
    spec = random_specification(0, steps=2)
    spec |= {"chip": np.array("imu"), "weights_in": whole([[[127]], [[-127]]]),
             "weight_shift_in": whole(8), "weights_rec": whole([[[0]]]),
             "weights_out": whole([[0]]), "input": whole([[3, 1], [1, 3]])}
    for name in ("dash_mem", "dash_syn", "dash_syn_2", "bias", "bias_out", "dash_mem_out",
                 "dash_syn_out"):
        spec[name] = whole([0])
    spec |= {"threshold": whole([32767]), "threshold_out": whole([1]), "alias": whole([-1])}
    spec["dash_syn"] = whole([15])  # takes one unit of a positive current
    u = run(network_of(spec), {"in": spec["input"][None]}).records["hidden"]["u"][0, :, 0]
    first = 32767 - 127 * 256 - 1
    assert u.tolist() == [first, -32768 + 1]


def test_a_decay_takes_at_least_one_unit_toward_zero():
    assert decay(whole([5, 1, 0, -1, -5]), 2).tolist() == [1, 1, 0, -1, -2]
    assert decay(whole([5, -5]), 0).tolist() == [5, -5]


def test_a_neuron_fires_as_often_as_its_threshold_goes_into_its_membrane():
    assert respond(neuron(dash_syn=whole([1]), dash_mem=whole(15)), [700]) == ([3], [50])
    assert respond(neuron(dash_syn=whole([1]), dash_mem=whole(15), most=1), [700]) == ([1], [250])
    assert respond(neuron(dash_syn=whole([1]), threshold=whole(1)), [700]) == ([31], [319])


def test_the_lowest_membrane_without_memory_stays_there():
    model = neuron(dash_mem=whole(0))
    state = {"u": whole([[0]]), "u2": whole([[0]]), "v": whole([[-32768]])}
    assert model.step(state, whole([[0]]))[0]["v"].tolist() == [[-32768]]


def test_a_copy_forward_counts_among_a_neurons_spikes_and_a_copy_backward_does_not_hold_it_up():
    state = {"u": whole([[0, 0, 0]]), "u2": whole([[0, 0, 0]]), "v": whole([[0, 999, 999]])}
    forward = neuron(dash_mem=whole(15), threshold=whole(40), alias=whole([-1, 2, -1]))
    after, spikes = forward.step(state, whole([[0, 0, 0]]))
    assert spikes.tolist() == [[0, 24, 31]]
    assert after["v"].tolist() == [[0, 998 - 24 * 40, 998 - 7 * 40]]
    backward = replace(forward, alias=whole([-1, 0, 1]))
    after, spikes = backward.step(state, whole([[0, 0, 0]]))
    assert spikes.tolist() == [[24, 31, 24]]
    assert after["v"].tolist() == [[0, 998 - 24 * 40, 998 - 24 * 40]]


def test_early_steps_charge_the_membrane_with_the_bias_alone():
    model = neuron(dash_mem=whole(2), bias=whole(16), early=2)
    assert model.initial_state((1, 1))["v"].tolist() == [[16 - 4 + 16]]
    model.verify("n", (1,))


@pytest.mark.parametrize(("fields", "message"), [
    ({"dash_mem": whole(16)}, "n: dash_mem spans 16 to 16, Xylo holds 0 to 15."),
    ({"threshold": whole(0)}, "n: threshold spans 0 to 0, Xylo holds 1 to 32767."),
    ({"alias": whole(2)}, "n: alias spans 2 to 2, Xylo holds -1 to 1."),
    ({"most": 2}, "n: 1 synapses (1 or 2) or 2 spikes a step (31 or 1) are not Xylo's."),
    ({"bias": whole(100), "early": 1}, "n: its bias of 100 makes it fire within the 1 steps that it "
     "runs before the first input reaches it. Lower the bias."),
])
def test_a_value_beyond_its_register_is_refused(fields, message):
    with pytest.raises(NmcError) as error:
        neuron(**fields).verify("n", (2,))
    assert str(error.value) == message
