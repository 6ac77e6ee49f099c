"""Sigma-delta neurons: an activation that is told by its changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array, State
from nmcompile.ir.neurons.lif import started, zero
from nmcompile.ir.neurons.rules import require_shape


@dataclass(frozen=True, kw_only=True, eq=False)
class SigmaDelta:
    """Neurons that add up changes and send the changes of their activation.

        sigma[t] = sigma[t-1] + i[t]          i[t] where `accumulates` is false (a delta encoder)
        v[t] = max(0, sigma[t] + offset)      without the maximum where `rectified` is false
        delta[t] = v[t] - v[t-1] + residue[t-1]
        sent[t] = delta[t] where |delta[t]| >= threshold, else 0
        residue[t] = delta[t] - sent[t]

    With `cum_error`, error[t] = error[t-1] + delta[t] is compared instead and cleared by a spike.
    Where `spike_step` is not 0, what is sent is rounded down to a multiple of it; the residue does
    not know. So lava-nc has it (proc/sdn/models.py), and lava-dl (slayer/axon/delta.py).
    """

    kind: ClassVar[str] = "sigma-delta"
    state_names: ClassVar[tuple[str, ...]] = ("sigma", "v", "residue")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    threshold: Array
    offset: Array = field(default_factory=zero)
    rectified: bool = True
    accumulates: bool = True
    cum_error: bool = False
    spike_step: Array = field(default_factory=zero)
    sigma_init: Array = field(default_factory=zero)
    v_init: Array = field(default_factory=zero)
    residue_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        for field_name in ("threshold", "offset", "spike_step", "sigma_init", "v_init",
                           "residue_init"):
            require_shape(name, field_name, getattr(self, field_name), shape)
        if np.any(self.threshold < 0) or np.any(self.spike_step < 0):
            raise ParameterError(name, "its threshold or the step of its spikes is below 0")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Sum, activation and residue before step 0; no error."""
        states = {name: started(getattr(self, f"{name}_init"), shape) for name in self.state_names}
        return {**states, "error": np.zeros(shape, np.float32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        sigma = state["sigma"] + current if self.accumulates else current
        v = sigma + self.offset
        v = np.maximum(v, 0) if self.rectified else v
        delta = v - state["v"] + state["residue"]
        error = state["error"] + delta if self.cum_error else delta
        sent = np.where(np.abs(error) >= self.threshold, delta, 0)
        after = {"sigma": sigma, "v": v, "residue": delta - sent,
                 "error": np.where(sent != 0, 0, error)}
        if np.any(self.spike_step):
            size = np.where(self.spike_step > 0, self.spike_step, 1)
            sent = np.where(self.spike_step > 0, np.floor(sent / size) * size, sent)
        return {name: values.astype(np.float32) for name, values in after.items()}, sent.astype(
            np.float32)
