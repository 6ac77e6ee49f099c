"""Leaky integrate-and-fire neurons whose spikes raise threshold and refractoriness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array, State
from nmcompile.ir.neurons.lif import started, toward_zero, zero
from nmcompile.ir.neurons.rules import require_decay, require_shape


@dataclass(frozen=True, kw_only=True, eq=False)
class ATRLIF:
    """Neurons with adaptive threshold and refractoriness (lava-dl slayer/neuron/alif.py).

        u[t] = current_decay * u[t-1] + i[t]        v[t] = decay * v[t-1] + u[t]
        b = adaptation_decay * b[t-1]               r = refractory_decay * r[t-1]
        spike where v[t] - r >= threshold + b
        b[t] = b + threshold_step * spikes[t]       r[t] = r + 2 * (threshold + b) * spikes[t]

    Nothing resets v; r is what a spike holds against it. b is by how much the threshold has risen.

    state_step  where it is not 0, what a state keeps of itself and what arrives are cut toward
                zero to multiples of it, as in a chip's integers
    """

    kind: ClassVar[str] = "atrlif"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v", "b", "r")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    current_decay: Array
    decay: Array
    threshold: Array
    adaptation_decay: Array
    refractory_decay: Array
    threshold_step: Array
    state_step: Array = field(default_factory=zero)
    u_init: Array = field(default_factory=zero)
    v_init: Array = field(default_factory=zero)
    b_init: Array = field(default_factory=zero)
    r_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        decays = ("current_decay", "decay", "adaptation_decay", "refractory_decay")
        for field_name in decays:
            require_shape(name, field_name, getattr(self, field_name), shape)
            require_decay(name, field_name, getattr(self, field_name))
        starts = (f"{state}_init" for state in self.state_names)
        for field_name in ("threshold", "threshold_step", "state_step", *starts):
            require_shape(name, field_name, getattr(self, field_name), shape)
        if np.any(self.threshold < 0) or np.any(self.threshold_step < 0):
            raise ParameterError(name, "its threshold or the rise of it is below 0")
        if np.any(self.state_step < 0):
            raise ParameterError(name, "the step of its states is below 0")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """All four states before step 0."""
        return {name: started(getattr(self, f"{name}_init"), shape, self.state_step)
                for name in self.state_names}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        u = self._kept(self.current_decay, state["u"]) + toward_zero(current, self.state_step)
        v = self._kept(self.decay, state["v"]) + u
        b = self._kept(self.adaptation_decay, state["b"])
        r = self._kept(self.refractory_decay, state["r"])
        level = self.threshold + b
        spikes = v - r >= level
        after = {"u": u, "v": v, "b": b + np.where(spikes, self.threshold_step, 0),
                 "r": r + np.where(spikes, 2 * level, 0)}
        return {name: values.astype(np.float32) for name, values in after.items()}, (
            spikes.astype(np.float32))

    def _kept(self, decay: Array, state: Array) -> Array:
        """What a state keeps of itself; the product needs more bits than a float32 has."""
        return toward_zero(np.multiply(decay, state, dtype=np.float64), self.state_step)
