"""The nonlinearity of an artificial network: a graded value in every step, and no memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array, State
from nmcompile.ir.neurons.lif import zero
from nmcompile.ir.neurons.rules import require_shape


def limitless() -> Array:
    """The default of an upper bound."""
    return np.full((), np.inf, np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Activation:
    """ReLU and its relatives: the input between two bounds, rounded to levels where there are any.

        v[t] = i[t]
        sent = clip(v, low, high)                                     where the step size is 0
        sent = s * clip(rint(v / s), rint(low / s), rint(high / s))   for a step size of s

    low, high  bounds of what is sent, low <= 0 <= high
    step_size  distance of the levels of a quantised activation; halves go to the even level
    """

    kind: ClassVar[str] = "activation"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    low: Array = field(default_factory=zero)
    high: Array = field(default_factory=limitless)
    step_size: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        for field_name in ("low", "high", "step_size"):
            require_shape(name, field_name, getattr(self, field_name), shape)
        if np.any(self.low > 0) or np.any(self.high < 0):
            raise ParameterError(name, "its bounds do not lie around 0")
        if np.any(self.step_size < 0):
            raise ParameterError(name, "the distance of its levels is below 0")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The value before step 0, which nothing depends on."""
        return {"v": np.zeros(shape, np.float32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        v = current.astype(np.float32)
        return {"v": v}, self.of(v)

    def is_identity(self) -> bool:
        """True where every value is sent as it is."""
        unbounded = np.all(np.isinf(self.low)) and np.all(np.isinf(self.high))
        return bool(unbounded) and not np.any(self.step_size)

    def of(self, v: Array) -> Array:
        """What is sent for a value `v`, float32."""
        if not np.any(self.step_size):
            return np.clip(v, self.low, self.high).astype(np.float32)
        size = np.where(self.step_size > 0, self.step_size, 1)
        low, high = np.rint(self.low / size), np.rint(self.high / size)
        levels = np.clip(np.rint(v / size), low, high) * size
        return np.where(self.step_size > 0, levels, np.clip(v, self.low, self.high)).astype(
            np.float32)
