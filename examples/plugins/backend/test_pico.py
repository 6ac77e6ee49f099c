"""Pico's kernel against its readable definition, at the ends of every register too."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from nmc_pico.arithmetic import REGISTERS, V_HIGH, V_LOW, PicoNeuron

STEPS, NEURONS, MOST = 12, 4, 2**23  # the largest sum of 65,536 weights


def integers(low: int, high: int, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    """Arrays of int32 in which both ends are as likely as what lies between."""
    value = st.sampled_from((low, high)) | st.integers(low, high)
    size = int(np.prod(shape))
    return st.lists(value, min_size=size, max_size=size).map(
        lambda drawn: np.array(drawn, np.int32).reshape(shape))


@settings(deadline=None)
@given(data=st.data())
def test_the_kernel_does_what_step_says(data):
    neuron = PicoNeuron(**{name: data.draw(integers(low, high, (NEURONS,)))
                           for name, (low, high) in REGISTERS.items()})
    neuron.verify("layer", (NEURONS,))
    current = data.draw(integers(-MOST, MOST, (STEPS, 1, NEURONS)))
    state = {"r": data.draw(integers(0, 15, (1, NEURONS))),
             "v": data.draw(integers(V_LOW, V_HIGH, (1, NEURONS)))}
    fast, spikes = {name: value.copy() for name, value in state.items()}, np.zeros_like(current)
    neuron.stepper((NEURONS,))(fast, current, spikes)
    for step in range(STEPS):
        state, fired = neuron.step(state, current[step])
        assert np.array_equal(fired, spikes[step])
    assert all(np.array_equal(state[name], fast[name]) for name in state)
