"""What every neuron model answers, and the vocabulary of resets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]
State = dict[str, Array]
Stepper = Callable[[State, Array, Array], None]


class Reset(Enum):
    """What a spike does to the membrane."""

    NONE = "none"
    ZERO = "zero"
    SUBTRACT = "subtract"


class ResetAt(Enum):
    """When the reset of a spike of step t takes effect.

    SPIKE      at the end of step t: the stored membrane is the one after the reset
    LEAK       at the start of step t+1, before the leak
    INPUT      in step t+1, after leak and input (a reset to zero then loses that step's input)
    UNDELAYED  at the end of step t, with the comparison of step t made against a membrane that
               was lowered again if it had stayed above the threshold after its reset
               (snnTorch 1.0, `reset_delay=False`)
    """

    SPIKE = "spike"
    LEAK = "leak"
    INPUT = "input"
    UNDELAYED = "undelayed"


class Neuron(Protocol):
    """A neuron model: parameters (scalars or arrays of the population's shape) and one step.

    `kind` names the model in files and messages; `state_names` are the arrays of its state
    in the order of update; `spiking` is false for a model that only has a membrane, `graded` true
    for one whose spikes carry real values. A model with several input currents says how many in
    `currents`; its current and its bias have them as an axis in front of the population's.
    """

    kind: ClassVar[str]
    state_names: ClassVar[tuple[str, ...]]
    spiking: ClassVar[bool]
    graded: ClassVar[bool]

    def verify(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise NmcError where a parameter breaks a rule of the model."""

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """The state before step 0 as arrays of `shape` (samples, *population shape)."""

    def step(self, state: State, current: Array) -> tuple[State, Array]:
        """State and spikes after one step with the summed input `current` of that step."""


@dataclass(frozen=True, kw_only=True)
class Accumulator:
    """Where a chip adds arriving spikes one after the other, each addition saturating.

        state = min(max(state + spikes * weight, low), high)

    once for each source, in the order of the network's inputs, then of its populations, and of
    the neurons in each. As all spikes of one source have one weight, adding them one by one is
    this one addition.

    states     the states that are added to, one for each input current
    low, high  where they saturate
    """

    states: tuple[str, ...]
    low: int
    high: int


class ChipNeuron(Neuron, Protocol):
    """A neuron in a chip's integers: its readable `step`, and the same as a fast kernel.

    A model may have an attribute `accumulator` (see Accumulator). What arrives is then in its
    states before `step` and `stepper` are called, whose `current` is only the population's bias;
    called by themselves, they add `current` at once. A sum that wraps, or that cannot leave its
    register, needs none.

    A model that a chip makes of several compartments says how many in an attribute `compartments`.
    One that acts on itself through a synapse has a method `parts`: it gives the population without
    that synapse, and the synapse as a projection. What is mapped is these two.

    A model whose core keeps registers once for all neurons in which they are the same has a method
    `profiles` (see `profiles_of`).

    A model may have an attribute `rules` (see `rules_of`), and an attribute `level`: the v, of the
    population's shape or less, at which a neuron fires.

    A model has a method `splitter` where a neuron of the chip sends to few cores: it gives a neuron
    that spikes in the step in which a spike arrives with weight 1, and the format of that weight.
    That neuron's class has `splits` true. Where a line takes neurons of a core that fire alike,
    `copies` says how many.
    """

    def stepper(self, shape: tuple[int, ...]) -> Stepper:
        """A function (state, current, spikes) that advances a population of `shape` in place.

        It takes flat arrays: states (samples, n), and of one or several steps the current
        (steps, samples, currents * n) and the spikes (steps, samples, n), both int32. It changes
        the state and writes all of `spikes`. Several threads may call it, each with its own arrays.
        """


def compartments_of(neuron: Neuron) -> int:
    """How many of a core's compartments each neuron of a model takes."""
    return int(getattr(neuron, "compartments", 1))


def accumulator_of(neuron: Neuron) -> Accumulator | None:
    """Where `neuron` adds arriving spikes one by one; None if their sum is enough."""
    accumulator: Accumulator | None = getattr(neuron, "accumulator", None)
    return accumulator


def is_splitter(neuron: Neuron) -> bool:
    """Whether a neuron hands on the spikes of one source, added by the compiler."""
    return bool(getattr(neuron, "splits", False))


def copies_of(neuron: Neuron) -> int:
    """How many neurons of a core a line takes that a neuron feeds; 0 where it takes none."""
    return int(getattr(neuron, "copies", 0))


def rules_of(neuron: Neuron) -> dict[str, tuple[Any, ...]]:
    """What registers of `neuron` decide, by their names: what may be wrong on a device.

    The first of each is the rule: decay, threshold, saturation, reset, refractory or bias. Behind
    it are the values that the register may have; none: it may be one more or less, or the other of
    two, or another of an enumeration.
    """
    found: dict[str, tuple[Any, ...]] = getattr(neuron, "rules", {})
    return found


def level_of(neuron: Neuron) -> Array | None:
    """The v at which `neuron` fires, which broadcasts to the population's shape; None for none."""
    level: Array | None = getattr(neuron, "level", None)
    return level


def profiles_of(neuron: Neuron) -> dict[str, tuple[tuple[Array, ...], ...]]:
    """What a core keeps once for all neurons that share it, by the limit of a target's [core].

    Each neuron needs so many profiles, and each is a combination of registers: scalars or arrays
    that broadcast to the population's shape.
    """
    profiles = getattr(neuron, "profiles", None)
    return {} if profiles is None else profiles()
