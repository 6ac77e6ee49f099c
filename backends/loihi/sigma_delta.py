"""Loihi 2's sigma-delta neuron in integers, as lava-nc's fixed-point models compute it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nmcompile.arithmetic.fixed_point import leaves
from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

MESSAGE_SHIFT = 6  # a message is a state without its lowest 6 bits (netx/hdf5.py: state_exp 6)
STATE_LIMIT = 2**23 - 1  # lava-nc proc/sdn/models.py: precision 24
MESSAGE_LIMIT = 2**15 - 1  # netx/hdf5.py: num_message_bits 16


@dataclass(frozen=True, kw_only=True, eq=False)
class LoihiSigmaDelta:
    """Lava's SigmaDelta, Delta and Sigma (lava-nc proc/sdn/models.py), without cumulative error.

        sigma = sigma + (q << shift)         (q << shift) alone where `accumulates` is false
        v = max(0, sigma + offset)           without the maximum where `rectified` is false
        delta = v - v of the step before + residue
        a spike with payload delta >> 6 where |delta| >= threshold
        residue = delta where nothing was sent, else 0

    Values are of 32 bits; `encode` keeps them within 24.

    threshold  0..2**23 - 1, offset -(2**23 - 1)..2**23 - 1, in the unit of sigma
    shift      bits by which what arrives stands above the state's unit
    """

    kind: ClassVar[str] = "loihi-sigma-delta"
    state_names: ClassVar[tuple[str, ...]] = ("sigma", "v", "residue")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = True
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "threshold": ("threshold",), "offset": ("bias",)}

    threshold: Array
    offset: Array
    rectified: bool = True
    accumulates: bool = True
    shift: int = 0

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        for register, low in (("threshold", 0), ("offset", -STATE_LIMIT)):
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind != "i" or np.any(value < low) or np.any(value > STATE_LIMIT):
                raise RegisterError(
                    name, f"{register} spans {value.min()} to {value.max()} "
                    f"({value.dtype}), Loihi holds integers of {low} to {STATE_LIMIT}")
        if not 0 <= self.shift <= 12:
            raise RegisterError(name, f"a shift of {self.shift} bits, expected 0 to 12")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Nothing was added up and nothing sent."""
        return {name: np.zeros(shape, np.int32) for name in self.state_names}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        after, sent = self._sent(state, current)
        return {k: values.astype(np.int32) for k, values in after.items()}, sent.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step takes sigma or v beyond 24 bits, or sends more than 16."""
        after, sent = self._sent(state, current)
        return {**{name: leaves(after[name], -STATE_LIMIT, STATE_LIMIT) for name in ("sigma", "v")},
                "message": leaves(sent, -MESSAGE_LIMIT, MESSAGE_LIMIT)}

    def _sent(self, state: State, current: Array) -> tuple[State, Array]:
        """States and messages in as many bits as they take."""
        arrived = current.astype(np.int64) << self.shift
        sigma = state["sigma"] + arrived if self.accumulates else arrived
        v = sigma + self.offset
        v = np.maximum(v, 0) if self.rectified else v
        delta = v - state["v"] + state["residue"]
        sends = np.abs(delta) >= self.threshold
        after = {"sigma": sigma, "v": v, "residue": np.where(sends, 0, delta)}
        return after, np.where(sends, delta, 0) >> MESSAGE_SHIFT

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.loihi._arithmetic_kernels import tell_changes

        registers = tuple(np.broadcast_to(a, shape).reshape(-1).astype(np.int32)
                          for a in (self.threshold, self.offset))
        modes = (self.rectified, self.accumulates, self.shift)

        def step(state: State, current: Array, spikes: Array) -> None:
            tell_changes(state["sigma"], state["v"], state["residue"], current, spikes,
                         *registers, *modes)

        return step
