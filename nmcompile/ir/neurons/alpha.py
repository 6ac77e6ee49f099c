"""Neurons whose membrane is an alpha function of each spike that arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.ir.neurons.base import Array, Reset, State
from nmcompile.ir.neurons.lif import zero
from nmcompile.ir.neurons.rules import require_decay, require_shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Alpha:
    """Neurons with the alpha function of snnTorch 1.0 (its class Alpha).

        e[t] = decay * e[t-1] + x[t]    i[t] = rise_decay * i[t-1] - x[t]
        v[t] = gain * (e[t] + i[t])     spike where v[t] > threshold

    In the step after a spike, a reset to zero makes e, i and v zero; a subtraction takes the
    threshold from e and makes i zero and adds i[t-1] to v, as snnTorch has it. The states start
    from e_init, i_init and v_init.
    """

    kind: ClassVar[str] = "alpha"
    state_names: ClassVar[tuple[str, ...]] = ("e", "i", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    decay: Array
    rise_decay: Array
    gain: Array
    threshold: Array
    reset: Reset = Reset.ZERO
    fires_at_threshold: bool = False
    e_init: Array = field(default_factory=zero)
    i_init: Array = field(default_factory=zero)
    v_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        for field_name in ("decay", "rise_decay", "gain", "threshold", "e_init", "i_init",
                           "v_init"):
            require_shape(name, field_name, getattr(self, field_name), shape)
        require_decay(name, "decay", self.decay)
        require_decay(name, "rise_decay", self.rise_decay)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Currents and membrane before step 0."""
        return {name: np.broadcast_to(getattr(self, f"{name}_init"), shape).astype(np.float32)
                for name in self.state_names}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is x[t]."""
        fires = np.greater_equal if self.fires_at_threshold else np.greater
        pending = fires(state["v"], self.threshold)
        e = self.decay * state["e"] + current
        i = self.rise_decay * state["i"] - current
        v = self.gain * (e + i)
        if self.reset is Reset.ZERO:
            e, i, v = (np.where(pending, 0, values) for values in (e, i, v))
        elif self.reset is Reset.SUBTRACT:
            e = np.where(pending, e - self.threshold, e)
            v = np.where(pending, v + state["i"], v)
            i = np.where(pending, 0, i)
        after = {"e": e, "i": i, "v": v}
        spikes = fires(v, self.threshold).astype(np.float32)
        return {name: values.astype(np.float32) for name, values in after.items()}, spikes
