"""Akida's activation: readable step and kernel agree, and its registers end where they end."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.edges import assert_kernel_follows, at_edges, near
from helpers.random_akida import as_network, random_layers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.akida.akida_script import write_akida
from nmcompile_backends.akida.arithmetic import (
    HALF,
    INPUT_HALF,
    INPUT_STEP_LIMIT,
    STEP_LIMIT,
    AkidaNeuron,
)
from nmcompile_backends.akida.layer import Kind, Pooling, paddings, windows

from nmcompile.errors import NmcError
from nmcompile.ir import run


def whole(value):
    return np.array(value, np.int32)


def neuron(**fields):
    return AkidaNeuron(**({"threshold": whole(3), "act_step": whole(32), "act_bits": 4} | fields))


def respond(model, sums):
    state = model.initial_state((len(sums), 1))
    return model.step(state, np.array(sums)[:, None])[1][:, 0].tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 4]), st.sampled_from([1, 4, 9]),
       st.booleans(), st.booleans(), st.booleans(), st.sampled_from([100, HALF, 2**27]))
@example(0, 4, 9, True, True, False, HALF)
@example(1, 1, 1, False, True, True, 2**27)
def test_the_kernel_is_the_readable_step(seed, bits, pool, adds, activation, at_input, reach):
    rng, shape = np.random.default_rng(seed), (3, 2, 2)
    half, steps = (INPUT_HALF, INPUT_STEP_LIMIT) if at_input else (HALF, STEP_LIMIT)
    model = neuron(
        threshold=at_edges(rng, max(-reach, -half), min(reach, half - 1), (3, 1, 1)),
        act_step=rng.choice([*near(1, steps), *rng.integers(1, 2000, 7)], shape),
        act_bits=bits, pool=pool, adds=adds, activation=activation, at_input=at_input)
    axis = (pool,) if pool > 1 else ()
    currents = [at_edges(rng, -reach, reach, (2, *axis, *shape)) for _ in range(2)]
    assert_kernel_follows(model, shape, model.initial_state((2, *shape)), currents)


def test_a_sum_at_the_threshold_sends_nothing_and_a_part_of_a_step_counts_as_one():
    assert respond(neuron(), [-50, 3, 4, 5, 6, 33, 34, 10_000]) == [0, 0, 1, 1, 2, 15, 15, 15]


def test_fewer_bits_are_wider_levels_of_the_same_step():
    assert respond(neuron(act_bits=2), [3, 4, 11, 12, 19, 20]) == [0, 1, 1, 2, 2, 3]
    assert respond(neuron(act_bits=1), [3, 4, 500]) == [0, 1, 1]


def test_without_activation_the_sum_is_sent_and_the_threshold_not_subtracted():
    assert respond(neuron(activation=False), [-7, 3, 40]) == [-7, 3, 40]


def test_added_places_stop_at_20_bits_in_their_order():
    model = neuron(pool=3, adds=True, activation=False)
    first, last = np.array([[[HALF], [HALF], [-5]]]), np.array([[[HALF], [-5], [HALF]]])
    state = model.initial_state((1, 1))
    assert model.step(state, first)[1].item() == HALF - 6
    assert model.step(state, last)[1].item() == HALF - 1
    largest = neuron(pool=3, activation=False)
    assert largest.step(state, last)[1].item() == HALF


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("threshold", HALF, "n: threshold spans 524288 to 524288 (int32), Akida holds integers of "
         "-524288 to 524287."),
        ("act_step", 0, "n: act_step spans 0 to 0 (int32), Akida holds integers of 1 to 1048575."),
        ("act_step", 2**20, "n: act_step spans 1048576 to 1048576 (int32), Akida holds integers of "
         "1 to 1048575."),
    ],
)
def test_a_value_beyond_its_register_is_refused(field, value, message):
    with pytest.raises(NmcError) as error:
        neuron(**{field: whole(value)}).verify("n", (1,))
    assert str(error.value) == message


def test_the_input_layer_has_wider_registers():
    neuron(threshold=whole(-2**23), act_step=whole(2**24 - 1), at_input=True).verify("n", (1,))
    with pytest.raises(NmcError) as error:
        neuron(threshold=whole(2**23), at_input=True).verify("n", (1,))
    assert str(error.value) == ("n: threshold spans 8388608 to 8388608 (int32), Akida holds integers "
                                "of -8388608 to 8388607.")


def test_activations_of_three_bits_are_refused():
    with pytest.raises(NmcError) as error:
        neuron(act_bits=3).verify("n", (1,))
    assert str(error.value) == "n: activations of 3 bits, Akida v1 has 1, 2 or 4."


def test_a_weight_beyond_its_bits_is_refused():
    (layer,), _ = random_layers(4, Kind.FULLY_CONNECTED, 1)
    assert layer.weight_bits == 4
    with pytest.raises(NmcError) as error:
        replace(layer, weight=np.full_like(layer.weight, 8)).verify()
    assert str(error.value) == ("layer0: weights span 8 to 8 (int8), 4 bits of Akida hold int8 of "
                                "-7 to 7.")


def test_neurons_that_pool_another_window_than_their_layer_are_refused():
    (layer,), _ = random_layers(4, Kind.FULLY_CONNECTED, 1)
    with pytest.raises(NmcError) as error:
        replace(layer, neuron=replace(layer.neuron, pool=4, adds=False)).verify()
    assert str(error.value) == ("layer0: its neurons take the largest of 4 places, the layer the "
                                "sum of 1.")


def test_an_odd_padding_has_its_larger_half_behind():
    assert paddings(8, 3, 2) == (0, 1)
    assert paddings(9, 3, 2) == (1, 1)
    assert paddings(8, 5, 2) == (1, 2)


def test_a_window_over_the_edge_holds_no_value_from_without():
    image = -np.arange(1, 7).reshape(1, 6)
    places = windows((1, 2, 3), 2, 2, True).apply(image).reshape(4, 1, 1, 2)
    assert places.max(axis=0).ravel().tolist() == [-1, -3]


def test_the_network_of_layers_sends_what_the_layers_send():
    layers, values = random_layers(3, Kind.CONVOLUTIONAL, 3)
    trace = run(as_network(layers), {"in": values[:, None].astype(np.int32)})
    given = values.astype(np.int64)
    for layer in layers:
        currents = layer.linear().apply(given.reshape(len(given), -1))
        axis = (layer.neuron.pool,) if layer.neuron.pool > 1 else ()
        shape = (len(given), *axis, *layer.out_shape)
        state = layer.neuron.initial_state((len(given), *layer.out_shape))
        given = layer.neuron.step(state, currents.reshape(shape))[1]
        np.testing.assert_array_equal(trace.spikes(layer.name)[:, 0], given)


def test_the_script_of_layers_is_the_same_bytes_each_time(tmp_path):
    layers, _ = random_layers(1, Kind.INPUT_CONVOLUTIONAL, 3)
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write_akida(layers, 8, folder)
    assert layers[0].pooling in Pooling
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
