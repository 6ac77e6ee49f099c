"""Speck behind the backend interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nmcompile_backends.speck import encode, legalize, misfits
from nmcompile_backends.speck.configuration import configuration
from nmcompile_backends.speck.cores import WEIGHT_BITS
from nmcompile_backends.speck.limits import fitting, memory
from nmcompile_backends.speck.neuron import SpeckNeuron

from nmcompile.backend import EncodedLayer, Layer, Misfit
from nmcompile.ir import Input, Network, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program, Timing
from nmcompile.target import Target

FILE = "speck.json"


class SpeckBackend:
    """DYNAP-CNN cores of Speck2f."""

    name = "speck"
    neurons: tuple[type, ...] = (SpeckNeuron,)
    free_bias = False  # a bias takes the slow clock, and adds leaks between events
    own_thresholds = 1  # a core has one
    index_bits = 0  # a kernel's addresses say which neuron a weight is for
    shares_cores = False  # a core has the kernel and the threshold of one layer
    activation_bits = 0

    def relay(self, target: Target) -> None:
        """Speck has none: its events carry no payload."""

    def legalize(self, network: Network, target: Target) -> Network:
        """See `nmcompile_backends.speck.legalize`."""
        return legalize.legalize(network, target)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """Events without payload."""
        return SpikeFormat(payload_bits=0)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """See `nmcompile_backends.speck.misfits`."""
        return misfits.misfits(layer, target, steps)

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """See `nmcompile_backends.speck.encode`."""
        return encode.natural_scale(layer)

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """See `nmcompile_backends.speck.encode`."""
        return encode.encode(layer, scale, clip)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """See `nmcompile_backends.speck.encode`."""
        return encode.weight_levels(synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """Bits of the weights alone; what addresses add is `limits.memory`, checked by legalize."""
        return np.asarray(n_synapses, np.int64) * WEIGHT_BITS

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """The cores whose memories hold a layer: see `nmcompile_backends.speck.limits`."""
        suited = {}
        for population, core in zip(network.populations, encode.cores(network).cores, strict=True):
            need = memory(core.weight.shape, core.out_shape, core.leak is not None)
            suited[population.name] = np.isin(np.arange(target.n_cores), fitting(need))
        return suited

    def tick_work(self, target: Target) -> None:
        """There are no steps."""

    def timing(self, program: Program) -> Timing | None:
        """Queues of events, where the target has their times; see `timing.SpeckTiming`."""
        from nmcompile_backends.speck.timing import SpeckTiming  # numba

        pipeline = program.target.event_pipeline
        return SpeckTiming(program, pipeline) if pipeline is not None else None

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """Write samna's fields as JSON; layers stand on the cores that the mapping gives them."""
        network = encode.cores(program.network)
        network.verify()
        names = [p.name for p in program.network.populations]
        slices = program.mapping.slices
        place_of = dict(zip(slices.population.tolist(), slices.core.tolist(), strict=True))
        places = {name: place_of[index] for index, name in enumerate(names)}
        shown = {names.index(output.population) for output in program.network.outputs}
        fields = configuration(network, tuple(places.values()), tuple(shown))
        text = json.dumps({"layers": places, **fields}, separators=(",", ":"))
        (folder / FILE).write_text(text + "\n", encoding="utf-8")
        leaks = [name for name, core in zip(names, network.cores, strict=True)
                 if core.leak is not None]
        clock = f"; the leak of {', '.join(leaks)} needs a tick of the slow clock for each step"
        return {FILE: "the fields of samna's SpeckConfiguration, as sinabs 3.1.3 fills them"
                + (clock if leaks else "")}
