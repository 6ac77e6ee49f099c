"""From a traced network of activations to a chain of stages: what a layer may be made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.errors import ChipNeuronError, ChipOutputError, ChipTopologyError, NmcError
from nmcompile.ir import Network, Population, order
from nmcompile.ir.maps import Chain, LinearMap
from nmcompile.ir.neurons import LI, Activation, CubaLI


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """Everything between a population or the input and the next that takes all of it.

    source, target  their names
    inside          populations between, in their order: max pooling is traced as several
    """

    source: str
    target: Population
    inside: tuple[Population, ...]


def stages(network: Network, chip: str) -> tuple[Stage, ...]:
    """`network` as a chain of stages.

    Raises NmcError naming a population with a memory or with values below 0, and for a network
    that has several inputs or outputs, or steps.
    """
    for population in network.populations:
        _require_memoryless(population, network, chip)
    _require_values(network, chip)
    found, source = list[Stage](), network.inputs[0].name
    last = network.outputs[0].population
    while source != last:
        found.append(_stage(network, source))
        source = found[-1].target.name
    if network.outgoing(last):
        raise ChipOutputError(last, "it is the output, and other layers take it as well",
                              "Return what the last layer gives.")
    return tuple(found)


def links(linear: LinearMap) -> tuple[LinearMap, ...]:
    """The maps of a chain, or the one map."""
    return linear.maps if isinstance(linear, Chain) else (linear,)


def _require_values(network: Network, chip: str) -> None:
    if len(network.inputs) > 1:
        raise ChipTopologyError(network.inputs[1].name, f"it is a second input, {chip} takes one",
                                "Join the inputs ahead of the model.")
    if len(network.outputs) > 1:
        raise ChipOutputError(
            network.outputs[1].population, f"it is a second output, {chip} has one",
            "Return what the last layer gives.")
    late = [p.name for p in network.projections if p.delay]
    if network.steps != 1 or not network.static or late:
        raise ChipNeuronError(
            late[0] if late else "network", f"its values change from step to step; layers of {chip}"
            " keep nothing", "Give a sample (samples, ...) without a time axis, of a network "
            "without spiking neurons.")


def _require_memoryless(population: Population, network: Network, chip: str) -> None:
    neuron, name = population.neuron, population.name
    read = any(port.population == name for port in network.outputs)
    if isinstance(neuron, LI) and not isinstance(neuron, CubaLI) and read:
        if np.any(neuron.decay) or np.any(neuron.v_init):
            raise ChipNeuronError(
                name, f"its membrane keeps what came before; layers of {chip} keep "
                "nothing",
                "End the model in a linear layer, or take a target with spiking neurons.")
        return
    if not isinstance(neuron, Activation):
        raise ChipNeuronError(
            name, f"{chip} has no '{neuron.kind}' neuron: its layers are those of an "
            "artificial network and keep nothing", "Compile the network of ReLU that "
            "it was made from, or take a target with spiking neurons.")
    if np.any(neuron.low < 0):
        raise ChipNeuronError(name, f"it sends values below 0, {chip} sends from 0 on",
                              "Train with ReLU.")


def _stage(network: Network, source: str) -> Stage:
    """The stage behind `source`: up to the first population through which all of it goes."""
    inside = {source}
    between: list[Population] = []
    for name in order(network):
        if not any(p.source in inside for p in network.incoming(name)):
            continue
        taken = {p.target for each in inside for p in network.outgoing(each)}
        foreign = [p.source for p in network.incoming(name) if p.source not in inside]
        if foreign:
            raise residual(name)
        if taken <= inside | {name}:
            return Stage(source=source, target=network.population(name), inside=tuple(between))
        inside.add(name)
        between.append(network.population(name))
    raise ChipTopologyError(source, "nothing takes what it sends", "Leave it out, or return it.")


def residual(name: str) -> NmcError:
    """The error for a population that adds what several layers send."""
    return ChipTopologyError(
        name, "it adds what several layers send, which layers of Akida v1 cannot",
        "Train without residual sums and concatenations.")
