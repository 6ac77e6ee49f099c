"""What an Akida v1 layer does with a sum, in real numbers, before it is quantized."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array
from nmcompile.ir.neurons.rules import require_shape


def _zero() -> Array:
    return np.zeros((), np.float32)


def _one() -> Array:
    return np.ones((), np.float32)


def _limitless() -> Array:
    return np.full((), np.inf, np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class AkidaActivation:
    """`AkidaNeuron` in real numbers; a layer's bias is part of it and not of its sum v.

        v = max(i_1, ..., i_pool), or their sum where it `adds`
        x = (v + offset) / unit
        sent = clip(x, 0, high)                                      where step_size is 0
        sent = step_size * clip(rint(x / step_size), 0, rint(high / step_size))
        sent = v                                                     without activation

    offset     what a layer adds to its sums, in units of v
    high       largest value that is sent
    step_size  distance of the levels that are sent
    unit       of v, in those of what is sent: filters have units of their own
    pool, adds, activation, sends, at_input  as of `AkidaNeuron`
    """

    kind: ClassVar[str] = "akida-real"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    offset: Array = field(default_factory=_zero)
    high: Array = field(default_factory=_limitless)
    step_size: Array = field(default_factory=_zero)
    unit: Array = field(default_factory=_one)
    pool: int = 1
    adds: bool = False
    activation: bool = True
    sends: bool = True
    at_input: bool = False

    @property
    def currents(self) -> int:
        """Input currents of one neuron: the places that its window pools."""
        return self.pool

    @property
    def free_unit(self) -> bool:
        """Whether filters may have units of their own: sums are sent in one unit."""
        return self.activation

    @property
    def levels(self) -> int:
        """How many values above 0 are sent; 0 where they are not in levels."""
        if not np.any(self.step_size) or not np.all(np.isfinite(self.high)):
            return 0
        return int(np.rint(np.max(self.high / self.step_size)))

    def in_units(self, factor: Array | float) -> AkidaActivation:
        """The same with v in another unit, `factor` times as many of it."""
        return replace(self, offset=self.offset * factor, unit=self.unit * factor)

    def with_levels(self, step_size: float, levels: int) -> AkidaActivation:
        """The same that sends so many levels above 0."""
        return replace(self, step_size=np.full((), step_size, np.float32),
                       high=np.full((), step_size * levels, np.float32))

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        for field_name in ("offset", "high", "step_size", "unit"):
            require_shape(name, field_name, getattr(self, field_name), shape)
        if np.any(self.high < 0) or np.any(self.step_size < 0) or np.any(self.unit <= 0):
            raise RegisterError(name, "an upper bound or a level below 0")
        if self.pool < 1:
            raise RegisterError(name, "it pools nothing")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The sum before step 0, which nothing depends on."""
        return {"v": np.zeros(shape, np.float32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is (samples, pool, *shape), without a pool of 1."""
        v = current
        if self.pool > 1:
            v = current.sum(axis=1) if self.adds else current.max(axis=1)
        v = v.astype(np.float32)
        if not self.sends:
            return {"v": v}, np.zeros_like(v)
        return {"v": v}, self.of(v) if self.activation else v

    def of(self, v: Array) -> Array:
        """What is sent for sums `v`, float32."""
        x = (v + self.offset) / self.unit
        size = np.where(self.step_size > 0, self.step_size, 1)
        levels = np.clip(np.rint(x / size), 0, np.rint(self.high / size)) * size
        return np.where(self.step_size > 0, levels, np.clip(x, 0, self.high)).astype(np.float32)
