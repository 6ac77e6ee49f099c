"""The integer neuron of Loihi: its parameters, its readable step, and its kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.arithmetic.fixed_point import saturate, scale_toward_zero, wrap
from nmcompile.errors import NmcError
from nmcompile.ir.neurons import Reset, State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

STATE_BITS = 24  # u and v: 23 bits and sign (lava-nc proc/lif/models.py `uv_bitwidth`)
DECAY_BITS = 12  # (lava-nc proc/lif/models.py `decay_shift`)
STATE_SHIFT = 6  # weights and thresholds stand 6 bits above the state's unit (same, `vth_shift`)
THRESHOLD_LIMIT = 2**17 - 1  # nengo-loihi 1.1.0 VTH_MAN_MAX
BIAS_MANTISSA_LIMIT = 2**12 - 1  # nengo-loihi 1.1.0 BIAS_MAN_MAX
BIAS_EXPONENT_LIMIT = 7  # nengo-loihi 1.1.0 BIAS_EXP_MAX


@dataclass(frozen=True, kw_only=True, eq=False)
class LoihiNeuron:
    """Loihi's current-based leaky integrate-and-fire neuron in its own integers.

        u = wrap24(u * (4096 - du - 1) / 4096 + (q << 6))
        v = clip24(v * (4096 - dv) / 4096 + u + (bias_mantissa << bias_exponent))
        spike where v > threshold << 6, or where v >= threshold << 6 if `inclusive`

    Products round toward zero. `q` is the sum of the weights that arrived. Edges as in lava-nc's
    `PyLifModelBitAcc`; refractory as in nengo-loihi (1 is none). Reset zero clears v in the step
    of the spike. Reset subtract is microcode (Loihi 2): `threshold << 6` leaves v in the step
    after the spike, behind the leak (`subtract_late`), or in the step of the spike. So is the
    inclusive comparison.

    du, dv         0..4095
    threshold      0..131071
    bias_mantissa  -4095..4095, bias_exponent 0..7
    u_init, v_init u and v before the first step, in their own unit
    silent         true where the neuron never fires (a readout of v)
    """

    kind: ClassVar[str] = "loihi"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    du: Array
    dv: Array
    threshold: Array
    bias_mantissa: Array
    bias_exponent: int = 0
    refractory: int = 1
    reset: Reset = Reset.ZERO
    subtract_late: bool = True
    inclusive: bool = False
    silent: bool = False
    u_init: Array = field(default_factory=lambda: np.zeros((), np.int32))
    v_init: Array = field(default_factory=lambda: np.zeros((), np.int32))

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        limits = {
            "du": (0, 4095),
            "dv": (0, 4095),
            "threshold": (0, THRESHOLD_LIMIT),
            "bias_mantissa": (-BIAS_MANTISSA_LIMIT, BIAS_MANTISSA_LIMIT),
            "u_init": (1 - 2 ** (STATE_BITS - 1), 2 ** (STATE_BITS - 1) - 1),
            "v_init": (1 - 2 ** (STATE_BITS - 1), 2 ** (STATE_BITS - 1) - 1),
        }
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind != "i":
                raise NmcError(name, f"{register} holds {value.dtype}, expected integers")
            if np.any(value < low) or np.any(value > high):
                raise NmcError(
                    name,
                    f"{register} spans {value.min()} to {value.max()}, Loihi holds {low} to {high}",
                )
        if not 0 <= self.bias_exponent <= BIAS_EXPONENT_LIMIT or not 1 <= self.refractory <= 63:
            raise NmcError(
                name,
                f"bias exponent {self.bias_exponent} (0 to 7) or refractory "
                f"{self.refractory} (1 to 63 steps) does not fit Loihi",
            )

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Current and membrane before step 0; the refractory counter begins at zero."""
        u, v = (np.broadcast_to(a, shape).astype(np.int32) for a in (self.u_init, self.v_init))
        return {"u": u, "v": v, "hold": np.zeros(shape, np.int32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        level = self.threshold.astype(np.int64) << STATE_SHIFT
        fires = np.greater_equal if self.inclusive else np.greater
        u = scale_toward_zero(state["u"], 4095 - self.du.astype(np.int64), DECAY_BITS)
        u = wrap(u + (current.astype(np.int64) << STATE_SHIFT), STATE_BITS)
        v = scale_toward_zero(state["v"], 4096 - self.dv.astype(np.int64), DECAY_BITS)
        v = v + u + (self.bias_mantissa.astype(np.int64) << self.bias_exponent)
        if self.reset is Reset.SUBTRACT and self.subtract_late and not self.silent:
            v = v - np.where(fires(state["v"], level), level, 0)
        v = np.where(state["hold"] > 0, 0, saturate(v, STATE_BITS))
        spikes = fires(v, level) & (not self.silent)
        if self.reset is Reset.ZERO:
            v = np.where(spikes, 0, v)
        elif self.reset is Reset.SUBTRACT and not self.subtract_late:
            v = np.where(spikes, v - level, v)
        hold = np.maximum(np.where(spikes, self.refractory, state["hold"]) - 1, 0)
        new = {"u": u.astype(np.int32), "v": v.astype(np.int32), "hold": hold.astype(np.int32)}
        return new, spikes.astype(np.int32)

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.loihi._arithmetic_kernels import advance

        per_neuron = tuple(
            np.broadcast_to(a, shape).reshape(-1).astype(np.int32)
            for a in (self.du, self.dv, self.threshold, self.bias_mantissa)
        )
        mode = {Reset.NONE: 0, Reset.ZERO: 1, Reset.SUBTRACT: 2 + (not self.subtract_late)}
        constants = (self.bias_exponent, self.refractory, mode[self.reset], self.inclusive,
                     self.silent)

        def step(state: State, current: Array, spikes: Array) -> None:
            advance(state["u"], state["v"], state["hold"], current, spikes, *per_neuron, *constants)

        return step
