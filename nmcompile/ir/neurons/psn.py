"""Parallel spiking neurons: a weighted window over the inputs of the past, and no reset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nmcompile.errors import DataShapeError, ParameterError
from nmcompile.ir.neurons.base import Array, State


@dataclass(frozen=True, kw_only=True, eq=False)
class PSN:
    """Parallel spiking neurons that look back (Fang et al. 2023, arXiv 2304.12760).

        v[t] = sum over i of taps[r, i] * i[t - i] + offsets[r],  r = min(t, rows - 1)
        spike where v[t] > 0, or >= 0

    taps     (rows, length): factors of the inputs of 0, 1, ... steps ago. One row is a window that
             slides; several are one for each step, and the neuron runs for as many steps
    offsets  (rows,): a constant for each row
    fires_at_threshold  true where v == 0 already fires
    """

    kind: ClassVar[str] = "psn"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    taps: Array
    offsets: Array
    fires_at_threshold: bool = False

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        if self.taps.ndim != 2 or 0 in self.taps.shape or self.offsets.shape != self.taps.shape[:1]:
            raise ParameterError(name, f"taps of shape {self.taps.shape} and offsets of shape "
                                 f"{self.offsets.shape} do not fit")
        if not np.all(np.isfinite(self.taps)) or not np.all(np.isfinite(self.offsets)):
            raise ParameterError(name, "a tap or an offset is infinite or not a number")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Nothing has arrived: v, the inputs of earlier steps (latest first), and the step."""
        return {"v": np.zeros(shape, np.float32),
                "past": np.zeros((self.taps.shape[1] - 1, *shape), np.float32),
                "now": np.zeros((), np.int64)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]. Raises NmcError beyond the last of several rows."""
        rows, now = len(self.taps), int(state["now"])
        if now >= rows > 1:
            raise DataShapeError("psn", f"its weights are those of {rows} steps, and it runs more",
                                 "Give as many steps as the model was trained with.")
        row = min(now, rows - 1)
        window = np.concatenate([current[None].astype(np.float32), state["past"]])
        v = np.tensordot(self.taps[row], window, axes=1) + self.offsets[row]
        v = v.astype(np.float32)
        fires = np.greater_equal if self.fires_at_threshold else np.greater
        past = {"past": window[: len(window) - 1], "now": np.asarray(now + 1)}
        return {"v": v, **past}, fires(v, 0).astype(np.float32)
