"""What a backend answers: the arithmetic of a chip family and the files that its tools read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nmcompile.ir import (
    Input,
    Network,
    Population,
    Projection,
    SpikeFormat,
    SynapseFormat,
    WeightWidth,
)
from nmcompile.ir.neurons import Neuron
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, TickWork, Timing
from nmcompile.target import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One population with what feeds it, still in real numbers.

    units  for each projection, the real value of one unit of its source's payload
    peaks  largest magnitude of v, and of u or the summed input, seen on calibration data
    width  of the weights
    last   true where nothing receives the population's spikes
    """

    population: Population
    projections: tuple[Projection, ...]
    units: tuple[float, ...]
    peaks: dict[str, float]
    width: WeightWidth
    last: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedLayer:
    """A layer in the chip's integers.

    unit          real value of one unit of its membrane v; of its shape where neurons differ
    current_unit  real value of one unit of its summed input
    message_unit  real value of one unit of the payload of its spikes
    """

    population: Population
    projections: tuple[Projection, ...]
    unit: float | Array
    current_unit: float
    message_unit: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Misfit:
    """A value that a chip's formats cannot hold, and the nearest that they can.

    where, what, nearest, effect  in words: the layer, the value found and what is allowed, the
                                  nearest legal value, and what it would change
    legal                         the population with that value; None for a projection's
    """

    where: str
    what: str
    nearest: str
    effect: str
    legal: Population | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Relay:
    """A chip's neuron that sends the sum of what arrives, in the same step, as its payload.

    neuron     in the chip's integers
    largest    magnitude of a payload
    one        format of synapses that hold a weight of 1
    exponents  lowest and highest weight exponent
    """

    neuron: Neuron
    largest: int
    one: SynapseFormat
    exponents: tuple[int, int]


class Backend(Protocol):
    """A chip family. Built-in backends and strangers' come through the same entry points.

    name     the `family` of its targets
    neurons  its integer neuron classes, for reading program files
    free_bias  whether a layer without bias may be given one at no cost
    own_thresholds  how many thresholds the neurons of a layer may have between them
    index_bits  bits that name the target of a synapse in a row that does not list them all
    shares_cores  whether a core may hold slices of several layers
    activation_bits  of the activations that a chip of artificial networks sends as they are; 0
                     where its neurons spike. Such a backend's `legalize` gets a network whose maps
                     are still chains, and gives neurons with `levels` and `with_levels`
    """

    name: str
    neurons: tuple[type, ...]
    free_bias: bool
    own_thresholds: int
    index_bits: int
    shares_cores: bool
    activation_bits: int

    def relay(self, target: Target) -> Relay | None:
        """The chip's graded relay, None where it has none."""

    def legalize(self, network: Network, target: Target) -> Network:
        """`network` with what the chip cannot run rewritten, or NmcError naming it."""

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """What of a legalized population the chip's formats cannot hold for `steps`, one by one.

        Each names the population with all values before it made legal as well.

        layer  with the peaks on the sample; the units of graded messages are not known yet: nan
        """

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """Weight units per real unit of membrane at which the weights just fill their bits."""

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """How the values of `port`, of which `values` are samples, travel on the chip."""

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """`layer` in integers at `scale`, or at the nearest one that every register can hold.

        Weights up to `clip` times the largest mantissa saturate instead of costing precision.
        The bias goes into the neuron; the population's is 0.
        """

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """Lowest and highest mantissa of a format, and the step between two of them."""

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Synapse memory, in bits, of axon rows with `n_synapses` weights each.

        indexed  each weight stands with the number of its target
        """

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """Where the cores of a board differ: layer -> (n_cores,) bool, those that hold it.

        network  in the chip's integers

        Raises NmcError naming a layer that no core holds. Layers without an entry fit all cores.
        """

    def tick_work(self, target: Target) -> TickWork | None:
        """What a core has to do within a tick; None where nothing hurries it, or little is known.

        Layers are cut so that cores are done within it, where there are cores enough.
        """

    def timing(self, program: Program) -> Timing | None:
        """The chip's own model of time; None for cores that a barrier or a timer joins."""

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """Write the chip's configuration into the empty `folder`: file name -> what it is.

        A file that the network cannot be expressed in is not written; its name then maps to
        the reason, beginning with "not written: ".
        """
