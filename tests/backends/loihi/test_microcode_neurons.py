"""Loihi 2's adaptive and resonating neurons: kernels, and what leaves a register."""

import numpy as np
import pytest
from helpers.random_microcode import adaptive, resonator
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError

SHAPE = (3, 2)


def agree(model, rng: np.random.Generator, reach: int) -> int:
    """Steps both forms of `model` on random currents; how often it fired."""
    model.verify("n", SHAPE)
    currents = getattr(model, "currents", 1)
    slow, fired = model.initial_state((2, *SHAPE)), 0
    fast = {name: values.reshape(2, 6).copy() for name, values in slow.items()}
    step = model.stepper(SHAPE)
    for _ in range(25):
        parts = rng.integers(-reach, reach + 1, (2, currents, *SHAPE)).astype(np.int32)
        slow, wanted = model.step(slow, parts if currents > 1 else parts[:, 0])
        spikes = np.zeros((2, 6), np.int32)
        step(fast, parts.reshape(2, -1), spikes)
        np.testing.assert_array_equal(spikes, wanted.reshape(2, 6))
        for name, values in slow.items():
            np.testing.assert_array_equal(fast[name], values.reshape(2, 6))
        fired += int(wanted.sum())
    return fired


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([200, 4000, 2**18]))
def test_the_kernel_of_an_adaptive_neuron_is_its_readable_step(seed, reach):
    rng = np.random.default_rng(seed)
    agree(adaptive(rng, SHAPE), rng, reach)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([10, 2000, 2**18]))
def test_the_kernel_of_a_resonator_is_its_readable_step(seed, phase, reach):
    rng = np.random.default_rng(seed)
    agree(resonator(rng, phase, SHAPE), rng, reach)


def test_random_neurons_fire():
    rng = np.random.default_rng(0)
    assert sum(agree(adaptive(rng, SHAPE), rng, 4000) for _ in range(20)) > 100
    for phase in (True, False):
        assert sum(agree(resonator(rng, phase, SHAPE), rng, 2000) for _ in range(20)) > 100


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (adaptive, {"dtheta": np.array(4096)},
         "n: dtheta spans 4096 to 4096 (int64), Loihi holds integers of 0 to 4095."),
        (adaptive, {"bias_exponent": 8}, "n: a bias exponent of 8, expected 0 to 7."),
        (lambda rng, shape, **more: resonator(rng, True, shape, **more),
         {"cos_decay": np.array(-4097)},
         "n: cos_decay spans -4097 to -4097 (int64), Loihi holds integers of -4096 to 4096."),
    ],
)
def test_a_value_beyond_its_register_is_refused(make, fields, message):
    with pytest.raises(NmcError) as error:
        make(np.random.default_rng(0), SHAPE, **fields).verify("n", SHAPE)
    assert str(error.value) == message
