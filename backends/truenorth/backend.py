"""TrueNorth behind the backend interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nmcompile_backends.truenorth import cores, encode, legalize, misfits
from nmcompile_backends.truenorth.arithmetic import (
    AXONS_PER_LINE,
    TrueNorthNeuron,
    TrueNorthSplitter,
)

from nmcompile.backend import EncodedLayer, Layer, Misfit
from nmcompile.ir import Input, Network, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.target import Target

CROSSBAR_ROW = 256  # bits: one for each neuron of a core


class TrueNorthBackend:
    """TrueNorth, with weights of four bits: a line takes an axon of each type.

    Its target counts lines where it says axons: 64 come into a core. A neuron sends to one axon,
    so each line that a neuron feeds takes four of the core's neurons, copies that fire alike; 64
    lines leave a core. The host hears one copy more. What a neuron feeds beyond that goes through
    splitters (`passes.partition`).
    """

    name = "truenorth"
    neurons: tuple[type, ...] = (TrueNorthNeuron, TrueNorthSplitter)
    free_bias = True
    own_thresholds = 1 << 30  # each neuron has a register
    index_bits = 0  # the place in the crossbar is the index
    shares_cores = True
    activation_bits = 0

    def relay(self, target: Target) -> None:
        """Spikes are binary."""

    def legalize(self, network: Network, target: Target) -> Network:
        """See `nmcompile_backends.truenorth.legalize`."""
        return legalize.legalize(network, target)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """See `nmcompile_backends.truenorth.legalize`."""
        return legalize.input_format(port, values, target)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """See `nmcompile_backends.truenorth.misfits`."""
        return misfits.misfits(layer, target, steps)

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """See `nmcompile_backends.truenorth.encode`."""
        return encode.natural_scale(layer, target)

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """See `nmcompile_backends.truenorth.encode`."""
        return encode.encode(layer, scale, clip, target)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """See `nmcompile_backends.truenorth.encode`."""
        return encode.weight_levels(synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Bits of a line's four rows, which are there whole whatever stands in them."""
        lines = np.asarray(n_synapses, np.int64) > 0
        return lines * np.int64(AXONS_PER_LINE * CROSSBAR_ROW)

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """All cores are alike."""
        return {}

    def tick_work(self, target: Target) -> None:
        """No time of an event is published; cores are done within the tick at any load."""

    def timing(self, program: Program) -> None:
        """Cores work as the target's times say."""

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """See `nmcompile_backends.truenorth.cores`."""
        return cores.write_cores(program, folder)
