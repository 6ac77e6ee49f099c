"""TrueNorth's neuron: step, kernel and a C program of the published equations agree."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.edges import assert_kernel_follows, at_edges, near
from helpers.random_truenorth import MODES, random_group
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.truenorth.arithmetic import V_HIGH, V_LOW, TrueNorthNeuron
from nmcompile_backends.truenorth.crossbar import choose_types, fit

from nmcompile.errors import NmcError
from nmcompile.ir.neurons import Reset

SOURCE = Path(__file__).parents[1] / "helpers" / "truenorth_neuron.c"
GAMMA = {Reset.ZERO: 0, Reset.SUBTRACT: 1, Reset.NONE: 2}


def whole(value):
    return np.array(value, np.int32)


def neuron(**fields):
    values = {"leak": whole(0), "threshold": whole(100), "floor": whole(50)}
    return TrueNorthNeuron(**(values | fields))


def respond(model, currents):
    state, spikes, membranes = model.initial_state((1, 1)), [], []
    for current in currents:
        state, fired = model.step(state, np.array([[current]]))
        spikes.append(int(fired[0, 0]))
        membranes.append(int(state["v"][0, 0]))
    return spikes, membranes


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler `cc`")
    binary = tmp_path_factory.mktemp("truenorth") / "neuron"
    command = [compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-o", binary, SOURCE]
    subprocess.run(command, check=True)
    return binary


def in_c(program, group):
    """V and spikes of the C program, (steps, neurons)."""
    model, size = group.neuron, group.size
    columns = [model.leak, model.threshold, model.floor, model.reset_value, GAMMA[model.reset],
               model.reversal, model.saturates, model.settles, model.v_init]
    registers = np.stack([np.broadcast_to(c, size) for c in columns], axis=1)
    rows = np.concatenate([registers, group.crossbar.values, group.crossbar.bits], axis=1)
    words = [size, group.spikes.shape[1], len(group.spikes), *rows.ravel(), *group.crossbar.types,
             *group.spikes.ravel()]
    result = subprocess.run([program], input=np.array(words, np.int32).tobytes(), check=True,
                            capture_output=True)
    out = np.frombuffer(result.stdout, np.int32).reshape(len(group.spikes), size, 2)
    return out[..., 0], out[..., 1]


def test_360_random_neurons_of_all_modes_do_what_the_c_program_does_for_200_steps(program):
    reached = {"spikes": 0, "above": 0, "below": 0}
    for seed, modes in enumerate(MODES):
        group = random_group(seed, modes, 15)
        membranes, spikes = group.run()
        found, fired = in_c(program, group)
        np.testing.assert_array_equal(spikes, fired, err_msg=f"{modes}")
        np.testing.assert_array_equal(membranes, found, err_msg=f"{modes}")
        reached["spikes"] += int(spikes.sum())
        reached["above"] += int((membranes == V_HIGH).sum())
        reached["below"] += int((membranes == V_LOW).sum())
    assert min(reached.values()) > 50, reached


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(MODES), st.sampled_from([255, 65_280, 2**20]))
@example(0, MODES[0], 255)
def test_the_kernel_is_the_readable_step(seed, modes, reach):
    rng, shape = np.random.default_rng(seed), (3, 2)
    reset, reversal, settles, saturates = modes
    model = neuron(
        leak=at_edges(rng, -255, 255, (3, 1)), reset=reset, reversal=reversal, settles=settles,
        threshold=rng.choice([*near(0, 2**18 - 1), *rng.integers(0, 500, 7)], shape),
        floor=rng.choice([*near(0, 2**18 - 1), *rng.integers(0, 500, 7)], shape),
        reset_value=at_edges(rng, -V_HIGH, V_HIGH, (2,)) // rng.choice([1, 1000]),
        saturates=saturates)
    state = {"v": at_edges(rng, V_LOW, V_HIGH, (2, *shape))}
    currents = [at_edges(rng, -reach, reach, (2, *shape)) for _ in range(20)]
    assert_kernel_follows(model, shape, state, currents)


def test_a_neuron_at_its_threshold_fires_and_one_at_its_floor_is_left_alone():
    assert respond(neuron(), [99, 1]) == ([0, 1], [99, 0])
    assert respond(neuron(), [-50, -1])[1] == [-50, -50]


@pytest.mark.parametrize(
    ("reset", "above", "below"),
    [(Reset.ZERO, 7, -7), (Reset.SUBTRACT, 30, -10), (Reset.NONE, 130, -60)])
def test_each_reset_has_its_answer_to_both_thresholds(reset, above, below):
    model = neuron(reset=reset, reset_value=whole(7), saturates=False)
    assert respond(model, [130]) == ([1], [above])
    assert respond(model, [-60]) == ([0], [below])
    assert respond(replace(model, saturates=True), [-60])[1] == [-50]


def test_a_leak_without_reversal_drives_from_rest_and_one_with_reversal_does_not():
    assert respond(neuron(leak=whole(3)), [0, 0])[1] == [3, 6]
    assert respond(neuron(leak=whole(3), reversal=True), [0, 1, 0])[1] == [0, 4, 7]


def test_a_leak_towards_zero_stops_there_or_rings_about_it():
    model = neuron(leak=whole(-10), reversal=True)
    assert respond(model, [24, 0, 0, -13, 0])[1] == [14, 4, 0, -3, 0]
    assert respond(replace(model, settles=False), [24, 0, 0, 0])[1] == [14, 4, -6, 4]


def test_the_membrane_saturates_at_20_bits():
    model = neuron(reset=Reset.NONE, saturates=False)
    assert respond(model, [V_HIGH, 1, 2 * V_LOW])[1] == [V_HIGH, V_HIGH, V_LOW + 0]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("leak", 256, "n: leak spans 256 to 256 (int32), TrueNorth holds integers of -255 to 255."),
        ("threshold", 2**18, "n: threshold spans 262144 to 262144 (int32), TrueNorth holds integers "
         "of 0 to 262143."),
        ("floor", -1, "n: floor spans -1 to -1 (int32), TrueNorth holds integers of 0 to 262143."),
    ],
)
def test_a_value_beyond_its_register_is_refused(field, value, message):
    with pytest.raises(NmcError) as error:
        neuron(**{field: whole(value)}).verify("n", (1,))
    assert str(error.value) == message


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 20))
def test_four_values_a_neuron_are_stored_exactly(seed, neurons, axons):
    rng = np.random.default_rng(seed)
    types = rng.integers(0, 4, axons)
    wanted = rng.integers(-255, 256, (neurons, 4))[:, types] * (rng.random((neurons, axons)) < 0.6)
    stored = fit(wanted, types)
    assert stored.error == (0.0, 0.0)
    np.testing.assert_array_equal(stored.matrix(), wanted)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_no_other_value_and_no_other_bits_come_closer(seed, axons):
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 20, (1, axons))
    stored = fit(weights, np.zeros(axons, np.int8))
    values = np.arange(-255, 256)[:, None]
    least = np.minimum((weights - values) ** 2, weights**2).sum(axis=1).min()
    assert ((weights - stored.matrix()) ** 2).sum() == pytest.approx(least)
    assert stored.error[0] == pytest.approx(np.abs(weights - stored.matrix()).max())


def test_weights_beyond_nine_bits_are_stored_as_the_largest_and_the_error_says_so():
    stored = fit(np.array([[300.0, 0.0]]), np.array([0, 0]))
    assert stored.matrix().tolist() == [[255, 0]]
    assert stored.error == (45.0, pytest.approx(45 / np.sqrt(2)))


def test_axons_of_like_weights_are_given_one_type():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 8)
    weights = rng.permuted(np.arange(-200, 200, 5))[:40].reshape(10, 4)[:, groups]
    types = choose_types(weights)
    assert fit(weights, types).error == (0.0, 0.0)
    alone = fit(weights, np.zeros(32, np.int8))
    assert alone.error[1] > 10


def test_types_that_a_core_does_not_have_are_refused():
    with pytest.raises(NmcError) as error:
        fit(np.ones((2, 3)), np.array([0, 1, 4]))
    assert str(error.value) == "crossbar: types (3,) of 0 to 4 do not fit 3 axons of 4 types."
