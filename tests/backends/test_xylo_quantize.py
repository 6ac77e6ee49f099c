"""Parameters for Xylo: decays as bit shifts, and integers equal to those of Rockpool's quantisers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.xylo.dash import (
    dash_of_time_constant,
    kept,
    membrane_dash,
    synapse_dash,
)
from nmcompile_backends.xylo.quantize import Neurons, common_scale, scale_of_each, scaled
from rockpool.transform.quantize_methods import channel_quantize, global_quantize

SEEDS = st.integers(0, 2**32 - 1)


def random_network(seed, synapses):
    """Rockpool's arguments: hidden weights (source, target, synapse), outputs (source, target)."""
    rng = np.random.default_rng(seed)
    n_in, n, n_out = rng.integers(1, 17), rng.integers(1, 30), rng.integers(1, 9)
    size = 10.0 ** rng.integers(-3, 3)
    dashes = {name: rng.uniform(0, 15, k) for name, k in (
        ("dash_mem", n), ("dash_mem_out", n_out), ("dash_syn", n), ("dash_syn_2", n),
        ("dash_syn_out", n_out))}
    return dashes | {
        "weights_in": rng.normal(0, size, (n_in, n, synapses)),
        "weights_rec": rng.normal(0, size, (n, n, synapses)) * (rng.random((n, n, synapses)) < 0.5),
        "weights_out": rng.normal(0, size, (n, n_out)),
        "threshold": rng.uniform(0.5, 4, n) * size, "threshold_out": rng.uniform(0.5, 4, n_out) * size,
        "bias": rng.normal(0, size, n), "bias_out": np.zeros(n_out),
    }


def groups(network):
    """Hidden neurons and outputs of `random_network`."""
    synapses = range(network["weights_in"].shape[2])
    incoming = [network[name][:, :, k] for name in ("weights_in", "weights_rec") for k in synapses]
    hidden = Neurons(weights=tuple(incoming), threshold=network["threshold"], bias=network["bias"])
    out = Neurons(weights=(network["weights_out"],), threshold=network["threshold_out"],
                  bias=network["bias_out"])
    return hidden, out


def check_equal(theirs, hidden, out):
    for ours, group in zip(groups({k: np.asarray(v) for k, v in theirs.items()}), (hidden, out),
                           strict=True):
        for wanted, found in zip(ours.weights, group.weights, strict=True):
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(group.threshold, ours.threshold)
        np.testing.assert_array_equal(group.bias, ours.bias)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([1, 2]))
def test_one_scale_gives_the_integers_of_global_quantize(seed, synapses):
    network = random_network(seed, synapses)
    hidden, out = groups(network)
    check_equal(global_quantize(**network), scaled(hidden, common_scale(hidden)),
                scaled(out, common_scale(out)))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_a_scale_for_each_neuron_gives_the_integers_of_channel_quantize(seed):
    network = random_network(seed, 2)  # with one synapse Rockpool leaves the biases unscaled
    hidden, out = groups({k: v.copy() for k, v in network.items()})
    check_equal(channel_quantize(**network), scaled(hidden, scale_of_each(hidden)),
                scaled(out, scale_of_each(out)))


@pytest.mark.parametrize("each", [False, True])
def test_a_threshold_beyond_its_register_lowers_the_scale(each):
    group = Neurons(weights=(np.array([[1.0, 0.5]]),), threshold=np.array([1.0, 1000.0]),
                    bias=np.zeros(2))
    whole = scaled(group, scale_of_each(group) if each else common_scale(group))
    assert whole.threshold.tolist() == ([127, 32767] if each else [33, 32767])
    assert whole.weights[0].tolist() == ([[127, 16]] if each else [[33, 16]])


def test_a_neuron_without_weights_keeps_its_threshold():
    group = Neurons(weights=(np.zeros((3, 1)),), threshold=np.array([40.2]), bias=np.zeros(1))
    assert scaled(group, common_scale(group)).threshold.tolist() == [40]
    assert scaled(group, scale_of_each(group)).threshold.tolist() == [40]


@settings(max_examples=60, deadline=None)
@given(st.floats(1.01, 2**15), st.floats(1e-4, 1e-1))
def test_a_time_constant_gets_rockpools_dash(steps, dt):
    network = random_network(0, 1)
    network["dash_mem"] = np.log2(np.array([steps * dt]) / dt)  # xylo_graph_modules.py
    assert dash_of_time_constant(np.array([steps * dt]), dt) == global_quantize(**network)["dash_mem"]


def test_a_time_constant_within_a_step_has_no_dash():
    with pytest.raises(ValueError, match=r"of 0\.001 s within one step of 0\.001 s"):
        dash_of_time_constant(np.array([1e-3]), 1e-3)


def test_a_decay_gets_the_nearest_shift():
    decays = np.array([0.0, 0.2, 0.3, 0.5, 0.9, 0.95, 0.999, 1.0])
    assert membrane_dash(decays).tolist() == [0, 0, 1, 1, 3, 4, 10, 15]
    assert synapse_dash(decays).tolist() == [1, 1, 1, 1, 3, 4, 10, 15]
    assert kept(np.array([0, 1, 3])).tolist() == [0, 0.5, 0.875]
