"""What several libraries' adapters share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nmcompile.errors import NmcError
from nmcompile.ir.maps import LinearMap, Scale
from nmcompile.ir.neurons.base import Array

PROBES = (-1.0, -1e-3, 0.0, 1e-3, 1.0)  # membrane minus threshold, to see what a surrogate fires


def array(tensor: Any) -> Array:
    """A parameter as float32 numbers."""
    return torch.as_tensor(tensor).detach().to(torch.float32).numpy()


def fires_at_threshold(path: str, fire: Callable[[torch.Tensor], Any], hint: str) -> bool:
    """Whether `fire`, a step function of membrane minus threshold, fires at 0.

    Raises NmcError where it is no step from 0 to 1.
    """
    fired = fire(torch.tensor(PROBES)).tolist()
    if fired not in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1]):
        raise NmcError(path, "its surrogate is not a step from 0 to 1 at the threshold", hint)
    return bool(fired[2])


def gain(factor: Array, shape: tuple[int, ...]) -> tuple[LinearMap, ...]:
    """The map that multiplies what arrives by `factor`; none where that is 1."""
    return () if np.all(factor == 1) else (Scale(factor=factor, in_shape=shape),)
