"""Pico behind nmcompile's backend interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from nmc_refractory import RefractoryLIF

from nmc_pico.arithmetic import DECAY_BITS, REGISTERS, V_HIGH, PicoNeuron
from nmc_pico.emit import write
from nmcompile.backend import EncodedLayer, Layer, Misfit
from nmcompile.errors import ChipNeuronError, ChipOutputError
from nmcompile.ir import Input, Network, Population, Projection, SpikeFormat, SynapseFormat
from nmcompile.ir.neurons import LIF, Reset, ResetAt
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.misfits import Room, largest_weight, out_of_scale
from nmcompile.target import Target

LONGEST = REGISTERS["refractory"][1]  # refractory steps


class PicoBackend:
    """One core that runs leaky neurons with a reset to zero, refractory ones among them."""

    name = "pico"
    neurons: tuple[type, ...] = (PicoNeuron,)
    free_bias = True  # the sum of a step begins with the bias
    own_thresholds = 1 << 30  # each neuron has registers of its own
    index_bits = 8
    shares_cores = True
    activation_bits = 0

    def relay(self, target: Target) -> None:
        """Spikes are binary."""

    def legalize(self, network: Network, target: Target) -> Network:
        """`network` in refractory neurons; raises NmcError naming what Pico cannot run."""
        for output in network.outputs:
            if output.variable != "spikes":
                raise ChipOutputError(
                    output.population, "its membrane is the answer, which "
                    f"{target.name} does not send", "Return the spikes of the model.")
        populations = tuple(_legal(p, target) for p in network.populations)
        return replace(network, populations=populations)

    def input_format(self, port: Input, values: Array, target: Target) -> SpikeFormat:
        """Spikes are binary."""
        return SpikeFormat(payload_bits=0)

    def misfits(self, layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
        """Thresholds and biases that leave the weights no scale."""
        largest = largest_weight(layer)
        if largest > 0:
            room = Room(coarsest=1 / largest, threshold=V_HIGH, bias=V_HIGH,
                        finest=lambda changed: self.natural_scale(changed, target))
            yield from out_of_scale(layer, target, room, layer.population.bias)

    def natural_scale(self, layer: Layer, target: Target) -> float:
        """Units of v per real unit at which the weights fill their bits, or v its own."""
        _, high, _ = layer.width.within(*_levels(layer.width.bits))
        largest = largest_weight(layer)
        return min(high / largest if largest > 0 else np.inf, _ceiling(layer))

    def encode(self, layer: Layer, scale: float, clip: float, target: Target) -> EncodedLayer:
        """`layer` at `scale` units of v per real unit, or at what weights and registers hold."""
        scale = min(scale, self.natural_scale(layer, target) * clip, _ceiling(layer))
        population, model = layer.population, layer.population.neuron
        assert isinstance(model, RefractoryLIF)
        neuron = PicoNeuron(
            bias=_whole(population.bias * scale),
            decay=_whole(model.decay * 2.0**DECAY_BITS),
            threshold=_whole(np.floor(model.threshold * scale) + 1),  # v > threshold
            refractory=_whole(model.refractory))
        neuron.verify(population.name, population.shape)
        return EncodedLayer(
            population=replace(population, neuron=neuron, bias=np.zeros((), np.int32)),
            projections=tuple(_encoded(p, scale * unit, layer)
                              for p, unit in zip(layer.projections, layer.units, strict=True)),
            unit=1 / scale, current_unit=1 / scale)

    def weight_levels(self, synapses: SynapseFormat) -> tuple[int, int, int]:
        """Lowest and highest weight, and the step between two."""
        return _levels(synapses.bits)

    def row_bits(self, synapses: SynapseFormat, n_synapses: Array, indexed: bool = False) -> Array:
        """A byte for each weight and one for its target."""
        return np.asarray(n_synapses, np.int64) * 16

    def suited_cores(self, network: Network, target: Target) -> dict[str, Array]:
        """There is one core."""
        return {}

    def tick_work(self, target: Target) -> None:
        """Nothing hurries the core."""

    def timing(self, program: Program) -> None:
        """No times are known."""

    def emit(self, program: Program, folder: Path) -> dict[str, str]:
        """See `nmc_pico.emit`."""
        return write(program, folder)


def _legal(population: Population, target: Target) -> Population:
    neuron, name = population.neuron, population.name
    if isinstance(neuron, LIF):
        neuron = _without_period(name, neuron, target)
    if not isinstance(neuron, RefractoryLIF):
        raise ChipNeuronError(name, f"{target.name} has no '{neuron.kind}' neuron",
                              "Use leaky integrate-and-fire neurons that reset to zero.")
    if np.any(neuron.refractory > LONGEST):
        raise ChipNeuronError(name, f"a refractory period of {neuron.refractory.max():g} steps, "
                              f"{target.name} has at most {LONGEST}")
    return replace(population, neuron=neuron)


def _without_period(name: str, neuron: LIF, target: Target) -> RefractoryLIF:
    """A LIF as a neuron with a period of 0; a reset ahead of the leak is one at the spike."""
    plain = LIF(decay=neuron.decay, threshold=neuron.threshold, reset=neuron.reset,
                reset_at=neuron.reset_at, fires_at_threshold=neuron.fires_at_threshold)
    unlike = [field for field in ("spikes_per_step", "v_min", "v_init", "state_step")
              if np.any(getattr(neuron, field) != getattr(plain, field))]
    if neuron.reset is not Reset.ZERO or neuron.reset_at not in (ResetAt.SPIKE, ResetAt.LEAK):
        raise ChipNeuronError(
            name, f"reset '{neuron.reset.value}' at '{neuron.reset_at.value}' does not exist on "
            f"{target.name}", "Train with a reset to zero at the spike.")
    if unlike or neuron.fires_at_threshold or np.any(neuron.decay < 0):
        raise ChipNeuronError(
            name, f"{', '.join(unlike) or 'firing at the threshold'} as the model has it does not "
            f"exist on {target.name}")
    return RefractoryLIF(decay=neuron.decay, threshold=neuron.threshold,
                         refractory=np.zeros((), np.float32))


def _levels(bits: int) -> tuple[int, int, int]:
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 1


def _ceiling(layer: Layer) -> float:
    """The largest scale at which threshold, bias and the membranes seen fit into v."""
    model = layer.population.neuron
    assert isinstance(model, RefractoryLIF)
    peaks = (float(model.threshold.max()), float(np.abs(layer.population.bias).max()),
             layer.peaks.get("v", 0.0))
    return min((V_HIGH - 1) / peak if peak > 0 else np.inf for peak in peaks)


def _encoded(projection: Projection, scale: float, layer: Layer) -> Projection:
    low, high, _ = layer.width.within(*_levels(layer.width.bits))
    whole = np.clip(np.rint(projection.map.weights() * scale), low, high).astype(np.int16)
    return replace(projection, map=projection.map.with_weights(whole),
                   format=SynapseFormat(bits=layer.width.bits))


def _whole(values: Array) -> Array:
    return np.rint(np.asarray(values, np.float64)).astype(np.int32)


BACKEND = PicoBackend()
