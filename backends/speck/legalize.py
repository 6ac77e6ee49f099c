"""What Speck can run: chains and trees of convolutions and integrate-and-fire neurons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.speck.convolution import as_convolution, volume
from nmcompile_backends.speck.cores import FAN_OUT, SpeckCore
from nmcompile_backends.speck.limits import assign, memory

from nmcompile.errors import ChipLayerError, ChipNeuronError, ChipOutputError, ChipTopologyError
from nmcompile.ir import Network, Population
from nmcompile.ir.neurons import LIF, Reset, ResetAt
from nmcompile.ir.neurons.lif import UNBOUNDED
from nmcompile.target import Target

NOTES = (
    "Speck has no time steps: it compares after every addition. The steps simulated here are "
    "sinabs', an approximation (nmcompile_backends.speck.arithmetic.run is the chip's way), and "
    "with --timing fast several events of a neuron in one step count as one in time and energy",
    "a bias is added at each tick of Speck's slow clock: let one tick last one step",
)


def legalize(network: Network, target: Target) -> Network:
    """`network` if each of its layers is one core's, or NmcError naming what cannot be.

    Maps stay as they are: `encode.cores` writes them as convolutions. Leaks are left to `misfits`.
    """
    _require_tree(network)
    for population in network.populations:
        _require_neuron(population)
    for output in network.outputs:
        if output.variable != "spikes":
            raise ChipOutputError(output.population, f"{target.name} sends spikes alone, the model "
                                  "returns a membrane", "Return the spikes of the last layer.")
    _require_room(network)
    biased = any(np.any(p.bias) for p in network.populations)
    populations = tuple(replace(p, neuron=_at_spike(p)) for p in network.populations)
    return replace(network, populations=populations,
                   notes=(*network.notes, *NOTES[: 1 + biased]))


def _at_spike(population: Population) -> LIF:
    neuron = population.neuron
    assert isinstance(neuron, LIF)
    return replace(neuron, reset_at=ResetAt.SPIKE)


def _require_tree(network: Network) -> None:
    for population in network.populations:
        incoming = network.incoming(population.name)
        if len(incoming) != 1:
            raise ChipTopologyError(
                population.name, f"{len(incoming)} projections end in it; a core of Speck has one "
                "kernel for all that it receives", "Keep one source for each layer.")
        if incoming[0].delay or incoming[0].source == population.name:
            raise ChipTopologyError(incoming[0].name, "delays and loops do not exist on Speck",
                                    "Train without them, or compile for loihi2.")
    for node in network.nodes:
        n = len(network.outgoing(node.name))
        if n > FAN_OUT:
            raise ChipTopologyError(
                node.name, f"it feeds {n} layers, a core of Speck feeds {FAN_OUT}",
                "Let it feed fewer layers.")


def _require_neuron(population: Population) -> None:
    name, neuron = population.name, population.neuron
    if type(neuron) is not LIF:
        raise ChipNeuronError(name, f"Speck has no '{neuron.kind}' neuron",
                              "Use Sinabs' IAF or IAFSqueeze.")
    assert isinstance(neuron, LIF)
    if np.any(neuron.decay < 0):
        raise ChipNeuronError(
            name, f"a decay of {float(neuron.decay.min()):g} is below 0, which does not "
            "exist on Speck", "Use Sinabs' IAF or IAFSqueeze.")
    if neuron.reset is Reset.NONE or neuron.reset_at not in (ResetAt.SPIKE, ResetAt.LEAK):
        raise ChipNeuronError(
            name, f"reset '{neuron.reset.value}' at '{neuron.reset_at.value}' does not "
            "exist on Speck, which has zero and subtract at the spike",
            "Use Sinabs' MembraneReset or MembraneSubtract.")
    if neuron.spikes_per_step < UNBOUNDED or not neuron.fires_at_threshold:
        raise ChipNeuronError(
            name, "it fires once a step at most; Speck's neurons fire as often as "
            "events let them", "Use Sinabs' default spike_fn=MultiSpike.")
    for what, values in (("threshold", neuron.threshold), ("lower bound", neuron.v_min)):
        if np.unique(values).size != 1:
            raise ChipNeuronError(name, f"its neurons differ in {what}, Speck has one for a layer",
                                  "Train with one value for the layer.")
    if np.any(population.bias) and not _of_features(population):
        raise ChipLayerError(
            name, "its bias differs within a feature, Speck has one for each feature",
            "Give each feature one bias.")


def _of_features(population: Population) -> bool:
    shape = volume(population.shape)
    planes = np.broadcast_to(population.bias, population.shape).reshape(shape[0], -1)
    return bool(np.all(planes == planes[:, :1]))


def _require_room(network: Network) -> None:
    """Refuse layers whose registers, or whose memories together, Speck does not have."""
    needs = {}
    for projection in network.projections:
        name = projection.target
        source = volume(network.shape_of(projection.source))
        conv = as_convolution(projection.map, source, name)
        core = SpeckCore(weight=np.zeros(conv.weight.shape, np.int8), in_shape=source,
                         threshold_high=1, stride=conv.stride, padding=conv.padding)
        core.verify(name)
        assert core.n_neurons == network.population(name).size
        needs[name] = memory(core.weight.shape, core.out_shape, biased=True)
    assign(needs)
