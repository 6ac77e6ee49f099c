"""Loihi behind the backend interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nmcompile_backends.loihi import emit, encode, legalize, misfits
from nmcompile_backends.loihi.adaptive import LoihiAdaptive
from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.relay import LoihiRelay
from nmcompile_backends.loihi.resonator import LoihiResonator
from nmcompile_backends.loihi.sigma_delta import LoihiSigmaDelta

from nmcompile.backend import EncodedLayer, Layer, Misfit, Relay
from nmcompile.ir import Input, Network, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.target import Target

BLOCK = 64  # synapses that share one header (nengo-loihi 1.1.0 Synapse.bits)
HEADER_BITS = 4 + 6
WORD_BITS = 64


class LoihiBackend:
    """Loihi 1 and 2; what differs between them stands in their target files."""

    name = "loihi"
    neurons: tuple[type, ...] = (
        LoihiNeuron, LoihiRelay, LoihiSigmaDelta, LoihiResonator, LoihiAdaptive)
    free_bias = True
    own_thresholds = 7  # a core tells 7 apart: nengo-loihi 1.1.0 hardware/builder.py, MAX_VTH_CFGS
    index_bits = 12  # the largest of nengo-loihi 1.1.0's legal index widths
    shares_cores = True
    activation_bits = 0

    def relay(self, target: Target) -> Relay | None:
        """Loihi 2 has one: its spikes carry payloads of 16 bits."""
        if not encode.has_microcode(target):
            return None
        return Relay(
            neuron=LoihiRelay(), largest=2 ** (target.formats.payload_bits.value - 1) - 1,
            one=SynapseFormat(bits=target.formats.weight_bits.value, sign="excitatory"),
            exponents=encode.EXPONENTS)

    def legalize(self, network: Network, target: Target) -> Network:
        """See `nmcompile_backends.loihi.legalize`."""
        return legalize.legalize(network, target)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """See `nmcompile_backends.loihi.legalize`."""
        return legalize.input_format(port, values, target)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """See `nmcompile_backends.loihi.misfits`."""
        return misfits.misfits(layer, target, steps)

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """See `nmcompile_backends.loihi.encode`."""
        return encode.natural_scale(layer, target)

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """See `nmcompile_backends.loihi.encode`."""
        return encode.encode(layer, scale, clip, target)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """See `nmcompile_backends.loihi.encode`."""
        return encode.weight_levels(synapses.sign, synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Bits of rows: blocks of 64 synapses, each with a header, in whole 64-bit words.

        Packing as in nengo-loihi 1.1.0 (`Synapse.bits`, hardware allocation), without tag fields.
        """
        bits = synapses.bits + (self.index_bits if indexed else 0)
        full, rest = np.divmod(np.asarray(n_synapses, np.int64), BLOCK)
        return full * _block_bits(bits, BLOCK) + (rest > 0) * _block_bits(bits, rest)

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """All cores are alike."""
        return {}

    def tick_work(self, target: Target) -> None:
        """No timer hurries its cores."""

    def timing(self, program: Program) -> None:
        """Cores work as the target's times say."""

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """See `nmcompile_backends.loihi.emit`."""
        return emit.emit(program, folder)


def _block_bits(bits: int, n_synapses: Array | int) -> Array | int:
    return -(-(HEADER_BITS + n_synapses * bits) // WORD_BITS) * WORD_BITS
