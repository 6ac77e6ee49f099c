"""Loihi 2's neuron with an adaptive threshold and refractoriness, in lava-nc's integers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from nmcompile_backends.loihi.arithmetic import (
    BIAS_EXPONENT_LIMIT,
    BIAS_MANTISSA_LIMIT,
    DECAY_BITS,
    STATE_BITS,
    STATE_SHIFT,
)

from nmcompile.arithmetic.fixed_point import saturate, scale_toward_zero, wrap
from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

THRESHOLD_LIMIT = 2**12 - 1  # lava-nc proc/atrlif/models.py: theta_0 and theta_step of 12 bits
STEP_LIMIT = THRESHOLD_LIMIT << STATE_SHIFT
STATE_LIMIT = 2 ** (STATE_BITS - 1) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class LoihiAdaptive:
    """Lava's ATRLIF (lava-nc 0.10 proc/atrlif/models.py, `PyATRLIFModelFixed`).

        u = wrap24(u * (4095 - du) / 4096 + (q << 6))
        v = clip24(v * (4096 - dv) / 4096 + u + (bias_mantissa << bias_exponent))
        theta = (theta - (threshold << 6)) * (4096 - dtheta) / 4096 + (threshold << 6)
        r = r * (4096 - dr) / 4096
        a spike where v - r >= theta; then r = r + 2 * theta and theta = theta + threshold_step

    Products round toward zero; theta begins at threshold << 6. Nothing resets v. theta and r are
    not limited, and need not be: neither passes 2**25, since v stays below 2**23.
    lava-nc's process wraps u by one turn only, as its LIF does.

    du, dv, dtheta, dr  0..4095
    threshold           0..4095
    threshold_step      0..4095 << 6, in the unit of the states
    bias_mantissa       -4095..4095, bias_exponent 0..7
    u_init, v_init      u and v before the first step, in their own unit
    """

    kind: ClassVar[str] = "loihi-adaptive"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v", "theta", "r")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "du": ("decay",), "dv": ("decay",), "dtheta": ("decay",), "dr": ("decay",),
        "threshold": ("threshold",), "threshold_step": ("threshold",), "bias_mantissa": ("bias",)}

    du: Array
    dv: Array
    dtheta: Array
    dr: Array
    threshold: Array
    threshold_step: Array
    bias_mantissa: Array
    bias_exponent: int = 0
    u_init: Array = field(default_factory=lambda: np.zeros((), np.int32))
    v_init: Array = field(default_factory=lambda: np.zeros((), np.int32))

    @property
    def level(self) -> Array:
        """The v above which it fires before it has adapted."""
        return self.threshold.astype(np.int64) << STATE_SHIFT

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        decays = {register: (0, 4095) for register in ("du", "dv", "dtheta", "dr")}
        limits = decays | {
            "threshold": (0, THRESHOLD_LIMIT), "threshold_step": (0, STEP_LIMIT),
            "bias_mantissa": (-BIAS_MANTISSA_LIMIT, BIAS_MANTISSA_LIMIT)}
        limits |= dict.fromkeys(("u_init", "v_init"), (-STATE_LIMIT, STATE_LIMIT))
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind != "i" or np.any(value < low) or np.any(value > high):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), Loihi holds integers of {low} to {high}")
        if not 0 <= self.bias_exponent <= BIAS_EXPONENT_LIMIT:
            raise RegisterError(name, f"a bias exponent of {self.bias_exponent}, expected 0 to 7")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Current and membrane before step 0; threshold and refractoriness are at rest."""
        begin = {"u": self.u_init, "v": self.v_init, "theta": self.threshold << STATE_SHIFT,
                 "r": np.zeros((), np.int32)}
        return {name: np.broadcast_to(a, shape).astype(np.int32) for name, a in begin.items()}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        dtheta, dr = self.dtheta.astype(np.int64), self.dr.astype(np.int64)
        base = self.threshold.astype(np.int64) << STATE_SHIFT
        u = wrap(self._current(state["u"], current), STATE_BITS)
        v = saturate(self._membrane(state["v"], u), STATE_BITS)
        theta = scale_toward_zero(state["theta"] - base, 4096 - dtheta, DECAY_BITS) + base
        r = scale_toward_zero(state["r"], 4096 - dr, DECAY_BITS)
        spikes = v - r >= theta
        after = {"u": u, "v": v, "r": r + np.where(spikes, 2 * theta, 0),
                 "theta": theta + np.where(spikes, self.threshold_step, 0)}
        return {k: values.astype(np.int32) for k, values in after.items()}, spikes.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step with q `current` wraps u or saturates v, by the name of the state."""
        whole = self._current(state["u"], current)
        u = wrap(whole, STATE_BITS)
        return {"u": u != whole, "v": np.abs(self._membrane(state["v"], u)) > STATE_LIMIT}

    def _current(self, u: Array, current: Array) -> Array:
        """The current after what arrived, in as many bits as it takes."""
        kept = scale_toward_zero(u, 4095 - self.du.astype(np.int64), DECAY_BITS)
        return kept + (current.astype(np.int64) << STATE_SHIFT)

    def _membrane(self, v: Array, u: Array) -> Array:
        """The membrane after leak, input and bias, in as many bits as it takes."""
        kept = scale_toward_zero(v, 4096 - self.dv.astype(np.int64), DECAY_BITS)
        return kept + u + (self.bias_mantissa.astype(np.int64) << self.bias_exponent)

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.loihi._arithmetic_kernels import adapt

        registers = tuple(
            np.broadcast_to(a, shape).reshape(-1).astype(np.int32)
            for a in (self.du, self.dv, self.dtheta, self.dr, self.threshold, self.threshold_step,
                      self.bias_mantissa))

        def step(state: State, current: Array, spikes: Array) -> None:
            adapt(state["u"], state["v"], state["theta"], state["r"], current, spikes,
                  *registers, self.bias_exponent)

        return step
