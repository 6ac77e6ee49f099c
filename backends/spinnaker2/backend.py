"""SpiNNaker 2 behind the backend interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nmcompile_backends.spinnaker2 import emit, encode, legalize
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron

from nmcompile.backend import EncodedLayer, Layer, Misfit
from nmcompile.ir import Input, Network, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.target import Target

ROW_BITS, SYNAPSE_BITS = 32, 16  # our estimate: a word for each row, 8 bits of weight and of target


class Spinnaker2Backend:
    """SpiNNaker 2 with py-spinnaker2's lif_no_delay."""

    name = "spinnaker2"
    neurons: tuple[type, ...] = (Spinnaker2Neuron,)
    free_bias = True
    own_thresholds = 1 << 30  # each neuron has parameters of its own
    index_bits = 8  # within SYNAPSE_BITS: 250 neurons a core
    shares_cores = False  # a core of py-spinnaker2 runs the program of one population
    activation_bits = 0

    def relay(self, target: Target) -> None:
        """Spikes are binary."""

    def legalize(self, network: Network, target: Target) -> Network:
        """See `nmcompile_backends.spinnaker2.legalize`."""
        return legalize.legalize(network, target)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """See `nmcompile_backends.spinnaker2.legalize`."""
        return legalize.input_format(port, values, target)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """Single precision holds all leaks, thresholds and biases."""
        return iter(())

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """See `nmcompile_backends.spinnaker2.encode`."""
        return encode.natural_scale(layer, target)

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """See `nmcompile_backends.spinnaker2.encode`."""
        return encode.encode(layer, scale, clip, target)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """See `nmcompile_backends.spinnaker2.encode`."""
        return encode.weight_levels(synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Bits of rows: a header, and weight and target of each synapse."""
        n = np.asarray(n_synapses, np.int64)
        return (n > 0) * (ROW_BITS + n * np.int64(SYNAPSE_BITS))

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """All cores are alike."""
        return {}

    def tick_work(self, target: Target) -> None:
        """How its program handles spikes is not public."""

    def timing(self, program: Program) -> None:
        """Cores work as the target's times say."""

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """See `nmcompile_backends.spinnaker2.emit`."""
        return emit.emit(program, folder)
