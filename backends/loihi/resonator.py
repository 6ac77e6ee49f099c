"""Loihi 2's resonate-and-fire neurons in lava-nc's integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from nmcompile_backends.loihi.arithmetic import DECAY_BITS, STATE_BITS, STATE_SHIFT

from nmcompile.arithmetic.fixed_point import leaves, saturate, scale_toward_zero
from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

UNITY = 1 << DECAY_BITS
STATE_LIMIT = 2 ** (STATE_BITS - 1) - 1  # lava-nc proc/rf/models.py, `ri_bitwidth`


@dataclass(frozen=True, kw_only=True, eq=False)
class LoihiResonator:
    """Lava's RF and RF_IZ (lava-nc 0.10 proc/rf/models.py, proc/rf_iz/models.py).

        re' = clip24(cos_decay * re / 4096 - sin_decay * v / 4096 + (q_re << 6))
        v'  = clip24(sin_decay * re / 4096 + cos_decay * v / 4096 + (q_im << 6))

    Each product rounds toward zero. With `phase` a spike where re' >= threshold while v goes from
    below 0 to 0 or above, and nothing is reset. Without it, after Izhikevich, a spike where
    v' >= threshold; then re' = 0 and v' = threshold - 1. The shifts are those that lava-dl's netx
    gives both processes (netx/hdf5.py: decay_bits 12, state_exp 6).

    sin_decay, cos_decay  -4096..4096
    threshold             0..2**23 - 1, in the unit of the states; without phase from 1, so that
                          nothing fires at rest
    """

    kind: ClassVar[str] = "loihi-resonator"
    state_names: ClassVar[tuple[str, ...]] = ("re", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "sin_decay": ("decay",), "cos_decay": ("decay",), "threshold": ("threshold",)}
    currents: ClassVar[int] = 2

    sin_decay: Array
    cos_decay: Array
    threshold: Array
    phase: bool = True

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        limits = {"sin_decay": (-UNITY, UNITY), "cos_decay": (-UNITY, UNITY),
                  "threshold": (0 if self.phase else 1, STATE_LIMIT)}
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind != "i" or np.any(value < low) or np.any(value > high):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), Loihi holds integers of {low} to {high}")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """At rest."""
        return {name: np.zeros(shape, np.int32) for name in self.state_names}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is (samples, 2, *shape): q_re and q_im."""
        re, v = (saturate(x, STATE_BITS) for x in self._turned(state, current))
        if self.phase:
            spikes = (re >= self.threshold) & (v >= 0) & (state["v"] < 0)
        else:
            spikes = v >= self.threshold
            re, v = np.where(spikes, 0, re), np.where(spikes, self.threshold - 1, v)
        return {"re": re.astype(np.int32), "v": v.astype(np.int32)}, spikes.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step saturates re or v."""
        re, v = self._turned(state, current)
        return {name: leaves(x, -STATE_LIMIT, STATE_LIMIT) for name, x in (("re", re), ("v", v))}

    def _turned(self, state: State, current: Array) -> tuple[Array, Array]:
        """Both parts after their turn and what arrived, in as many bits as they take."""
        arrived = current.astype(np.int64) << STATE_SHIFT
        re = self._part(self.cos_decay, state["re"]) - self._part(self.sin_decay, state["v"])
        v = self._part(self.sin_decay, state["re"]) + self._part(self.cos_decay, state["v"])
        return re + arrived[:, 0], v + arrived[:, 1]

    def _part(self, factor: Array, state: Array) -> Array:
        """`factor * state / 4096`, rounded toward zero."""
        magnitude = np.abs(factor.astype(np.int64))
        return np.sign(factor) * scale_toward_zero(state, magnitude, DECAY_BITS)

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel; `current` is (samples, 2 * neurons), first all real parts."""
        from nmcompile_backends.loihi._arithmetic_kernels import turn

        registers = tuple(np.broadcast_to(a, shape).reshape(-1).astype(np.int32)
                          for a in (self.sin_decay, self.cos_decay, self.threshold))

        def step(state: State, current: Array, spikes: Array) -> None:
            turn(state["re"], state["v"], current, spikes, *registers, self.phase)

        return step
