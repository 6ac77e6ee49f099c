"""Akida v1 behind the backend interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nmcompile_backends.akida import emit, encode, legalize
from nmcompile_backends.akida.arithmetic import ACT_BITS, AkidaNeuron
from nmcompile_backends.akida.neuron import AkidaActivation
from nmcompile_backends.akida.processors import require_processors

from nmcompile.backend import EncodedLayer, Layer, Misfit
from nmcompile.ir import Input, Network, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.target import Target


class AkidaBackend:
    """BrainChip Akida v1 (AKD1000), whose layers are those of an artificial network.

    A layer is a population, with one of the sums of its depthwise part ahead of it, and one behind
    it that pools.
    """

    name = "akida"
    neurons: tuple[type, ...] = (AkidaNeuron, AkidaActivation)
    free_bias = False
    own_thresholds = 1 << 30  # each filter has a threshold and a step
    index_bits = 0
    shares_cores = False  # a processor has the filters of one layer
    activation_bits = ACT_BITS[-1]

    def relay(self, target: Target) -> None:
        """Sums of several layers do not exist."""

    def legalize(self, network: Network, target: Target) -> Network:
        """See `nmcompile_backends.akida.legalize`."""
        return legalize.legalize(network, target)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """See `nmcompile_backends.akida.encode`."""
        return encode.input_format(port, values, target)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """Nothing is kept, so that no value has to last; registers are looked at by `encode`."""
        return iter(())

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """See `nmcompile_backends.akida.encode`."""
        return encode.natural_scale(layer, target)

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """See `nmcompile_backends.akida.encode`."""
        return encode.encode(layer, scale, clip, target)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """See `nmcompile_backends.akida.encode`."""
        return encode.weight_levels(synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Bits of weights; taking the maximum or the sum of places stores none."""
        return np.asarray(n_synapses, np.int64) * (0 if indexed else synapses.bits)

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """All processors are taken to be alike; akida's own `map` places layers.

        Raises NmcError where `map` needs more of them than there are.
        """
        require_processors(emit.layers_of(network))
        return {}

    def tick_work(self, target: Target) -> None:
        """No timer starts its steps."""

    def timing(self, program: Program) -> None:
        """No times are published."""

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """See `nmcompile_backends.akida.emit`."""
        return emit.write(program, folder)
