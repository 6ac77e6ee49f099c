"""Registers and states at the ends of their ranges, and both forms of a neuron stepped from there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import ChipNeuron


def near(low: int, high: int) -> list[int]:
    """Both ends of low..high with their neighbours, and what lies about 0."""
    wanted = {low, low + 1, low + 2, -1, 0, 1, high - 2, high - 1, high}
    return sorted(value for value in wanted if low <= value <= high)


def at_edges(
    rng: np.random.Generator, low: int, high: int, shape: tuple[int, ...] = ()
) -> np.ndarray:
    """Integers of low..high, int32: half of them of `near`, the others anywhere."""
    between = rng.integers(low, high + 1, shape)
    ends = rng.choice(near(low, high), shape)
    return np.where(rng.random(shape) < 0.5, ends, between).astype(np.int32)


def followed(
    model: ChipNeuron, shape: tuple[int, ...], state: State, currents: list[np.ndarray]
) -> Iterator[tuple[State, np.ndarray]]:
    """State and spikes after each step of the readable form, which the kernel has as well.

    state     before the first step, arrays of (samples, *shape)
    currents  of each step, (samples, *currents' shape)
    """
    model.verify("n", shape)
    samples = len(currents[0])
    fast = {name: values.reshape(samples, -1).copy() for name, values in state.items()}
    step = model.stepper(shape)
    for current in currents:
        state, wanted = model.step(state, current)
        spikes = np.zeros((samples, int(np.prod(shape))), np.int32)
        step(fast, current.reshape(1, samples, -1).astype(np.int32), spikes[None])
        np.testing.assert_array_equal(spikes, wanted.reshape(samples, -1))
        for name, values in state.items():
            assert values.dtype == fast[name].dtype
            np.testing.assert_array_equal(fast[name], values.reshape(samples, -1), err_msg=name)
        yield state, wanted


def assert_kernel_follows(
    model: ChipNeuron, shape: tuple[int, ...], state: State, currents: list[np.ndarray]
) -> None:
    """Assert that the kernel has the readable form's states and spikes after every step.

    And that it has them also if it is given all steps at once.
    """
    samples = len(currents[0])
    fast = {name: values.reshape(samples, -1).copy() for name, values in state.items()}
    found = [(after, fired) for after, fired in followed(model, shape, state, currents)]
    spikes = np.full((len(found), samples, int(np.prod(shape))), -1, np.int32)
    given = np.stack(currents).reshape(len(found), samples, -1).astype(np.int32)
    model.stepper(shape)(fast, given, spikes)
    np.testing.assert_array_equal(
        spikes, np.stack([fired for _, fired in found]).reshape(spikes.shape))
    for name, values in found[-1][0].items():
        np.testing.assert_array_equal(fast[name], values.reshape(samples, -1), err_msg=name)
