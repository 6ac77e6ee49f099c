"""Leaky integrate-and-fire neurons with and without a synaptic current, and integrators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.ir.neurons.base import Array, Reset, ResetAt, State
from nmcompile.ir.neurons.rules import require_decay, require_shape


def _zero() -> Array:
    return np.zeros((), np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class LIF:
    """Leaky integrate-and-fire neurons in discrete time.

        v[t] = decay * v[t-1] + i[t]        spike where v[t] > threshold, then the reset

    decay              per-step membrane factor, 0..1 (1 is a neuron without leak)
    threshold          in the unit of the weights
    reset, reset_at    what a spike does to v, and when (see ResetAt)
    fires_at_threshold true where v == threshold already fires
    v_init             membrane before step 0
    """

    kind: ClassVar[str] = "lif"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True

    decay: Array
    threshold: Array
    reset: Reset = Reset.ZERO
    reset_at: ResetAt = ResetAt.SPIKE
    fires_at_threshold: bool = False
    v_init: Array = field(default_factory=_zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        _verify_membrane(self, name, shape)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The membrane before step 0."""
        return {"v": np.broadcast_to(self.v_init, shape).astype(np.float32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        v, spikes = fire_and_reset(self, state["v"], current)
        return {"v": v}, spikes


@dataclass(frozen=True, kw_only=True, eq=False)
class CubaLIF:
    """Leaky integrate-and-fire neurons with an exponential synaptic current.

        u[t] = current_decay * u[t-1] + i[t]
        v[t] = decay * v[t-1] + u[t]        spike where v[t] > threshold, then the reset of v

    Fields as in LIF; `current_decay` is the per-step factor of u, 0..1.
    """

    kind: ClassVar[str] = "cuba-lif"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v")
    spiking: ClassVar[bool] = True

    current_decay: Array
    decay: Array
    threshold: Array
    reset: Reset = Reset.ZERO
    reset_at: ResetAt = ResetAt.SPIKE
    fires_at_threshold: bool = False
    u_init: Array = field(default_factory=_zero)
    v_init: Array = field(default_factory=_zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        _verify_membrane(self, name, shape)
        require_shape(name, "current_decay", self.current_decay, shape)
        require_shape(name, "u_init", self.u_init, shape)
        require_decay(name, "current_decay", self.current_decay)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Current and membrane before step 0."""
        return {
            "u": np.broadcast_to(self.u_init, shape).astype(np.float32),
            "v": np.broadcast_to(self.v_init, shape).astype(np.float32),
        }

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        u = self.current_decay * state["u"] + current
        v, spikes = fire_and_reset(self, state["v"], u)
        return {"u": u, "v": v}, spikes


@dataclass(frozen=True, kw_only=True, eq=False)
class LI:
    """Leaky integrators: a membrane that never fires, for readouts.

    v[t] = decay * v[t-1] + i[t]
    """

    kind: ClassVar[str] = "li"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = False

    decay: Array
    v_init: Array = field(default_factory=_zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        require_shape(name, "decay", self.decay, shape)
        require_shape(name, "v_init", self.v_init, shape)
        require_decay(name, "decay", self.decay)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The membrane before step 0."""
        return {"v": np.broadcast_to(self.v_init, shape).astype(np.float32)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        v = self.decay * state["v"] + current
        return {"v": v}, np.zeros(v.shape, np.float32)


def fire_and_reset(neuron: LIF | CubaLIF, v: Array, current: Array) -> tuple[Array, Array]:
    """Leak, input, comparison and reset of one step: (membrane to store, spikes as 0/1 float32)."""
    threshold, zero = neuron.threshold, neuron.reset is Reset.ZERO
    fired_before = _fires(neuron, v)
    pending = fired_before if neuron.reset is not Reset.NONE else np.zeros_like(fired_before)
    if neuron.reset_at is ResetAt.LEAK:
        v = np.where(pending, 0.0 if zero else v - threshold, v)
    v = neuron.decay * v + current
    if neuron.reset_at in (ResetAt.INPUT, ResetAt.UNDELAYED):
        v = np.where(pending, 0.0 if zero else v - threshold, v)
    spikes = _fires(neuron, v)
    if neuron.reset is not Reset.NONE and neuron.reset_at is ResetAt.SPIKE:
        v = np.where(spikes, 0.0 if zero else v - threshold, v)
    if neuron.reset is Reset.SUBTRACT and neuron.reset_at is ResetAt.UNDELAYED:
        v = v - (spikes.astype(np.float32) - pending.astype(np.float32)) * threshold
    return v.astype(np.float32), spikes.astype(np.float32)


def _fires(neuron: LIF | CubaLIF, v: Array) -> Array:
    return v >= neuron.threshold if neuron.fires_at_threshold else v > neuron.threshold


def _verify_membrane(neuron: LIF | CubaLIF, name: str, shape: tuple[int, ...]) -> None:
    for field_name in ("decay", "threshold", "v_init"):
        require_shape(name, field_name, getattr(neuron, field_name), shape)
    require_decay(name, "decay", neuron.decay)
