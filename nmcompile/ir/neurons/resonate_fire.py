"""Resonate-and-fire neurons: a complex state that turns and decays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array, State
from nmcompile.ir.neurons.lif import started, toward_zero, zero
from nmcompile.ir.neurons.rules import require_shape

BELOW = 1e-5  # lava-nc proc/rf_iz/models.py, PyRF_IZModelFloat: "ensures we don't spike again"


@dataclass(frozen=True, kw_only=True, eq=False)
class ResonateFire:
    """Resonate-and-fire neurons with a real and an imaginary input current.

        re[t] = cos_decay * re[t-1] - sin_decay * v[t-1] + i_re[t]
        v[t]  = sin_decay * re[t-1] + cos_decay * v[t-1] + i_im[t]

    phase       true: a spike where re >= threshold while v goes from below 0 to 0 or above, and
                no reset (lava-nc proc/rf/models.py). False, after Izhikevich: a spike where
                v >= threshold, then re = 0 and v is just below the threshold
                (proc/rf_iz/models.py)
    state_step  where it is not 0, each product is cut toward zero to a multiple of it
    """

    kind: ClassVar[str] = "resonate-and-fire"
    state_names: ClassVar[tuple[str, ...]] = ("re", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    currents: ClassVar[int] = 2

    sin_decay: Array
    cos_decay: Array
    threshold: Array
    phase: bool = True
    state_step: Array = field(default_factory=zero)
    re_init: Array = field(default_factory=zero)
    v_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        for field_name in ("sin_decay", "cos_decay", "threshold", "state_step", "re_init",
                           "v_init"):
            require_shape(name, field_name, getattr(self, field_name), shape)
        if np.any(np.hypot(self.sin_decay, self.cos_decay) > 1):
            raise ParameterError(
                name, "its state grows by itself: sin_decay and cos_decay lie outside "
                "of the unit circle")
        if np.any(self.state_step < 0):
            raise ParameterError(name, "the step of its states is below 0")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Both parts before step 0."""
        return {name: started(getattr(self, f"{name}_init"), shape, self.state_step)
                for name in self.state_names}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is (samples, 2, *shape): i_re[t] and i_im[t]."""
        re, v = state["re"], state["v"]
        real, imaginary = (toward_zero(current[:, part], self.state_step) for part in (0, 1))
        turned_re = self._part(self.cos_decay, re) - self._part(self.sin_decay, v) + real
        turned_v = self._part(self.sin_decay, re) + self._part(self.cos_decay, v) + imaginary
        if self.phase:
            spikes = (turned_re >= self.threshold) & (turned_v >= 0) & (v < 0)
        else:
            spikes = turned_v >= self.threshold
            below = self.threshold - np.where(self.state_step > 0, self.state_step, BELOW)
            turned_re = np.where(spikes, 0, turned_re)
            turned_v = np.where(spikes, below, turned_v)
        return {"re": turned_re.astype(np.float32), "v": turned_v.astype(np.float32)}, (
            spikes.astype(np.float32))

    def _part(self, factor: Array, state: Array) -> Array:
        return toward_zero(np.multiply(factor, state, dtype=np.float64), self.state_step)
