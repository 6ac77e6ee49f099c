"""Leaky integrate-and-fire neurons whose threshold rises with each spike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array, ResetAt, State
from nmcompile.ir.neurons.lif import Membrane, fire_and_reset, verify_membrane, zero
from nmcompile.ir.neurons.rules import require_decay, require_shape


@dataclass(frozen=True, kw_only=True, eq=False)
class ALIF(Membrane):
    """Adaptive leaky integrate-and-fire neurons (Bellec et al. 2018, arXiv:1803.09574).

        v[t] = decay * v[t-1] + i[t]
        spike where v[t] > threshold + adaptation_scale * b[t-1], then the reset by that threshold
        b[t] = adaptation_decay * b[t-1] + adaptation_step * spikes[t]

    Fields as in Membrane; the reset is at the spike, and b starts at b_init.
    """

    kind: ClassVar[str] = "alif"
    state_names: ClassVar[tuple[str, ...]] = ("v", "b")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    adaptation_decay: Array
    adaptation_step: Array
    adaptation_scale: Array
    b_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        verify_membrane(self, name, shape)
        for field_name in ("adaptation_decay", "adaptation_step", "adaptation_scale", "b_init"):
            require_shape(name, field_name, getattr(self, field_name), shape)
        require_decay(name, "adaptation_decay", self.adaptation_decay)
        if self.reset_at is not ResetAt.SPIKE:
            raise ParameterError(name, "a threshold that adapts needs its reset at the spike")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Membrane and adaptation before step 0."""
        v = np.broadcast_to(self.v_init, shape).astype(np.float32)
        return {"v": v, "b": np.broadcast_to(self.b_init, shape).astype(np.float32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        threshold = self.threshold + self.adaptation_scale * state["b"]
        v, spikes = fire_and_reset(self, state["v"], current, threshold)
        b = self.adaptation_decay * state["b"] + self.adaptation_step * spikes
        return {"v": v, "b": b.astype(np.float32)}, spikes
