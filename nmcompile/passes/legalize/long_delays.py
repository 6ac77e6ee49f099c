"""Delays that a chip does not have, made of relay neurons that hand each spike on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmcompile.errors import ChipTopologyError
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import LIF

Stage = tuple[str, int]  # source, delay from it


@dataclass(frozen=True, kw_only=True, eq=False)
class Relayed:
    """A network with relay neurons in place of long delays.

    neurons  that were added; moved: projections that begin at relays now
    """

    network: Network
    neurons: int
    moved: int


def with_relay_neurons(network: Network, max_delay: int, lag: dict[str, int]) -> Relayed:
    """`network` in which no delay is beyond `max_delay` steps; the spikes stay the same.

    A projection that is longer begins at the last of a row of relay populations, each a copy of
    its source some steps later: neurons without leak or memory that a single spike makes fire.
    Projections from one source share the relays that stand at the same delay. `lag` is what
    `retime` will add to the way into each population. Raises NmcError where a source sends more
    than one binary spike a step, which such neurons cannot hand on.
    """
    stages: dict[Stage, Population] = {}
    links: list[Projection] = []
    projections: list[Projection] = []
    moved = 0
    for projection in network.projections:
        parts = -(-(projection.delay + lag[projection.target]) // max_delay)
        if projection.delay <= 1 or parts < 2:
            projections.append(projection)
            continue
        _require_binary(network, projection)
        stops = np.linspace(0, projection.delay, parts + 1).round().astype(int)[1:-1]
        before, begun = projection.source, 0
        for stop in map(int, stops):
            key = (projection.source, stop)
            if key not in stages:
                stages[key] = _relay(network, projection.source, stop)
                links.append(_one_to_one(before, stages[key], stop - begun))
            before, begun = stages[key].name, stop
        projections.append(replace(projection, source=before, delay=projection.delay - begun))
        moved += 1
    added = tuple(stages.values())
    return Relayed(
        network=replace(network, populations=(*network.populations, *added),
                        projections=(*projections, *links)),
        neurons=sum(population.size for population in added), moved=moved)


def _require_binary(network: Network, projection: Projection) -> None:
    names = {population.name for population in network.populations}
    if projection.source in names:
        neuron = network.population(projection.source).neuron
        if neuron.spiking and not neuron.graded and getattr(neuron, "spikes_per_step", 1) == 1:
            return
        raise ChipTopologyError(
            projection.name, f"its delay of {projection.delay} steps cannot be made of "
            "relay neurons: its source sends more than single spikes")


def _relay(network: Network, source: str, delay: int) -> Population:
    taken = {node.name for node in network.nodes}
    name = f"{source}.later{delay}"
    while name in taken:
        name += "_"
    return Population(
        name=name, shape=network.shape_of(source),
        neuron=LIF(decay=np.zeros((), np.float32), threshold=np.full((), 0.5, np.float32)))


def _one_to_one(source: str, relay: Population, delay: int) -> Projection:
    ones = Scale(factor=np.ones((), np.float32), in_shape=relay.shape)
    return Projection(source=source, target=relay.name, delay=delay, map=ones)
