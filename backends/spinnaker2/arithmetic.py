"""SpiNNaker 2's leaky integrate-and-fire neuron in single precision, as in py-spinnaker2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from nmcompile.errors import ChipNeuronError, RegisterError
from nmcompile.ir.neurons import Reset, State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape


def _zero() -> Array:
    return np.zeros((), np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Spinnaker2Neuron:
    """py-spinnaker2's `lif` and `lif_no_delay`; every operation is rounded to single precision.

        v = (decay * v + offset) + q            q the sum of the 8-bit weights that arrived
        spike where v > threshold, then v = v_reset (reset zero) or v - threshold (subtract)

    Parameters are float32 in the core's memory (HARDWARE.md 5). The program that runs there is not
    public: the strict inequality is what users of py-spinnaker2's Brian2 model report, and the
    order of the two sums, and that the product is not fused with one, are assumptions.

    decay      `alpha_decay`, offset `i_offset` of py-spinnaker2 (`conversion.neuron`)
    threshold  in units of a weight
    early      steps that the core runs with nothing but the offset ahead of the network's first
    """

    kind: ClassVar[str] = "spinnaker2"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "decay": ("decay",), "threshold": ("threshold",), "reset": ("reset",),
        "v_reset": ("reset",), "offset": ("bias",)}

    decay: Array
    threshold: Array
    offset: Array = field(default_factory=_zero)
    v_reset: Array = field(default_factory=_zero)
    v_init: Array = field(default_factory=_zero)
    reset: Reset = Reset.ZERO
    early: int = 0

    @property
    def level(self) -> Array:
        """The v at which it fires."""
        return self.threshold

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter is not a finite float32."""
        for register in ("decay", "threshold", "offset", "v_reset", "v_init"):
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype != np.float32 or not np.all(np.isfinite(value)):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), SpiNNaker 2 holds finite float32")
        if self.reset is Reset.NONE:
            raise ChipNeuronError(name, "SpiNNaker 2's neuron resets to zero or by subtraction")
        if self.early < 0 or self._alone(shape)[1]:
            raise ChipNeuronError(
                name, f"its offset of {self.offset.max():g} makes it fire within the "
                f"{self.early} steps that it runs before the first input reaches it",
                "Lower the bias.")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The membrane that the early steps leave behind."""
        state, _ = self._alone(shape[1:])
        return {"v": np.broadcast_to(state["v"], shape).astype(np.float32)}

    def _alone(self, shape: tuple[int, ...]) -> tuple[State, bool]:
        """State after the early steps, and whether a neuron fired in them."""
        state, fired = {"v": np.broadcast_to(self.v_init, shape).astype(np.float32)}, False
        for _ in range(self.early):
            state, spikes = self.step(state, np.zeros(shape, np.int32))
            fired = fired or bool(spikes.any())
        return state, fired

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        v = (self.decay * state["v"] + self.offset) + current.astype(np.float32)
        spikes = v > self.threshold
        after = self.v_reset if self.reset is Reset.ZERO else v - self.threshold
        return {"v": np.where(spikes, after, v)}, spikes.astype(np.int32)

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.spinnaker2._arithmetic_kernels import advance

        registers = tuple(
            np.broadcast_to(a, shape).reshape(-1).copy()
            for a in (self.decay, self.threshold, self.offset, self.v_reset)
        )
        subtracts = self.reset is Reset.SUBTRACT

        def step(state: State, current: Array, spikes: Array) -> None:
            advance(state["v"], current, spikes, *registers, subtracts)

        return step
