"""The deterministic neuron of TrueNorth: its parameters, its readable step, and its kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from nmcompile.arithmetic.fixed_point import leaves
from nmcompile.errors import RegisterError
from nmcompile.ir import SynapseFormat
from nmcompile.ir.neurons import Reset, State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

# V: 20 bits with sign (Merolla et al. 2014, Science 345:668, supplement, Table S2, second-hand)
V_LOW, V_HIGH = -(2**19), 2**19 - 1
# Leak: 8 bits and sign, as a synaptic value. From the 9-bit signed weights of the same source; that
# the leak has their width could not be looked up
LEAK_LIMIT = 255
# Thresholds: 18 bits without sign. Not looked up: the paper's table of widths could not be read.
# NeMo's ceiling of V, 393216 = 1.5 * 2**18 (models/neuron.c overUnderflowCheck), lies above it
THRESHOLD_LIMIT = 2**18 - 1
AXONS_PER_LINE = 4  # one of each type: see `nmcompile_backends.truenorth.encode`


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueNorthNeuron:
    """TrueNorth's neuron (Cassidy et al. 2013, IJCNN, 10.1109/IJCNN.2013.6707077), deterministic.

        V = V + q                                       q: values of the axons that are active
        V = clip20(V + W * leak)                        W = 1, or sign(V) with leak reversal
        V >= threshold:   a spike; V = reset_value (zero), V - threshold (subtract), V (none)
        V < -floor:       V = -floor where it `saturates`, else
                          V = -reset_value (zero), V + floor (subtract), V (none)

    The equations are those that three public implementations of the paper agree in (NeMo's
    models/neuron.c, its table of reset modes; two smaller ones); the paper itself could not be
    read, so its equation numbers are not given. What the papers that could be read do not say:

    - beyond 20 bits V saturates. NeMo does so too, at 393216 of either sign; the two are equal as
      long as V stays within that.
    - a reversed leak that would cross 0 stops there (`settles`), as IBM's Neuron Behavior
      Reference says according to NeMo (`ringing`); else V steps over 0 as the equation has it.

    leak         -255..255; with reversal, below 0 it draws V towards 0
    threshold    0..2**18 - 1, and so is floor, the magnitude of the negative threshold
    reset_value  within 20 bits
    """

    kind: ClassVar[str] = "truenorth"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "leak": ("decay",), "reversal": ("decay",), "settles": ("decay",),
        "threshold": ("threshold",), "floor": ("saturation",), "saturates": ("saturation",),
        "reset": ("reset",), "reset_value": ("reset",)}
    copies: ClassVar[int] = AXONS_PER_LINE  # each sends to one axon

    leak: Array
    threshold: Array
    floor: Array
    reset_value: Array = field(default_factory=lambda: np.zeros((), np.int32))
    reset: Reset = Reset.ZERO
    reversal: bool = False
    settles: bool = True
    saturates: bool = True
    v_init: Array = field(default_factory=lambda: np.zeros((), np.int32))

    def splitter(self) -> tuple[TrueNorthSplitter, SynapseFormat]:
        """A neuron that hands a spike on, and the format of the weight 1 that makes it fire."""
        one, zero = np.ones((), np.int32), np.zeros((), np.int32)
        return (TrueNorthSplitter(leak=zero, threshold=one, floor=zero),
                SynapseFormat(bits=4, exponent=0))

    @property
    def level(self) -> Array:
        """The v at which it fires."""
        return self.threshold

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        limits = {
            "leak": (-LEAK_LIMIT, LEAK_LIMIT),
            "threshold": (0, THRESHOLD_LIMIT),
            "floor": (0, THRESHOLD_LIMIT),
            "reset_value": (-V_HIGH, V_HIGH),
            "v_init": (V_LOW, V_HIGH),
        }
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind != "i" or np.any(value < low) or np.any(value > high):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), TrueNorth holds integers of {low} to {high}")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """V before step 0."""
        return {"v": np.broadcast_to(self.v_init, shape).astype(np.int32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        v = np.clip(self._leaked(state, current), V_LOW, V_HIGH)
        spikes, below = v >= self.threshold, v < -self.floor.astype(np.int64)
        above = {Reset.ZERO: self.reset_value, Reset.SUBTRACT: v - self.threshold, Reset.NONE: v}
        lifted = {Reset.ZERO: -self.reset_value, Reset.SUBTRACT: v + self.floor, Reset.NONE: v}
        bottom = -self.floor if self.saturates else lifted[self.reset]
        v = np.where(spikes, above[self.reset], np.where(below, bottom, v))
        return {"v": v.astype(np.int32)}, spikes.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step takes V beyond 20 bits, or below the lowest floor there is."""
        leaked = self._leaked(state, current)
        lowest = (self.floor == THRESHOLD_LIMIT) & self.saturates
        return {"v": leaves(leaked, V_LOW, V_HIGH) | (lowest & (leaked < -THRESHOLD_LIMIT))}

    def _leaked(self, state: State, current: Array) -> Array:
        """V after what arrived and the leak, in as many bits as it takes."""
        v = state["v"].astype(np.int64) + current
        leaked = v + (np.sign(v) if self.reversal else 1) * self.leak
        if self.reversal and self.settles:
            leaked = np.where(np.sign(leaked) == np.sign(v), leaked, 0)
        return leaked

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.truenorth._arithmetic_kernels import advance

        registers = tuple(
            np.broadcast_to(a, shape).reshape(-1).astype(np.int32)
            for a in (self.leak, self.threshold, self.floor, self.reset_value))
        mode = {Reset.NONE: 0, Reset.ZERO: 1, Reset.SUBTRACT: 2}[self.reset]

        def step(state: State, current: Array, spikes: Array) -> None:
            advance(state["v"], current, spikes, *registers, mode, self.reversal, self.settles,
                    self.saturates)

        return step


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueNorthSplitter(TrueNorthNeuron):
    """A neuron of a splitter: it fires a step after its one source and keeps nothing."""

    kind: ClassVar[str] = "truenorth-splitter"
    splits: ClassVar[bool] = True
