"""Every rule that a Network keeps, checked after each pass."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np

from nmcompile.errors import NetworkError, ParameterError
from nmcompile.ir.formats import SIGNS
from nmcompile.ir.maps import Conv
from nmcompile.ir.network import Input, Network, Population, Projection
from nmcompile.ir.neurons.base import accumulator_of
from nmcompile.ir.neurons.rules import require_shape

LONGEST_NAME = 500


def verify(network: Network) -> Network:
    """Return `network` if it keeps every rule, raise NmcError naming the part that does not."""
    _verify_names(network)
    for port in network.inputs:
        _verify_input(port)
    for population in network.populations:
        _verify_population(population)
    for projection in network.projections:
        _verify_projection(network, projection)
    _verify_outputs(network)
    order(network)
    return network


def order(network: Network) -> tuple[str, ...]:
    """Populations in an order in which every delay-0 projection runs forward.

    Kahn's algorithm over the delay-0 projections, ties kept in the network's own order. Raises
    NmcError naming the populations of a loop without delay.
    """
    waiting = {p.name: set[str]() for p in network.populations}
    for projection in network.projections:
        if projection.delay == 0 and projection.source in waiting:
            waiting[projection.target].add(projection.source)
    done: list[str] = []
    while waiting:
        ready = [name for name, sources in waiting.items() if not sources]
        if not ready:
            raise NetworkError(
                "network",
                f"the loop through {', '.join(sorted(waiting))} has no delay",
                "A recurrent connection needs a delay of at least one step.",
            )
        for name in ready:
            del waiting[name]
        done += ready
        for sources in waiting.values():
            sources.difference_update(ready)
    return tuple(done)


def _verify_names(network: Network) -> None:
    names = Counter(node.name for node in network.nodes)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise NetworkError("network", f"the name '{twice[0]}' is used twice")
    for name in (*names, *(output.name for output in network.outputs)):
        if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
            raise NetworkError("network", f"'{name[:40]}' is no name that can be printed")
    if not network.inputs or not network.populations:
        raise NetworkError("network", "it needs at least one input and one population")
    if not network.outputs:
        raise NetworkError("network", "it needs at least one output")


def _verify_input(port: Input) -> None:
    bits, scale = port.format.payload_bits, port.format.scale
    if not port.shape or min(port.shape) < 1:
        raise NetworkError(port.name, f"an input of shape {port.shape} has no lines")
    if not (bits is None or bits == 0 or 2 <= bits <= 32) or not 0 < scale < float("inf"):
        raise NetworkError(port.name, f"a payload of {bits} bits of {scale:g} each is none")


def _verify_population(population: Population) -> None:
    if not population.shape or min(population.shape) < 1:
        raise NetworkError(
            population.name, f"a population of shape {population.shape} has no neurons")
    population.neuron.verify(population.name, population.shape)
    require_shape(population.name, "bias", population.bias, population.current_shape)


def _verify_projection(network: Network, projection: Projection) -> None:
    known = {node.name: node.size for node in network.nodes}
    targets = {p.name: prod(p.current_shape) // _share(p, projection)
               for p in network.populations}
    if projection.source not in known or projection.target not in targets:
        raise NetworkError(projection.name, "an end of this projection does not exist")
    projection.map.verify(projection.name)
    if projection.sources is not None and len(projection.sources) != 2:
        raise NetworkError(
            projection.name, f"{projection.sources} is no first neuron of its source "
            "and the one behind its last")
    first, end = projection.sources or (0, known[projection.source])
    if not 0 <= first < end <= known[projection.source]:
        raise NetworkError(projection.name, f"it comes from neurons {first} to {end - 1} of the "
                           f"{known[projection.source]} of its source")
    ends = (prod(projection.map.in_shape), prod(projection.map.out_shape))
    if ends != (end - first, targets[projection.target]):
        raise NetworkError(
            projection.name,
            f"its map goes from {ends[0]} to {ends[1]} elements, its ends have "
            f"{end - first} and {targets[projection.target]}",
        )
    _verify_channels(projection)
    silent = {p.name for p in network.populations if not p.neuron.spiking}
    if projection.source in silent:
        raise NetworkError(
            projection.name, f"{projection.source} is an integrator that never fires; "
            "its membrane cannot travel", "Keep integrators for the readout.")
    if projection.format is not None and projection.format.sign not in SIGNS:
        raise NetworkError(projection.name, f"'{projection.format.sign}' is no sign of weights",
                           f"Known: {', '.join(SIGNS)}.")
    if projection.delay < 0:
        raise NetworkError(projection.name, f"a delay of {projection.delay} steps lies in the past")
    if not np.all(np.isfinite(projection.map.weights())):
        raise ParameterError(projection.name, "a weight is infinite or not a number")


def _verify_channels(projection: Projection) -> None:
    linear = projection.map
    if projection.sources is not None and isinstance(linear, Conv):
        if linear.groups > 1 or projection.sources[0] % prod(linear.in_shape[1:]):
            raise NetworkError(projection.name, "a convolution of a part of its source takes whole "
                               "channels, in one group")


def _share(population: Population, projection: Projection) -> int:
    """Currents of `population` of which `projection` feeds one."""
    currents: int = getattr(population.neuron, "currents", 1)
    if projection.target != population.name:
        return 1
    if projection.split:
        plain = accumulator_of(population.neuron) is None and projection.current is None
        if currents != 2 or not plain:
            raise NetworkError(projection.name, f"its weights are split by sign, its target has "
                               f"{currents} current{'s' if currents > 1 else ''} for them")
        return currents
    if projection.current is None:
        return 1
    if not 0 <= projection.current < currents:
        raise NetworkError(
            projection.name, f"it feeds current {projection.current} of a neuron that "
            f"has {currents}")
    return currents


def _verify_outputs(network: Network) -> None:
    for output in network.outputs:
        names = [p.name for p in network.populations]
        if output.population not in names or output.variable not in ("spikes", "v"):
            raise NetworkError(
                f"output {output.name}", f"{output.population}.{output.variable} does not exist"
            )
        size = network.population(output.population).size
        if output.offset and len(output.offset) != size:
            raise NetworkError(f"output {output.name}",
                               f"{len(output.offset)} offsets for {size} neurons")
