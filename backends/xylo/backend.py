"""Xylo behind the backend interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nmcompile_backends.xylo import emit, encode, legalize, misfits
from nmcompile_backends.xylo.arithmetic import XyloNeuron

from nmcompile.backend import EncodedLayer, Layer, Misfit
from nmcompile.ir import Input, Network, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, Timing
from nmcompile.target import Target

WEIGHT_BITS = encode.WEIGHT_BITS


class XyloBackend:
    """Xylo Audio 2, Audio 3 and IMU; what differs between them stands in their target files."""

    name = "xylo"
    neurons: tuple[type, ...] = (XyloNeuron,)
    free_bias = True
    own_thresholds = 1 << 30  # each neuron has a register; Rockpool's channel_quantize uses it
    index_bits = 0  # memory is published in weights; what names their targets is not counted
    shares_cores = True
    activation_bits = 0

    def relay(self, target: Target) -> None:
        """It has not: each hidden neuron has a synaptic current."""

    def legalize(self, network: Network, target: Target) -> Network:
        """See `nmcompile_backends.xylo.legalize`."""
        return legalize.legalize(network, target)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """See `nmcompile_backends.xylo.legalize`."""
        return legalize.input_format(port, values, target)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """See `nmcompile_backends.xylo.misfits`."""
        return misfits.misfits(layer, target, steps)

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """See `nmcompile_backends.xylo.encode`."""
        return encode.natural_scale(layer, target)

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """See `nmcompile_backends.xylo.encode`."""
        return encode.encode(layer, scale, clip, target)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """See `nmcompile_backends.xylo.encode`."""
        return encode.weight_levels(synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Bits of the weights alone."""
        return np.asarray(n_synapses, np.int64) * WEIGHT_BITS

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """All cores are alike."""
        return {}

    def tick_work(self, target: Target) -> None:
        """Steps take as long as they need."""

    def timing(self, program: Program) -> Timing | None:
        """Its maker's formula, where the target has one; see `nmcompile_backends.xylo.timing`."""
        from nmcompile_backends.xylo.timing import XyloTiming  # numba

        formula = program.target.cycle_formula
        return XyloTiming(program, formula) if formula is not None else None

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """See `nmcompile_backends.xylo.emit`."""
        return emit.emit(program, folder)
