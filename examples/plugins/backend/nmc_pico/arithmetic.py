"""Pico's neuron: its registers, its readable step, and its kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nmcompile.arithmetic.fixed_point import leaves
from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

V_LOW, V_HIGH = -(2**19), 2**19 - 1  # v: 20 bits with sign
DECAY_BITS = 12
REGISTERS = {"bias": (V_LOW, V_HIGH), "decay": (0, 2**DECAY_BITS), "threshold": (1, V_HIGH),
             "refractory": (0, 15)}


@dataclass(frozen=True, kw_only=True, eq=False)
class PicoNeuron:
    """The update of nmc-pico-rtl's lane.py.

        r > 0:  r = r - 1, v = 0, and q is lost           q: the sum of the weights that arrived
        else:   v = clip20((v * decay >> 12) + bias + q)  the shift rounds down
                v >= threshold: a spike, v = 0, r = refractory

    bias 20 bits with sign, decay 0..4096, threshold 1..2**19 - 1, refractory 0..15
    """

    kind: ClassVar[str] = "pico"
    state_names: ClassVar[tuple[str, ...]] = ("r", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "bias": ("bias",), "decay": ("decay",), "threshold": ("threshold",),
        "refractory": ("refractory",)}

    bias: Array
    decay: Array
    threshold: Array
    refractory: Array

    @property
    def level(self) -> Array:
        """The v at which it fires."""
        return self.threshold

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise RegisterError where a parameter leaves its register."""
        for register, (low, high) in REGISTERS.items():
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind != "i" or np.any(value < low) or np.any(value > high):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), Pico holds integers of {low} to {high}")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Neither refractory nor charged."""
        return {name: np.zeros(shape, np.int32) for name in self.state_names}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        deaf = state["r"] > 0
        v = np.where(deaf, 0, np.clip(self._summed(state, current), V_LOW, V_HIGH))
        spikes = v >= self.threshold
        r = np.where(spikes, self.refractory, np.maximum(state["r"] - 1, 0))
        return ({"r": r.astype(np.int32), "v": np.where(spikes, 0, v).astype(np.int32)},
                spikes.astype(np.int32))

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step takes v beyond 20 bits."""
        return {"v": leaves(self._summed(state, current), V_LOW, V_HIGH) & (state["r"] == 0)}

    def _summed(self, state: State, current: Array) -> Array:
        return (state["v"].astype(np.int64) * self.decay >> DECAY_BITS) + self.bias + current

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmc_pico._arithmetic_kernels import advance

        registers = tuple(np.broadcast_to(getattr(self, name), shape).reshape(-1).astype(np.int32)
                          for name in REGISTERS)

        def step(state: State, current: Array, spikes: Array) -> None:
            advance(state["r"], state["v"], current, spikes, *registers)

        return step
