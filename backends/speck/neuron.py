"""Speck's neurons in a time step: what sinabs simulates of a discretised network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from nmcompile_backends.speck.cores import STATE_MAX, STATE_MIN

from nmcompile.arithmetic.fixed_point import leaves
from nmcompile.errors import ChipNeuronError, RegisterError
from nmcompile.ir.neurons import Reset, State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape


def lowest() -> Array:
    """The default of the lower bound: the end of 16 bits."""
    return np.full((), STATE_MIN, np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeckNeuron:
    """An integrate-and-fire neuron that adds all events of a step before it compares.

        v = v + q + leak
        n = v // threshold where v > 0, else 0            spikes of this step
        v = v - n * threshold, or 0 where n > 0           Reset.SUBTRACT, Reset.ZERO
        v = max(v, v_min)

    As sinabs 3.1.3 computes IAF with MultiSpike and min_v_mem (layers/functional/lif.py). The chip
    compares after every addition (`arithmetic.run`), so this is exact for a core that gets one
    event a step and whose weights do not exceed its threshold, and for a whole network if, besides,
    its weights are not negative and its resets subtract. Elsewhere it is an approximation.

    threshold  1..32767, v_min -32768..-1 or above 0: one value for the layer
    leak       16 bits, the same for all neurons of a feature; a tick of the slow clock each step
    v_init     v before the first step
    """

    kind: ClassVar[str] = "speck"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "leak": ("bias",), "threshold": ("threshold",), "v_min": ("saturation",),
        "reset": ("reset",)}

    threshold: Array
    v_min: Array = field(default_factory=lowest)
    reset: Reset = Reset.SUBTRACT
    leak: Array = field(default_factory=lambda: np.zeros((), np.int32))
    v_init: Array = field(default_factory=lambda: np.zeros((), np.int32))

    @property
    def level(self) -> Array:
        """The v at which it fires."""
        return self.threshold

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        limits = {"threshold": (1, STATE_MAX), "v_min": (STATE_MIN, STATE_MAX),
                  "leak": (STATE_MIN, STATE_MAX), "v_init": (STATE_MIN, STATE_MAX)}
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            single = register in ("threshold", "v_min")
            require_shape(name, register, value, () if single else shape)
            if value.dtype.kind != "i" or np.any(value < low) or np.any(value > high):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), Speck holds integers of {low} to {high}")
        if self.v_min == 0 or self.v_min >= self.threshold:
            raise RegisterError(
                name, f"v_min is {self.v_min}, Speck holds values below the threshold, "
                f"{self.threshold}, other than 0")
        if self.reset is Reset.NONE:
            raise ChipNeuronError(
                name, "reset 'none' does not exist on Speck, which has zero, subtract")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The membrane before step 0."""
        return {"v": np.broadcast_to(self.v_init, shape).astype(np.int32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        v = state["v"].astype(np.int64) + current + self.leak
        spikes = np.where(v > 0, v // self.threshold, 0)
        if self.reset is Reset.SUBTRACT:
            v = v - spikes * self.threshold
        else:
            v = np.where(spikes > 0, 0, v)
        return {"v": np.maximum(v, self.v_min).astype(np.int32)}, spikes.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the sum of the next step leaves 16 bits; the lower bound of a model is none."""
        v = state["v"].astype(np.int64) + current + self.leak
        return {"v": leaves(v, STATE_MIN, STATE_MAX)}

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.speck._arithmetic_kernels import advance

        leak = np.broadcast_to(self.leak, shape).reshape(-1).astype(np.int32)
        registers = (int(self.threshold), int(self.v_min), self.reset is Reset.SUBTRACT)

        def step(state: State, current: Array, spikes: Array) -> None:
            advance(state["v"], current, spikes, leak, *registers)

        return step
