"""The integer neuron of Loihi: its parameters, its readable step, and its kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

import numpy as np

from nmcompile.arithmetic.fixed_point import leaves, overflow, scale_toward_zero, wrap
from nmcompile.errors import RegisterError
from nmcompile.ir.neurons import Reset, State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

STATE_BITS = 24  # u and v: 23 bits and sign (lava-nc proc/lif/models.py `uv_bitwidth`)
DECAY_BITS = 12  # (lava-nc proc/lif/models.py `decay_shift`)
STATE_SHIFT = 6  # weights and thresholds stand 6 bits above the state's unit (same, `vth_shift`)
THRESHOLD_LIMIT = 2**17 - 1  # nengo-loihi 1.1.0 VTH_MAN_MAX
BIAS_MANTISSA_LIMIT = 2**12 - 1  # nengo-loihi 1.1.0 BIAS_MAN_MAX
BIAS_EXPONENT_LIMIT = 7  # nengo-loihi 1.1.0 BIAS_EXP_MAX
INPUT_BITS = 22  # q << 6 in nengo-loihi 1.1.0: Q_BITS = 21 and sign
# du + 1 is taken from 4096. Lava's netx gives layers without decay du = -1 (lava-dl 0.6.0
# netx/hdf5.py: du = iDecay - 1, iDecay 0), and lava-nc's LIF computes it as any other.
NO_DECAY = -1
# Fields of NxSDK's cxProfileCfg beside the decays of the dendrite, by which NxTF joins the two
# (intel-nrc-ecosystem/models, nxsdk_modules_ncl/dnn/src/dnn_mapper.py, resetMode "soft").
DENDRITE = {"threshOp": 2, "stackOut": 1, "refractDelay": 0}
SOMA = {"decayU": 4095, "decayV": 4095, "bapAction": 0, "threshOp": 0, "stackIn": 2, "joinOp": 6,
        "refractDelay": 0}
EDGES = ("lava", "nengo")  # the public emulators of Loihi whose edges are known


@dataclass(frozen=True, kw_only=True, eq=False)
class LoihiNeuron:
    """Loihi's current-based leaky integrate-and-fire neuron in its own integers.

        u = wrap24(u * (4096 - du - 1) / 4096 + (q << 6))
        v = clip24(v * (4096 - dv) / 4096 + u + (bias_mantissa << bias_exponent))
        spike where v > threshold << 6, or where v >= threshold << 6 if `inclusive`

    Products round toward zero. `q` is the sum of the weights that arrived. v stays within
    1 - 2**v_min_exponent and 2**(9 + 2 * v_max_exponent) - 1. Refractory as in nengo-loihi (1 is
    none). Reset zero clears v in the step of the spike. Reset subtract is microcode (Loihi 2):
    `threshold << 6` leaves v in the step after the spike, behind the leak (`subtract_late`), or in
    the step of the spike. So is the inclusive comparison.

    `edges` says which emulator the registers overflow like. lava: as lava-nc's `PyLifModelBitAcc`,
    u at 2**23 stays and at -2**23 wraps. nengo: as nengo-loihi's `CompartmentState`, in two's
    complement, and so do q << 6 in 22 bits and u + (bias_mantissa << bias_exponent) in 24 bits.

    du             -1..4095; at -1 u keeps all of itself, as in Lava
    dv             0..4095
    threshold      0..131071
    bias_mantissa  -4095..4095, bias_exponent 0..7
    u_init, v_init  u and v before the first step, in their own unit
    silent         true where the neuron never fires (a readout of v)
    compartments   1, or on Loihi 1, whose compartments are cleared where they fire, 2 for one that
                   fires and is not: see `soft_reset.py`
    v_min_exponent, v_max_exponent  0..23 and 0..7 (nengo-loihi 1.1.0 builder/discretize.py)
    """

    kind: ClassVar[str] = "loihi"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "du": ("decay",), "dv": ("decay",),
        "threshold": ("threshold",), "inclusive": ("threshold",),
        "edges": ("saturation", *EDGES), "v_min_exponent": ("saturation",),
        "v_max_exponent": ("saturation",), "reset": ("reset",), "subtract_late": ("reset",),
        "refractory": ("refractory",), "bias_mantissa": ("bias",)}

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
    edges: str = "lava"
    v_min_exponent: int = 23
    v_max_exponent: int = 7
    compartments: int = 1

    @property
    def level(self) -> Array | None:
        """The v at or above which it fires; None where it never does."""
        return None if self.silent else self.threshold.astype(np.int64) << STATE_SHIFT

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        limits = {
            "du": (NO_DECAY, 4095),
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
                raise RegisterError(name, f"{register} holds {value.dtype}, expected integers")
            if np.any(value < low) or np.any(value > high):
                raise RegisterError(
                    name,
                    f"{register} spans {value.min()} to {value.max()}, Loihi holds {low} to {high}",
                )
        if not 0 <= self.bias_exponent <= BIAS_EXPONENT_LIMIT or not 1 <= self.refractory <= 63:
            raise RegisterError(
                name,
                f"bias exponent {self.bias_exponent} (0 to 7) or refractory "
                f"{self.refractory} (1 to 63 steps) does not fit Loihi",
            )
        self._verify_edges(name)

    def _verify_edges(self, name: str) -> None:
        if not 0 <= self.v_min_exponent <= 23 or not 0 <= self.v_max_exponent <= 7:
            raise RegisterError(
                name,
                f"limits of v of the exponents {self.v_min_exponent} (0 to 23) and "
                f"{self.v_max_exponent} (0 to 7) do not fit Loihi",
            )
        if self.edges not in EDGES:
            raise RegisterError(
                name, f"edges like those of '{self.edges}', known: {', '.join(EDGES)}")
        plain = self.silent or (self.reset is Reset.ZERO and not self.inclusive)
        joined = self.reset is Reset.NONE and self.refractory == 1 and not self.inclusive
        if self.compartments != 1 and not (self.compartments == 2 and joined):
            raise RegisterError(
                name, f"{self.compartments} compartments, expected 1, or 2 where it "
                "fires above its threshold and nothing is reset")
        if self.edges == "nengo" and not plain:
            raise RegisterError(name, "nengo-loihi has no reset but to zero and fires above the "
                                      "threshold only", "Leave `edges` at 'lava'.")

    @property
    def v_limits(self) -> tuple[int, int]:
        """Lowest and highest v."""
        return 1 - 2**self.v_min_exponent, 2 ** (9 + 2 * self.v_max_exponent) - 1

    def profiles(self) -> dict[str, tuple[tuple[Array, ...], ...]]:
        """What a core keeps in NxSDK's cxProfileCfg and vthProfileCfg.

        Of two compartments the soma has a profile of its own, `SOMA`.
        """
        kind = [Reset.NONE, Reset.ZERO, Reset.SUBTRACT].index(self.reset)
        own = (self.du, self.dv, *map(np.asarray, (self.refractory, kind, int(self.silent))))
        decays = (SOMA["decayU"], SOMA["decayV"], SOMA["refractDelay"])
        soma = tuple(map(np.asarray, (*decays, -1, 0)))
        return {"compartment_profiles": (own, soma)[: self.compartments],
                "threshold_profiles": ((self.threshold,),)}

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Current and membrane before step 0; the refractory counter begins at zero."""
        u, v = (np.broadcast_to(a, shape).astype(np.int32) for a in (self.u_init, self.v_init))
        return {"u": u, "v": v, "hold": np.zeros(shape, np.int32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is q."""
        level = self.threshold.astype(np.int64) << STATE_SHIFT
        fires = np.greater_equal if self.inclusive else np.greater
        u, driven = self._current(state["u"], current.astype(np.int64) << STATE_SHIFT)
        v = self._membrane(state["v"], driven)
        v = np.where(state["hold"] > 0, 0, np.clip(v, *self.v_limits))
        spikes = fires(v, level) & (not self.silent)
        if self.reset is Reset.ZERO:
            v = np.where(spikes, 0, v)
        elif self.reset is Reset.SUBTRACT and not self.subtract_late:
            v = np.where(spikes, v - level, v)
        hold = np.maximum(np.where(spikes, self.refractory, state["hold"]) - 1, 0)
        new = {"u": u.astype(np.int32), "v": v.astype(np.int32), "hold": hold.astype(np.int32)}
        return new, spikes.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step with q `current` wraps u or saturates v, by the name of the state."""
        arrived = current.astype(np.int64) << STATE_SHIFT
        u, driven = self._current(state["u"], arrived)
        whole = scale_toward_zero(state["u"], 4095 - self.du.astype(np.int64), DECAY_BITS) + arrived
        v, (low, high) = self._membrane(state["v"], driven), self.v_limits
        return {"u": u != whole, "v": leaves(v, low, high) & (state["hold"] == 0)}

    def _membrane(self, v: Array, driven: Array) -> Array:
        """The membrane after leak, input and a late subtraction, in as many bits as it takes."""
        level = self.threshold.astype(np.int64) << STATE_SHIFT
        fires = np.greater_equal if self.inclusive else np.greater
        after = scale_toward_zero(v, 4096 - self.dv.astype(np.int64), DECAY_BITS) + driven
        if self.reset is Reset.SUBTRACT and self.subtract_late and not self.silent:
            after = after - np.where(fires(v, level), level, 0)
        return after

    def _current(self, u: Array, arrived: Array) -> tuple[Array, Array]:
        """The current after what arrived, and the current with the bias."""
        decayed = scale_toward_zero(u, 4095 - self.du.astype(np.int64), DECAY_BITS)
        bias = self.bias_mantissa.astype(np.int64) << self.bias_exponent
        if self.edges == "nengo":
            u = overflow(decayed + overflow(arrived, INPUT_BITS), STATE_BITS)
            return u, overflow(u + bias, STATE_BITS)
        u = wrap(decayed + arrived, STATE_BITS)
        return u, u + bias

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.loihi._arithmetic_kernels import CHUNK, advance

        samples = max(1, CHUNK // prod(shape))  # so many short rows are one
        per_neuron = tuple(
            np.tile(np.broadcast_to(a, shape).reshape(-1).astype(np.int32), samples)
            for a in (self.du, self.dv, self.threshold, self.bias_mantissa)
        )
        mode = {Reset.NONE: 0, Reset.ZERO: 1, Reset.SUBTRACT: 2 + (not self.subtract_late)}
        constants = (self.bias_exponent, self.refractory, mode[self.reset], self.inclusive,
                     self.silent, self.edges == "nengo", *self.v_limits)

        def step(state: State, current: Array, spikes: Array) -> None:
            states = (state[name].reshape(-1) for name in ("u", "v", "hold"))
            sums, fired = (a.reshape(len(a), -1) for a in (current, spikes))
            advance(*states, sums, fired, *per_neuron, *constants)

        return step
