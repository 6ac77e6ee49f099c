"""Random neurons of Loihi 2's microcode, with registers at their ends as often as between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.resonator import LoihiResonator

from helpers.loihi_programs import dense, network, port, projection, sparse, weights
from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Conv


def adaptive(rng: np.random.Generator, shape: tuple[int, ...], **more: object) -> LoihiAdaptive:
    """One register for all neurons, as Lava's process has them, but a bias for each."""
    decays = {name: _one(rng, 0, 4095) for name in ("du", "dv", "dtheta", "dr")}
    values = {
        **decays, "threshold": _one(rng, 0, 4095, small=60),
        "threshold_step": _one(rng, 0, 4095 << 6, small=300),
        "bias_mantissa": (rng.integers(-4095, 4096, shape) * (rng.random() < 0.5)).astype(np.int32),
        "bias_exponent": int(rng.integers(0, 8)),
        **{name: (rng.integers(1 - 2**23, 2**23, shape) * (rng.random() < 0.5)).astype(np.int32)
           for name in ("u_init", "v_init")}}
    return LoihiAdaptive(**{**values, **more})


def resonator(
    rng: np.random.Generator, phase: bool, shape: tuple[int, ...], **more: object
) -> LoihiResonator:
    """Any turn, damped or not at all; registers are one for all neurons."""
    angle, radius = rng.uniform(-np.pi, np.pi), rng.choice([4096, rng.integers(0, 4097)])
    free = rng.random() < 0.2
    sin, cos = (rng.choice([-4096, 0, 4096], 2) if free
                else np.trunc(radius * np.array([np.sin(angle), np.cos(angle)])))
    values = {"sin_decay": np.array(int(sin), np.int32), "cos_decay": np.array(int(cos), np.int32),
              "threshold": _one(rng, 1, 2**23 - 1, small=100_000), "phase": phase}
    return LoihiResonator(**{**values, **more})


def adapting(seed: int) -> Network:
    """Two layers of adaptive neurons, convolutional and dense, with the second's own spikes.

    Of odd seeds each neuron has registers; of each four, two have biases and states to begin with,
    which Lava's own process would change ahead of their start.
    """
    rng, image = np.random.default_rng(seed), (2, 4, 5)
    kernel = Conv(weight=weights(rng, (2, 2, 3, 3)), in_shape=image, padding=(1, 1))
    first, second = (adaptive(rng, shape, **_moderate(rng, shape, seed))
                     for shape in (image, (7,)))
    zero = np.zeros((), np.int32)
    layers = (Population(name="a", shape=image, neuron=first, bias=zero, start=1),
              Population(name="b", shape=(7,), neuron=second, bias=zero, start=2))
    return network((port(image),), layers, (
        projection("in", "a", kernel, exponent=1), projection("a", "b", sparse(rng, 40, 7)),
        projection("a", "b", dense(weights(rng, (7, 40))), exponent=-1),
        projection("b", "b", dense(weights(rng, (7, 7))), delay=3)))


def _moderate(rng: np.random.Generator, shape: tuple[int, ...], seed: int) -> dict[str, object]:
    """Registers of neurons that fire now and then."""
    each = shape if seed % 2 else ()
    held = seed % 4 > 1
    return {
        **{name: rng.integers(0, 4096, each).astype(np.int32) for name in ("du", "dv", "dtheta")},
        "dr": rng.integers(200, 4096, each).astype(np.int32),
        "threshold": rng.integers(1, 500, each).astype(np.int32),
        "threshold_step": rng.integers(0, 30_000, each).astype(np.int32),
        **{name: rng.integers(-9000, 9000, shape).astype(np.int32) * held
           for name in ("u_init", "v_init")},
        "bias_mantissa": rng.integers(-300, 301, shape).astype(np.int32) * held,
        "bias_exponent": 4}


def _one(rng: np.random.Generator, low: int, high: int, small: int | None = None) -> np.ndarray:
    between = rng.integers(low, (small or high) + 1)
    return np.array(rng.choice([low, high, between, between]), np.int32)


def resonating(seed: int) -> Network:
    """Two layers of resonators, with and without phase; of odd seeds each neuron has registers.

    The first has a convolution into its real part and one into its imaginary part, the second
    sparse and dense weights and its own spikes.
    """
    rng, image = np.random.default_rng(seed), (2, 4, 5)
    kernel = Conv(weight=weights(rng, (2, 2, 3, 3)), in_shape=image, padding=(1, 1))
    other = kernel.with_weights(weights(rng, (2, 2, 3, 3)))
    first, second = (resonator(rng, bool(number ^ (seed >> 1 & 1)), ()) for number in (0, 1))
    if seed % 2:
        levels = rng.integers(1, 60_000, image).astype(np.int32)
        first = replace(first, threshold=levels, sin_decay=rng.integers(-2500, 2500, image))
    zero = np.zeros((), np.int32)
    layers = (Population(name="a", shape=image, neuron=first, bias=zero, start=1),
              Population(name="b", shape=(7,), neuron=second, bias=zero, start=2))
    return network((port(image),), layers, tuple(
        replace(link, current=current) for link, current in (
            (projection("in", "a", kernel), 0), (projection("in", "a", other, exponent=1), 1),
            (projection("a", "b", sparse(rng, 40, 7)), 0),
            (projection("a", "b", dense(weights(rng, (7, 40))), exponent=-1), 1),
            (projection("b", "b", dense(weights(rng, (7, 7))), delay=3), 0))))
