"""SpiNNaker 1 behind the backend interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nmcompile_backends.spinnaker import emit, encode, legalize, misfits
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron

from nmcompile.backend import EncodedLayer, Layer, Misfit
from nmcompile.ir import Input, Network, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, TickWork, Timing
from nmcompile.target import Target

HEADER_WORDS = 3  # sPyNNaker 7.4.1 utilities/constants.py, SYNAPTIC_ROW_HEADER_WORDS
WORD_BITS = 32


class SpinnakerBackend:
    """SpiNNaker 1 with sPyNNaker's IF_curr_exp and IF_curr_delta, at time steps of 1 ms."""

    name = "spinnaker"
    neurons: tuple[type, ...] = (SpinnakerNeuron,)
    free_bias = True
    own_thresholds = 1 << 30  # each neuron has registers of its own
    index_bits = 8  # sPyNNaker 7.4.1 utilities/constants.py, SYNAPSE_INDEX_BITS
    shares_cores = False  # a core of sPyNNaker runs the program of one population
    activation_bits = 0

    def relay(self, target: Target) -> None:
        """Spikes are binary."""

    def legalize(self, network: Network, target: Target) -> Network:
        """See `nmcompile_backends.spinnaker.legalize`."""
        return legalize.legalize(network, target)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """See `nmcompile_backends.spinnaker.legalize`."""
        return legalize.input_format(port, values, target)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """See `nmcompile_backends.spinnaker.misfits`."""
        return misfits.misfits(layer, target, steps)

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """See `nmcompile_backends.spinnaker.encode`."""
        return encode.natural_scale(layer, target)

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """See `nmcompile_backends.spinnaker.encode`."""
        return encode.encode(layer, scale, clip, target)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """See `nmcompile_backends.spinnaker.encode`."""
        return encode.weight_levels(synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Bits of rows: a header of three words, and a word for each synapse."""
        n = np.asarray(n_synapses, np.int64)
        return (n > 0) * (HEADER_WORDS + n) * np.int64(WORD_BITS)

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """All cores are alike."""
        return {}

    def tick_work(self, target: Target) -> TickWork | None:
        """Of sPyNNaker's programs, where the target has their times; see `timing`."""
        loop, cost = target.timer_loop, target.times
        if loop is None or cost.tick is None:
            return None
        lookup, halving = loop.lookup.value
        return TickWork(
            tick=cost.tick.value, timer=loop.timer.value, update=cost.neuron_update.value,
            spike=cost.spike_out.value, burst=loop.start.value, receive=loop.receive.value,
            lookup=lookup, halving=halving, row=loop.transfer.value + loop.row.value,
            event=cost.synaptic_event.value, line=loop.link.value, buffer=loop.buffer.value)

    def timing(self, program: Program) -> Timing | None:
        """Timers and interrupts, where the target has their times; see `timing.SpinnakerTiming`."""
        from nmcompile_backends.spinnaker.timing import SpinnakerTiming  # numba

        loop, tick = program.target.timer_loop, program.target.times.tick
        return SpinnakerTiming(program, loop, tick.value) if loop and tick else None

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """See `nmcompile_backends.spinnaker.emit`."""
        return emit.emit(program, folder)
