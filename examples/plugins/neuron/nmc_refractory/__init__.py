"""Leaky integrate-and-fire neurons that are deaf for some steps after a spike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array, State
from nmcompile.ir.neurons.rules import require_decay, require_shape


@dataclass(frozen=True, kw_only=True, eq=False)
class RefractoryLIF:
    """Leaky integrate-and-fire neurons with an absolute refractory period.

        r[t-1] > 0:  r[t] = r[t-1] - 1, v[t] = 0, and i[t] is lost
        else:        v[t] = decay * v[t-1] + i[t]
                     spike where v[t] > threshold, then v[t] = 0 and r[t] = refractory

    decay       per-step membrane factor, 0..1
    threshold   0 or above, in the unit of the weights
    refractory  whole steps, 0 or above
    """

    kind: ClassVar[str] = "refractory-lif"
    state_names: ClassVar[tuple[str, ...]] = ("r", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    decay: Array
    threshold: Array
    refractory: Array

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise ParameterError where a parameter breaks a rule of the model."""
        for field in ("decay", "threshold", "refractory"):
            require_shape(name, field, getattr(self, field), shape)
        require_decay(name, "decay", self.decay)
        if np.any(self.threshold < 0):
            raise ParameterError(name, f"a threshold of {self.threshold.min():g} is below 0")
        if np.any(self.refractory < 0) or np.any(self.refractory % 1):
            raise ParameterError(name, "its refractory period is no whole number of steps")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Neither refractory nor charged."""
        return {name: np.zeros(shape, np.float32) for name in self.state_names}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        deaf = state["r"] > 0
        v = np.where(deaf, 0, self.decay * state["v"] + current).astype(np.float32)
        spikes = v > self.threshold
        r = np.where(spikes, self.refractory, np.maximum(state["r"] - 1, 0))
        return ({"r": r.astype(np.float32), "v": np.where(spikes, 0, v).astype(np.float32)},
                spikes.astype(np.float32))
