"""Integrators between layers: filters, or the synaptic current of the neurons behind them."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import reduce

import numpy as np

from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.network import Network, Population, Projection
from nmcompile.ir.neurons import LI, LIF, CubaFilter, CubaLI, CubaLIF, Filter
from nmcompile.ir.neurons.base import Array


def with_filters(network: Network) -> Network:
    """`network` whose integrators send their membrane where something takes it.

    An integrator that nothing but one layer of LIF neurons takes, each neuron one of it, becomes
    their synaptic current; what they take of it later arrives in it later.
    """
    sources = {projection.source for projection in network.projections}
    populations = tuple(_filter(p) if p.name in sources else p for p in network.populations)
    found = replace(network, populations=populations)
    for population in populations:
        if isinstance(population.neuron, Filter):
            found = _merged(found, population)
    return found


def _filter(population: Population) -> Population:
    for plain, sending in ((LI, Filter), (CubaLI, CubaFilter)):
        if type(population.neuron) is plain:
            values = _values(population.neuron)
            return replace(population, neuron=sending(**values))  # type: ignore[arg-type]
    return population


def _values(neuron: object) -> dict[str, object]:
    return {f.name: getattr(neuron, f.name) for f in fields(neuron)}  # type: ignore[arg-type]


def _merged(network: Network, population: Population) -> Network:
    """`network` without the filter `population`, if it is a synaptic current."""
    leaving = network.outgoing(population.name)
    read = any(o.population == population.name for o in network.outputs)
    if len(leaving) != 1 or read or leaving[0].target == population.name:
        return network
    starts = np.any(population.bias) or np.any(population.neuron.v_init)  # type: ignore[attr-defined]
    if leaving[0].delay and starts:
        return network
    target = network.population(leaving[0].target)
    factor = _gain(leaving[0].map)
    if factor is None or network.incoming(target.name) != leaving or (
            type(target.neuron) is not LIF or np.any(target.neuron.state_step)
            or target.shape != population.shape):
        return network
    neuron = CubaLIF(
        **_values(target.neuron), current_decay=population.neuron.decay,  # type: ignore[attr-defined, arg-type]
        v_bias=target.bias, u_init=_times(population.neuron.v_init, factor))  # type: ignore[attr-defined]
    merged = replace(target, neuron=neuron, bias=_times(population.bias, factor))
    return replace(
        network,
        populations=tuple(merged if p is target else p for p in network.populations
                          if p is not population),
        projections=tuple(
            _redirected(replace(p, delay=p.delay + leaving[0].delay), target, factor)
            if p.target == population.name else p
            for p in network.projections if p is not leaving[0]))


def _gain(linear: LinearMap) -> Array | None:
    """The factor of a map that joins each source to the one target in its place, else None."""
    links = linear.maps if isinstance(linear, Chain) else (linear,)
    if not all(isinstance(link, Scale) for link in links):
        return None
    return reduce(np.multiply, (np.broadcast_to(link.factor, link.in_shape).reshape(-1)  # type: ignore[attr-defined]
                                for link in links))


def _times(values: Array, factor: Array) -> Array:
    if not np.any(values):
        return np.zeros((), np.float32)
    if np.all(factor == factor[0]):
        return (values * factor[0]).astype(np.float32)
    return (values * factor.reshape(values.shape) if values.ndim else values * factor).astype(
        np.float32)


def _redirected(projection: Projection, target: Population, factor: Array) -> Projection:
    if np.all(factor == 1):
        return replace(projection, target=target.name)
    links = projection.map.maps if isinstance(projection.map, Chain) else (projection.map,)
    scale = Scale(factor=factor.reshape(target.shape), in_shape=target.shape)
    return replace(projection, target=target.name, map=Chain(maps=(*links, scale)))
