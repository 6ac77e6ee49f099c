"""Real-valued sums that are carried from block to block (membrane shortcuts).

Each layer behind such a sum can receive it from all populations that contribute to it: binary
spikes, and more synapses from block to block. Or a population of graded relays adds it up once and
sends it on as payloads: few synapses, but events in every step. What takes less energy is chosen,
sum by sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nmcompile.ir import Network, Population, Projection, run, verify
from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.neurons import Activation
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.relay.sums import (
    Arriving,
    Links,
    Path,
    Use,
    arriving,
    shared,
    sum_shape,
    synapses,
    whole,
)
from nmcompile.target import Target

Rates = dict[str, float]  # of an input or population: share of its neurons that send in a step


@dataclass(frozen=True, kw_only=True, eq=False)
class Relayed:
    """The network, and what was decided; empty where no two layers share a sum."""

    network: Network
    note: str


def relay(network: Network, chip: Target | None, measure: Callable[[], Rates]) -> Relayed:
    """`network` with a relay for each shared sum that it makes cheaper.

    chip     where its energies stand; None for one without relays
    measure  gives the rates of the network's inputs and populations
    """
    sums = arriving(network)
    owners = {use.owner for use in shared(sums, set(sums)).values()}
    if not owners:
        return Relayed(network=network, note="")
    said = f"{len(owners)} sums are shared by several layers"
    if chip is None:
        return Relayed(network=network, note=f"{said}: each layer receives them from all that "
                       "contribute, for the chip has no graded relays")
    rates, chosen = measure(), set[str]()

    def energy_with(relayed: set[str]) -> float:
        return _energy(network, sums, relayed, rates, chip)

    fan_in = least = energy_with(chosen)
    for owner in (name for name in sums if name in owners):
        energy = energy_with(chosen | {owner})
        if energy < least:
            chosen, least = chosen | {owner}, energy
    joule = [f"{1e9 * energy:.3g}" for energy in (least, fan_in, energy_with(owners))]
    note = (f"{said}: {len(chosen)} by graded relays, {len(owners) - len(chosen)} by fan-in from "
            f"all that contribute ({joule[0]} nJ a step for what arrives, by the target's "
            f"constants; all by fan-in {joule[1]}, all by relays {joule[2]})")
    return Relayed(network=verify(rewired(network, sums, chosen)), note=note)


def _energy(
    network: Network, sums: dict[str, Arriving], chosen: set[str], rates: Rates, chip: Target
) -> float:
    """Joule of one step for synaptic events, and for the relays' updates and spikes."""
    cost, uses = chip.energies, shared(sums, chosen)
    sizes = {node.name: node.size for node in network.nodes}
    relayed = {name: prod(sum_shape(network, sums, name)) for name in chosen}
    events = sum(
        rates[source] * synapses(links, sizes[source])
        for name in sums for source, links in _left(sums, name, uses.get(name), chosen)
    )
    events += sum(synapses(use.links, relayed[use.owner]) for use in uses.values())
    events += sum(synapses(sums[name].own, size) for name, size in relayed.items())
    return float(events * cost.synaptic_event.value
                 + sum(relayed.values()) * (cost.neuron_update.value + cost.spike_out.value))


def _left(
    sums: dict[str, Arriving], name: str, use: Use | None, chosen: set[str]
) -> list[Path]:
    """What arrives at a population or its relay beside a relayed sum, in a fixed order."""
    relayed = set() if use is None else {
        (source, (*links, *use.links)) for source, links in sums[use.owner].paths}
    wanted = whole(sums[name], name in chosen)
    return sorted(wanted - relayed, key=lambda path: (path[0], len(path[1])))


def rewired(network: Network, sums: dict[str, Arriving], chosen: set[str]) -> Network:
    """`network` with relays for the sums of `chosen` populations."""
    uses, names = shared(sums, chosen), {name: f"{name}.sum" for name in chosen}
    populations: list[Population] = []
    projections: list[Projection] = []
    for population in network.populations:
        name = population.name
        incoming = network.incoming(name)
        if name in chosen or name in uses:
            use, target = uses.get(name), names.get(name, name)
            made = [Projection(source=source, target=target,
                               map=_map(links, network.shape_of(source)))
                    for source, links in _left(sums, name, use, chosen)]
            if use is not None:
                made.append(Projection(source=names[use.owner], target=target,
                                       map=_map(use.links, sum_shape(network, sums, use.owner))))
            if name in chosen:
                shape = sum_shape(network, sums, name)
                populations.append(_sum(shape, names[name]))
                made.append(Projection(source=names[name], target=name,
                                       map=_map(sums[name].own, shape)))
            incoming = tuple(made)
        populations.append(population)
        projections += incoming
    return replace(network, populations=tuple(populations), projections=tuple(projections))


def _sum(shape: tuple[int, ...], name: str) -> Population:
    endless = np.full((), np.inf, np.float32)
    return Population(name=name, shape=shape, neuron=Activation(low=-endless, high=endless))


def _map(links: Links, shape: tuple[int, ...]) -> LinearMap:
    if not links:
        return Scale(factor=np.ones((), np.float32), in_shape=shape)
    return links[0] if len(links) == 1 else Chain(maps=links)


def rates_of(network: Network, inputs: dict[str, Array]) -> Rates:
    """The rates of `network` on `inputs`, (samples, steps, *shape) by name."""
    found = {name: record["spikes"] for name, record in run(network, inputs).records.items()}
    return {name: float(np.count_nonzero(sent) / max(1, sent.size))
            for name, sent in {**inputs, **found}.items()}
