"""Random integers that lie at the ends of a register, and next to them, as often as between."""

from __future__ import annotations

import numpy as np


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
