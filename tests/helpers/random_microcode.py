"""Random neurons of Loihi 2's microcode, with registers at their ends as often as between."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.resonator import LoihiResonator


def adaptive(rng: np.random.Generator, shape: tuple[int, ...], **more: object) -> LoihiAdaptive:
    """One register for all neurons, as Lava's process has them, but a bias for each."""
    decays = {name: _one(rng, 0, 4095) for name in ("du", "dv", "dtheta", "dr")}
    values = {
        **decays, "threshold": _one(rng, 0, 4095, small=60),
        "threshold_step": _one(rng, 0, 4095 << 6, small=300),
        "bias_mantissa": (rng.integers(-4095, 4096, shape) * (rng.random() < 0.5)).astype(np.int32),
        "bias_exponent": int(rng.integers(0, 8))}
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
              "threshold": _one(rng, 0, 2**23 - 1, small=100_000), "phase": phase}
    return LoihiResonator(**{**values, **more})


def _one(rng: np.random.Generator, low: int, high: int, small: int | None = None) -> np.ndarray:
    between = rng.integers(low, (small or high) + 1)
    return np.array(rng.choice([low, high, between, between]), np.int32)
