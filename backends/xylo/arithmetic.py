"""The integer neuron of Xylo: its parameters, its readable step, and its kernel.

Bit-equal to xylosim 0.1.3 `v2`, SynSense's own simulator of the Xylo cores (src/v2/cpp,
XyloIAFNeuron.cpp and XyloLayer.cpp, named below as neuron and layer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nmcompile.arithmetic.fixed_point import leaves
from nmcompile.errors import ChipNeuronError, RegisterError
from nmcompile.ir.neurons import State
from nmcompile.ir.neurons.base import Accumulator, Array, Stepper
from nmcompile.ir.neurons.rules import require_shape

STATE_LOW, STATE_HIGH = -(2**15), 2**15 - 1  # XyloIAFNeuron.h: BITS_STATE 16, safe_add
WEIGHT_LOW, WEIGHT_HIGH = -(2**7), 2**7 - 1  # XyloIAFNeuron.h: BITS_WEIGHT 8; XyloLayer.h: int8_t
DASH_LIMIT = 15  # XyloIAFNeuron.h: "should be 4 bits"
SHIFT_LIMIT = 8  # receiveSpike takes an int16: a weight of 8 bits may be shifted by 8
INPUT_SPIKES = 15  # of one channel in one step; XyloIAFNeuron.h: MAX_NUM_INP_SPIKES
HIDDEN_SPIKES = 31  # of one neuron in one step; XyloIAFNeuron.h: MAX_NUM_SPIKES
OUTPUT_SPIKES = 1  # of one output neuron in one step; XyloIAFNeuron.h: MAX_NUM_OUT_SPIKES
SYNAPSES = ("u", "u2")
NO_ALIAS = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class XyloNeuron:
    """Xylo's leaky integrate-and-fire neuron with up to two synaptic currents.

        u, u2 = clip16(u + spikes * weight)         for each arriving source by itself
        u = u - decay(u, dash_syn[0])               u2 likewise with dash_syn[1]
        dv = clip16(-decay(v, dash_mem) + u + u2)   then clip16(dv + bias)
        v = clip16(v + dv)
        spikes = those that aliases copied; while v >= threshold and spikes < most:
            spikes = spikes + 1, v = v - threshold
        spikes of the alias = min(its spikes + spikes, most)

    with decay(x, dash) = x >> dash, or 1 with the sign of x where that is 0. Neurons compute in
    the order of their numbers: a copy to a neuron that has computed already only adds spikes.

    dash_syn   (currents, *shape) or (currents, 1...), 0..15
    dash_mem   0..15
    threshold  1..32767
    bias       -32768..32767, added behind the synaptic currents
    alias      number of the neuron (in C order) that gets a copy of a neuron's spikes, -1 for none
    most       spikes of one step: 31 for hidden neurons, 1 for outputs
    currents   synapses of a neuron: 1 or 2
    early      steps with nothing but the bias that the neuron ran before the network's first
    """

    kind: ClassVar[str] = "xylo"
    state_names: ClassVar[tuple[str, ...]] = ("u", "u2", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False
    rules: ClassVar[dict[str, tuple[Any, ...]]] = {
        "dash_syn": ("decay",), "dash_mem": ("decay",), "threshold": ("threshold",),
        "bias": ("bias",)}

    dash_syn: Array
    dash_mem: Array
    threshold: Array
    bias: Array
    alias: Array
    most: int = HIDDEN_SPIKES
    currents: int = 1
    early: int = 0

    @property
    def accumulator(self) -> Accumulator:
        """Spikes are added to the synaptic currents one by one (layer: deliver_spikes)."""
        return Accumulator(states=SYNAPSES[: self.currents], low=STATE_LOW, high=STATE_HIGH)

    @property
    def level(self) -> Array:
        """The v at which it fires."""
        return self.threshold

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter leaves its register."""
        if self.currents not in (1, 2) or self.most not in (HIDDEN_SPIKES, OUTPUT_SPIKES):
            raise RegisterError(
                name, f"{self.currents} synapses (1 or 2) or {self.most} spikes a step "
                f"({HIDDEN_SPIKES} or {OUTPUT_SPIKES}) are not Xylo's")
        limits = {
            "dash_syn": (0, DASH_LIMIT),
            "dash_mem": (0, DASH_LIMIT),
            "threshold": (1, STATE_HIGH),
            "bias": (STATE_LOW, STATE_HIGH),
            "alias": (NO_ALIAS, int(np.prod(shape)) - 1),
        }
        for register, (low, high) in limits.items():
            value = getattr(self, register)
            full = (self.currents, *shape) if register == "dash_syn" else shape
            require_shape(name, register, value, full)
            if value.dtype.kind != "i":
                raise RegisterError(name, f"{register} holds {value.dtype}, expected integers")
            if np.any(value < low) or np.any(value > high):
                raise RegisterError(
                    name,
                    f"{register} spans {value.min()} to {value.max()}, Xylo holds {low} to {high}",
                )
        if self.early < 0 or self._alone(shape)[1].any():
            raise ChipNeuronError(
                name, f"its bias of {self.bias.max()} makes it fire within the {self.early} steps "
                "that it runs before the first input reaches it", "Lower the bias.")

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """All states are zero but for what the bias left behind in the early steps."""
        state, _ = self._alone(shape[1:])
        return {name: np.broadcast_to(v, shape).astype(np.int32) for name, v in state.items()}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step in readable numpy; `current` (samples, currents, *shape) is added at once."""
        new = {name: state[name].astype(np.int64) for name in self.state_names}
        for k, (name, arrived) in enumerate(self._arrived(state, current).items()):
            new[name] = self._decayed(_clip(arrived), k)
        new["v"], spikes = self._fire(_clip(self._sums(new)[-1]))
        return {k: v.astype(np.int32) for k, v in new.items()}, spikes.astype(np.int32)

    def overflows(self, state: State, current: Array) -> dict[str, Array]:
        """Where the next step saturates a current or v, or leaves spikes over for a later step.

        Of spikes that arrive one by one only their sum is looked at.
        """
        new = {name: state[name].astype(np.int64) for name in self.state_names}
        arrived = self._arrived(state, current)
        for k, (name, u) in enumerate(arrived.items()):
            new[name] = self._decayed(_clip(u), k)
        sums = self._sums(new)
        found = {name: leaves(u, STATE_LOW, STATE_HIGH) for name, u in arrived.items()}
        v: Array = np.any([leaves(x, STATE_LOW, STATE_HIGH) for x in sums], axis=0)
        return {**found, "v": v, "spikes": _clip(sums[-1]) // self.threshold > self.most}

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """The step as a kernel over flat arrays, for a population of `shape`."""
        from nmcompile_backends.xylo._arithmetic_kernels import advance

        dash_syn = np.broadcast_to(self.dash_syn, (self.currents, *shape))
        dashes = np.ascontiguousarray(dash_syn.reshape(self.currents, -1), np.int32)
        registers = tuple(
            np.ascontiguousarray(np.broadcast_to(a, shape).reshape(-1), np.int32)
            for a in (self.dash_mem, self.threshold, self.bias, self.alias)
        )

        def step(state: State, current: Array, spikes: Array) -> None:
            advance(state["u"], state["u2"], state["v"], current, spikes, dashes, *registers,
                    self.most)

        return step

    def _arrived(self, state: State, current: Array) -> State:
        """Each current and what is added to it, in as many bits as they take."""
        samples, *shape = state["v"].shape
        arriving = current.reshape(samples, self.currents, *shape).astype(np.int64)
        return {name: state[name] + arriving[:, k]
                for k, name in enumerate(SYNAPSES[: self.currents])}

    def _decayed(self, u: Array, k: int) -> Array:
        """Current number `k` after its decay."""
        return u - decay(u, np.broadcast_to(self.dash_syn, (self.currents, *u.shape[1:]))[k])

    def _sums(self, state: State) -> tuple[Array, Array, Array]:
        """What is added to the membrane without and with the bias, and the membrane after it.

        Each in as many bits as it takes, of the one before in 16 bits.
        """
        change = _int16(-decay(state["v"], self.dash_mem)) + state["u"] + state["u2"]
        biased = _clip(change) + self.bias
        return change, biased, state["v"] + _clip(biased)

    def _fire(self, v: Array) -> tuple[Array, Array]:
        """Membranes after their spikes, and the spikes, each (samples, *shape)."""
        shape, alias = v.shape, np.broadcast_to(self.alias, v.shape[1:]).reshape(-1)
        v = v.reshape(len(v), -1).copy()
        threshold = np.broadcast_to(self.threshold, shape[1:]).reshape(-1).astype(np.int64)
        spikes = np.zeros_like(v)
        if np.all(alias == NO_ALIAS):
            spikes = np.clip(v // threshold, 0, self.most)
            return (v - spikes * threshold).reshape(shape), spikes.reshape(shape)
        for i, target in enumerate(alias):
            own = np.clip(v[:, i] // threshold[i], 0, self.most - spikes[:, i])
            v[:, i] -= own * threshold[i]
            spikes[:, i] += own
            if target != NO_ALIAS:
                spikes[:, target] = np.minimum(spikes[:, target] + spikes[:, i], self.most)
        return v.reshape(shape), spikes.reshape(shape)

    def _alone(self, shape: tuple[int, ...]) -> tuple[State, Array]:
        """States of one sample after the early steps, and all spikes in them."""
        state = {name: np.zeros((1, *shape), np.int32) for name in self.state_names}
        fired = np.zeros((1, *shape), np.int64)
        for _ in range(self.early):
            state, spikes = self.step(state, np.zeros((1, self.currents, *shape), np.int64))
            fired += spikes
        return state, fired


def decay(x: Array, dash: Array) -> Array:
    """What `x` loses in one step: x >> dash, at least 1 in the direction of zero."""
    shifted = np.right_shift(x, dash)
    return np.where(shifted == 0, np.sign(x), shifted)


def _clip(x: Array) -> Array:
    return np.clip(x, STATE_LOW, STATE_HIGH)


def _int16(x: Array) -> Array:
    """`x` in 16 bits: 32768, the decay of the lowest membrane with dash 0, wraps."""
    return (x + 2**15) % 2**16 - 2**15
