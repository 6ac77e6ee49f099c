"""The Network: populations of neurons, the linear projections between them, named ports."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from nmcompile.ir.formats import SPLIT, SpikeFormat, SynapseFormat
from nmcompile.ir.maps import LinearMap
from nmcompile.ir.neurons import Neuron
from nmcompile.ir.neurons.base import Array

REAL = SpikeFormat()


@dataclass(frozen=True, kw_only=True)
class Input:
    """A named input port; it sends in step t what the user gives for step t."""

    name: str
    shape: tuple[int, ...]
    format: SpikeFormat = REAL

    @property
    def size(self) -> int:
        """Number of lines."""
        return prod(self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """Neurons of one model.

    bias   constant input current of each step, scalar or of the current's shape
    start  first step in which the neurons compute; before it their state is held
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    bias: Array = field(default_factory=lambda: np.zeros((), np.float32))
    start: int = 0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return prod(self.shape)

    @property
    def currents(self) -> int:
        """Number of input currents of a neuron."""
        return int(getattr(self.neuron, "currents", 1))

    @property
    def current_shape(self) -> tuple[int, ...]:
        """Shape of the input current: the population's, or one of it for each current."""
        return self.shape if self.currents == 1 else (self.currents, *self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """A linear map from a source (input or population) to a target population.

    delay    steps between a spike and its arrival; 0 arrives in the same step
    format   storage of the weights once they are integers
    current  which of its target's several currents it feeds; None: its map leads to all of them,
             or `format` splits its weights by their sign
    sources  first neuron of its source that it comes from and the one behind its last, in C
             order; None: all of them
    """

    source: str
    target: str
    map: LinearMap
    delay: int = 0
    format: SynapseFormat | None = None
    current: int | None = None
    sources: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.source} -> {self.target}"

    @property
    def split(self) -> bool:
        """Whether the sign of a weight says which of two currents it feeds."""
        return self.format is not None and self.format.sign == SPLIT

    def feeds_all(self, target: Population) -> bool:
        """Whether the map leads to all of several currents of `target`, its target."""
        return target.currents > 1 and self.current is None and not self.split

    def taken(self, sent: Array) -> Array:
        """Of what its source sends, (n, source's size), the columns that its map takes."""
        return sent if self.sources is None else sent[:, slice(*self.sources)]


@dataclass(frozen=True, kw_only=True)
class Output:
    """A named output port: what the model returned of a population.

    variable  "spikes" (decided by spike count) or "v" (by the membrane summed over the steps)
    weights   what each step counts, where they do not all count alike; as many as steps are run
    offset    what is added to each neuron's sum, where it is not 0
    """

    name: str
    population: str
    variable: str = "spikes"
    weights: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A spiking network in discrete time, in the order in which its populations compute.

    steps  the number of steps that the model itself runs for one sample; None if it leaves that
           to its caller
    static  true where the model repeats one value input in every step
    dt     seconds that one step stands for, where the source says it
    notes  what the user should know of how the network was obtained
    """

    inputs: tuple[Input, ...]
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    outputs: tuple[Output, ...]
    steps: int | None = None
    static: bool = False
    dt: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[Input | Population, ...]:
        """Inputs and populations: everything that sends spikes."""
        return (*self.inputs, *self.populations)

    @property
    def lags(self) -> dict[str, int]:
        """Steps by which each input and population is behind the network's own time."""
        return {node.name: getattr(node, "start", 0) for node in self.nodes}

    def population(self, name: str) -> Population:
        """The population called `name`; KeyError if there is none."""
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    def incoming(self, name: str) -> tuple[Projection, ...]:
        """Projections into population `name`."""
        return tuple(p for p in self.projections if p.target == name)

    def arriving(self, name: str) -> tuple[Projection, ...]:
        """Projections into population `name`, in the order of their sources among the nodes."""
        place = {node.name: i for i, node in enumerate(self.nodes)}
        return tuple(sorted(self.incoming(name), key=lambda p: place[p.source]))

    def outgoing(self, name: str) -> tuple[Projection, ...]:
        """Projections out of input or population `name`."""
        return tuple(p for p in self.projections if p.source == name)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of the input or population called `name`; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node.shape
        raise KeyError(name)
