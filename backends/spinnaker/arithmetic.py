"""SpiNNaker 1's leaky integrate-and-fire neuron: its registers, its readable step, its kernel.

The build is sPyNNaker 7.4.1's combined one (IF_curr_exp.aplx, IF_cond_exp.aplx,
IF_curr_delta.aplx: synapses and neurons on one core), which the host takes at time steps of 1 ms
and more (population_vertex.py, `use_combined_core`). The split build (IF_curr_exp_neuron.aplx
beside synapses.aplx) has the same neuron, but adds the ring buffers of its synapse cores without
saturation (c_main_neurons.c, `sum`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from nmcompile_backends.spinnaker.accum import FRACTION_BITS, LIMITS, decayed, product, wrapped

from nmcompile.arithmetic.fixed_point import leaves
from nmcompile.errors import ChipNeuronError, RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

RING_LIMIT = 0xFFFF  # entries of a ring buffer saturate (synapses.c, `process_fixed_synapses`)
CONDUCTANCE_SHIFT = 10  # conductances stand 1024 times too high (input_type_conductance.h)
SHIFT_LIMIT = 16  # 0xFFFF << 16 fills the word

ACCUMS = ("v_rest", "v_reset", "threshold", "resistance", "decay", "i_offset", "refractory",
          "reversal_exc", "reversal_inh", "scale", "v_init", "exc_init", "inh_init")
OF_A_STEP = 10  # of these, the ones that a step needs
OF_THE_HOST = ("tau_m", "cm", "tau_syn_e", "tau_syn_i")
FRACTIONS = ("exc_decay", "exc_gain", "inh_decay", "inh_gain")


def _zero() -> Array:
    return np.zeros((), np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class SpinnakerNeuron:
    """IF_curr_exp, IF_cond_exp (`conductance`) and IF_curr_delta (`delta`) in the chip's own words.

    Each step, with q[0] and q[1] the sums of the excitatory and inhibitory magnitudes that arrive:

        exc = exc + exc_gain * (min(q[0], 0xFFFF) << shift_exc)          inh alike
        i   = exc - inh + i_offset                                       or, for conductances,
        i   = (exc >> 10) * (reversal_exc - v) + (inh >> 10) * (reversal_inh - v) + i_offset
        a   = i * resistance + v_rest;    v = a - decay * (a - v)        unless refractory
        spike where v >= threshold, then v = v_reset for `refractory` further steps
        exc = exc_decay * exc                                            inh alike

    and for delta synapses, whose inputs are gone behind the step,

        exc = exc + (min(q[0], 0xFFFF) << shift_exc);   i = scale * exc - scale * inh + i_offset

    (neuron.c `neuron_transfer`, neuron_impl_standard.h, neuron_model_lif_impl.h,
    exp_synapse_utils.h, synapse_types_delta_impl.h, input_type_delta.h). Numbers are accums
    (`accum.py`); v, exc and inh are what the core holds after its step, so exc and inh have decayed
    and sPyNNaker's recordings, taken ahead of the update, show v a step later.

    resistance, decay    accums that the core computes: tau_m / cm and exp(-dt / tau_m)
    refractory           steps
    *_decay, *_gain      u0.32 that the core computes: exp(-dt / tau) and (1 - that) * tau / dt
    scale                accum that the core computes: 1 / dt in ms
    tau_m, cm, tau_syn_* accums that the host writes and the core computes from; no step uses them
    early                steps that the core runs ahead of the network's first, its refractory
                         timer counting them
    """

    kind: ClassVar[str] = "spinnaker"
    state_names: ClassVar[tuple[str, ...]] = ("exc", "inh", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "decay": ("decay",), "exc_decay": ("decay",), "inh_decay": ("decay",),
        "threshold": ("threshold",), "v_reset": ("reset",), "refractory": ("refractory",),
        "i_offset": ("bias",)}
    currents: ClassVar[int] = 2

    v_rest: Array
    v_reset: Array
    threshold: Array
    resistance: Array
    decay: Array
    i_offset: Array
    refractory: Array
    exc_decay: Array
    exc_gain: Array
    inh_decay: Array
    inh_gain: Array
    shift_exc: int = 0
    shift_inh: int = 0
    conductance: bool = False
    delta: bool = False
    early: int = 0
    reversal_exc: Array = field(default_factory=_zero)
    reversal_inh: Array = field(default_factory=_zero)
    scale: Array = field(default_factory=_zero)
    v_init: Array = field(default_factory=_zero)
    exc_init: Array = field(default_factory=_zero)
    inh_init: Array = field(default_factory=_zero)
    tau_m: Array = field(default_factory=_zero)
    cm: Array = field(default_factory=_zero)
    tau_syn_e: Array = field(default_factory=_zero)
    tau_syn_i: Array = field(default_factory=_zero)

    @property
    def level(self) -> Array:
        """The v at which it fires."""
        return self.threshold

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its word."""
        limits = dict.fromkeys((*ACCUMS, *OF_THE_HOST), LIMITS)
        limits |= dict.fromkeys(FRACTIONS, (0, 2**32 - 1))
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            require_shape(name, register, value, shape)
            if value.dtype.kind not in "iu" or np.any(value < low) or np.any(value > high):
                raise RegisterError(name, f"{register} spans {value.min()} to {value.max()} "
                                    f"({value.dtype}), SpiNNaker holds integers of {low} to {high}")
        for register in ("shift_exc", "shift_inh"):
            if not 0 <= getattr(self, register) <= SHIFT_LIMIT:
                raise RegisterError(name, f"{register} is {getattr(self, register)}, "
                                    f"expected 0 to {SHIFT_LIMIT}")
        if self.early < 0 or (self.conductance and self.delta):
            raise RegisterError(
                name, f"{self.early} early steps, or conductances without decay, are "
                "none of SpiNNaker's")
        if self.early and np.any(self.v_init >= self.threshold):
            raise ChipNeuronError(
                name, "its membrane begins at its threshold, and fires in each of the "
                f"{self.early} steps ahead of the first input", "Start it from lower.")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """What the core holds before step 0, its refractory timer at zero."""
        begin = {"exc": self.exc_init, "inh": self.inh_init, "v": self.v_init, "hold": _zero()}
        for _ in range(self.early):
            begin["exc"] = self._kept(begin["exc"], self.exc_decay)
            begin["inh"] = self._kept(begin["inh"], self.inh_decay)
        return {k: np.broadcast_to(a, shape).astype(np.int32) for k, a in begin.items()}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` is (samples, 2, *shape), never below 0."""
        exc = self._arrived(state["exc"], current[:, 0], self.exc_gain, self.shift_exc)
        inh = self._arrived(state["inh"], current[:, 1], self.inh_gain, self.shift_inh)
        v, hold = state["v"].astype(np.int64), state["hold"]
        target = wrapped(product(self._current(exc, inh, v), self.resistance) + self.v_rest)
        moved = wrapped(target - product(self.decay, wrapped(target - v)))
        v = np.where(hold > 0, v, moved)
        spikes = v >= self.threshold
        after = {
            "exc": self._kept(exc, self.exc_decay),
            "inh": self._kept(inh, self.inh_decay),
            "v": np.where(spikes, self.v_reset, v),
            "hold": np.where(spikes, self.refractory, hold - (hold > 0)),
        }
        return {k: a.astype(np.int32) for k, a in after.items()}, spikes.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step overfills an entry of a ring buffer (exc, inh), or wraps v."""
        exc = self._arrived(state["exc"], current[:, 0], self.exc_gain, self.shift_exc)
        inh = self._arrived(state["inh"], current[:, 1], self.inh_gain, self.shift_inh)
        v, driven = state["v"].astype(np.int64), self._current(exc, inh, state["v"])
        target = (driven * np.asarray(self.resistance, np.int64) >> FRACTION_BITS) + self.v_rest
        wraps = leaves(target, *LIMITS) | leaves(target - v, *LIMITS)
        return {"exc": current[:, 0] > RING_LIMIT, "inh": current[:, 1] > RING_LIMIT,
                "v": wraps & (state["hold"] == 0)}

    def _arrived(self, kept: Array, q: Array, gain: Array, shift: int) -> Array:
        word = wrapped(np.minimum(q.astype(np.int64), RING_LIMIT) << shift)
        return wrapped(kept.astype(np.int64) + (word if self.delta else decayed(word, gain)))

    def _kept(self, x: Array, decay: Array) -> Array:
        return np.zeros_like(x) if self.delta else decayed(x, decay)

    def _current(self, exc: Array, inh: Array, v: Array) -> Array:
        if self.conductance:
            exc = product(exc >> CONDUCTANCE_SHIFT, wrapped(self.reversal_exc - v))
            inh = product(-(inh >> CONDUCTANCE_SHIFT), wrapped(self.reversal_inh - v))
        if self.delta:
            exc, inh = product(exc, self.scale), product(inh, self.scale)
        return wrapped(exc - inh + self.i_offset)

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays; `current` is (samples, 2 * neurons)."""
        from nmcompile_backends.spinnaker._arithmetic_kernels import advance

        accums, fractions = (
            np.stack([np.broadcast_to(getattr(self, name), shape).reshape(-1) for name in names])
            .astype(np.int64)
            for names in (ACCUMS[:OF_A_STEP], FRACTIONS)
        )
        constants = (self.shift_exc, self.shift_inh, self.conductance, self.delta)

        def step(state: State, current: Array, spikes: Array) -> None:
            advance(state["exc"], state["inh"], state["v"], state["hold"], current, spikes,
                    accums, fractions, *constants)

        return step
