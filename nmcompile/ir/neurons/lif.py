"""Leaky integrate-and-fire neurons with and without a synaptic current, and integrators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array, Reset, ResetAt, State
from nmcompile.ir.neurons.rules import require_decay, require_shape

UNBOUNDED = 2**31 - 1  # spikes of one step where a model sets no limit


def zero() -> Array:
    """The default of a parameter that is absent."""
    return np.zeros((), np.float32)


def unbounded() -> Array:
    """The default of a lower bound."""
    return np.full((), -np.inf, np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Membrane:
    """What neurons with a leak, a threshold and a reset have in common.

    decay              per-step membrane factor, 0..1 (1 is a neuron without leak)
    threshold          in the unit of the weights
    reset, reset_at    what a spike does to v, and when (see ResetAt)
    fires_at_threshold  true where v == threshold already fires
    spikes_per_step    most spikes of one step; with more than 1, a neuron at n times its threshold
                       fires n spikes at once, and a subtraction takes n thresholds
    v_min              lower bound of the membrane after the reset
    v_init             membrane before step 0
    state_step         where it is not 0, what a state keeps of itself and what is added to it are
                       cut toward zero to multiples of it, as in a chip's integers
    """

    decay: Array
    threshold: Array
    reset: Reset = Reset.ZERO
    reset_at: ResetAt = ResetAt.SPIKE
    fires_at_threshold: bool = False
    spikes_per_step: int = 1
    v_min: Array = field(default_factory=unbounded)
    v_init: Array = field(default_factory=zero)
    state_step: Array = field(default_factory=zero)


@dataclass(frozen=True, kw_only=True, eq=False)
class LIF(Membrane):
    """Leaky integrate-and-fire neurons in discrete time.

        v[t] = decay * v[t-1] + i[t]        spike where v[t] > threshold, then the reset

    Fields as in Membrane. A decay may be as low as -1, as the recurrent weights that a model
    learned (snnTorch's LeakyParallel starts from such); no chip has that.
    """

    kind: ClassVar[str] = "lif"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        verify_membrane(self, name, shape, lowest_decay=-1)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The membrane before step 0."""
        return {"v": started(self.v_init, shape, self.state_step)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        v, spikes = fire_and_reset(self, state["v"], current)
        return {"v": v}, spikes


@dataclass(frozen=True, kw_only=True, eq=False)
class CubaLIF(Membrane):
    """Leaky integrate-and-fire neurons with an exponential synaptic current.

        u[t] = current_decay * u[t-1] + i[t]
        v[t] = decay * v[t-1] + u[t] + v_bias
        spike where v[t] > threshold, then the reset of v

    Fields as in Membrane; `current_decay` is the per-step factor of u, 0..1, and `v_bias` a
    constant behind the synaptic current (a population's bias is part of i).
    """

    kind: ClassVar[str] = "cuba-lif"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v")
    spiking: ClassVar[bool] = True
    graded: ClassVar[bool] = False

    current_decay: Array
    v_bias: Array = field(default_factory=zero)
    u_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        verify_membrane(self, name, shape)
        require_shape(name, "current_decay", self.current_decay, shape)
        require_shape(name, "u_init", self.u_init, shape)
        require_shape(name, "v_bias", self.v_bias, shape)
        require_decay(name, "current_decay", self.current_decay)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Current and membrane before step 0."""
        return {"u": started(self.u_init, shape, self.state_step),
                "v": started(self.v_init, shape, self.state_step)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        u = _kept(self, self.current_decay, state["u"]) + toward_zero(current, self.state_step)
        v, spikes = fire_and_reset(self, state["v"], u + self.v_bias)
        return {"u": u.astype(np.float32), "v": v}, spikes


@dataclass(frozen=True, kw_only=True, eq=False)
class LI:
    """Leaky integrators: a membrane that never fires, for readouts.

    v[t] = decay * v[t-1] + i[t]
    """

    kind: ClassVar[str] = "li"
    state_names: ClassVar[tuple[str, ...]] = ("v",)
    spiking: ClassVar[bool] = False
    graded: ClassVar[bool] = False

    decay: Array
    v_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        require_shape(name, "decay", self.decay, shape)
        require_shape(name, "v_init", self.v_init, shape)
        require_decay(name, "decay", self.decay)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The membrane before step 0."""
        return {"v": started(self.v_init, shape)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        v = self.decay * state["v"] + current
        return {"v": v}, np.zeros(v.shape, np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class CubaLI:
    """Leaky integrators of an exponential synaptic current, for readouts.

    u[t] = current_decay * u[t-1] + i[t]        v[t] = decay * v[t-1] + u[t] + v_bias
    """

    kind: ClassVar[str] = "cuba-li"
    state_names: ClassVar[tuple[str, ...]] = ("u", "v")
    spiking: ClassVar[bool] = False
    graded: ClassVar[bool] = False

    current_decay: Array
    decay: Array
    v_bias: Array = field(default_factory=zero)
    u_init: Array = field(default_factory=zero)
    v_init: Array = field(default_factory=zero)

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""
        for field_name in ("current_decay", "decay", "v_bias", "u_init", "v_init"):
            require_shape(name, field_name, getattr(self, field_name), shape)
        require_decay(name, "current_decay", self.current_decay)
        require_decay(name, "decay", self.decay)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Current and membrane before step 0."""
        return {"u": started(self.u_init, shape), "v": started(self.v_init, shape)}

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """One step; `current` is i[t]."""
        u = self.current_decay * state["u"] + current
        v = self.decay * state["v"] + u + self.v_bias
        return {"u": u, "v": v}, np.zeros(v.shape, np.float32)


def started(value: Array, shape: tuple[int, ...], step: Array | None = None) -> Array:
    """A state of `shape` before step 0, cut toward zero to multiples of `step` if it has one."""
    full = np.broadcast_to(value, shape)
    return (full if step is None else toward_zero(full, step)).astype(np.float32)


def toward_zero(values: Array, step: Array) -> Array:
    """`values` cut toward zero to multiples of `step`; as they are where it is 0."""
    if not np.any(step):
        return values
    size = np.where(step > 0, step, 1).astype(np.float64)
    return np.where(step > 0, np.trunc(values / size) * size, values)


def _kept(neuron: Membrane, decay: Array, state: Array) -> Array:
    """What a state keeps of itself; on a grid the product needs more bits than a float32 has."""
    if not np.any(neuron.state_step):
        return decay * state
    return toward_zero(np.multiply(decay, state, dtype=np.float64), neuron.state_step)


def fire_and_reset(
    neuron: Membrane, v: Array, current: Array, threshold: Array | None = None
) -> tuple[Array, Array]:
    """Leak, input, comparison and reset of one step: (membrane to store, spikes as float32).

    threshold  in place of the neuron's own
    """
    threshold = neuron.threshold if threshold is None else threshold
    fires = np.greater_equal if neuron.fires_at_threshold else np.greater
    clears = neuron.reset is Reset.ZERO
    fired_before = fires(v, threshold)
    pending = fired_before if neuron.reset is not Reset.NONE else np.zeros_like(fired_before)
    if neuron.reset_at is ResetAt.LEAK:
        v = np.where(pending, 0.0 if clears else v - threshold, v)
    v = _kept(neuron, neuron.decay, v) + toward_zero(current, neuron.state_step)
    if neuron.reset_at in (ResetAt.INPUT, ResetAt.UNDELAYED):
        v = np.where(pending, 0.0 if clears else v - threshold, v)
    spikes = fires(v, threshold).astype(np.float32)
    if neuron.spikes_per_step > 1:
        spikes *= np.minimum(np.floor(v / threshold), neuron.spikes_per_step)
    if neuron.reset is not Reset.NONE and neuron.reset_at is ResetAt.SPIKE:
        v = np.where(spikes > 0, 0.0 if clears else v - spikes * threshold, v)
    if neuron.reset is Reset.SUBTRACT and neuron.reset_at is ResetAt.UNDELAYED:
        v = v - (spikes - pending.astype(np.float32)) * threshold
    return np.maximum(v, neuron.v_min).astype(np.float32), spikes.astype(np.float32)


def verify_membrane(
    neuron: Membrane, name: str, shape: tuple[int, ...], lowest_decay: int = 0
) -> None:
    """Raise NmcError where a parameter of the membrane breaks a rule."""
    for field_name in ("decay", "threshold", "v_min", "v_init", "state_step"):
        require_shape(name, field_name, getattr(neuron, field_name), shape)
    require_decay(name, "decay", neuron.decay, lowest_decay)
    if np.any(neuron.state_step < 0):
        raise ParameterError(name, "the step of its states is below 0")
    if neuron.spikes_per_step < 1:
        raise ParameterError(
            name, f"spikes_per_step is {neuron.spikes_per_step}, expected 1 or more")
    if neuron.spikes_per_step > 1 and not (
        neuron.reset_at is ResetAt.SPIKE and neuron.fires_at_threshold
        and np.all(neuron.threshold > 0)
    ):
        raise ParameterError(
            name, "several spikes a step need a reset at the spike, a comparison with "
            ">= and a threshold above 0")
