"""Neurons with more inputs than a core holds: graded relays add up shares of them, a step before.

A projection that no core holds is cut by its sources. Each share leads into a population of relays,
as many as the layer has neurons, which send their sums as payloads; the layer adds these up, each
with a weight of 1. Integer sums do not depend on their order, so the layer receives what it did,
one step later, as long as no sum exceeds a payload. That is proved from the weights before it is
done: a sum is at most that of a neuron's positive weights, or of its negative ones, times the
largest payload that their sources send.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nmcompile.backend import Backend, Relay
from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Population, Projection
from nmcompile.ir.maps import Conv, Dense, LinearMap, Sparse
from nmcompile.ir.neurons.base import Array, accumulator_of
from nmcompile.mapping import view
from nmcompile.mapping.capacity import CapacityError, too_large
from nmcompile.passes.legalize import Latency, retime
from nmcompile.passes.partition.partition import partition
from nmcompile.passes.partition.shares import fan_ins, fewest, fullest, most_shares, share
from nmcompile.passes.partition.sizes import overfull
from nmcompile.target import Target

MOST_PARTS = 1024
FINER = 1.25 ** np.arange(7)  # times the fewest parts: shorter rows may fill cores better
ROWS = 256  # of a matrix that are added up at a time


@dataclass(frozen=True, kw_only=True)
class Relayed:
    """A projection that was cut: its layer, the relays by name, and the inputs of a neuron."""

    layer: str
    relays: tuple[str, ...]
    inputs: int


@dataclass(frozen=True, kw_only=True, eq=False)
class FanIn:
    """A network of which every neuron fits a core; `cuts` is empty where all did before."""

    network: Network
    latency: Latency
    cuts: tuple[Relayed, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Wide:
    """A projection to cut.

    shift   bits by which all weights can be shifted right without loss
    signed  whether payloads of its source may be negative
    limit   largest sum of weights that a relay can send, its sources sending what they can
    """

    network: Network
    population: Population
    projection: Projection
    relay: Relay
    shift: int
    signed: bool
    limit: int


class _CannotRelayError(Exception):
    """Why relays cannot add up exactly what arrives."""


def split_fan_in(network: Network, latency: Latency, target: Target, backend: Backend) -> FanIn:
    """`network` with relays for each projection whose synapses to one neuron no core holds.

    latency  lag of each input and population in steps

    A chip without relays gets the network as it is. Raises CapacityError where relays cannot keep
    every sum, or where a loop or a delay has no step to spare for them.
    """
    relay, found, cuts = backend.relay(target), network, []
    while relay is not None and (overfilled := _overfilled(found, target, backend)):
        population, limit, need = overfilled
        try:
            found, cut = _cut(_wide(found, population, relay), target, backend)
            split = _retimed(found, latency, target)
        except _CannotRelayError as error:
            raise too_large(population.name, limit, need, target).with_hint(
                f"Graded relays cannot add up its inputs: {error}.") from error
        cuts.append(cut)
    return replace(split, cuts=tuple(cuts)) if cuts else FanIn(network=network, latency=latency)


def _overfilled(
    network: Network, target: Target, backend: Backend
) -> tuple[Population, str, int] | None:
    """The first population of which one neuron receives more than a core holds: limit and need."""
    for population in network.populations:
        needs = overfull(network, population, target, backend)
        for limit in ("synapse_bits", "input_axons"):
            if limit in needs:
                return population, limit, needs[limit]
    return None


def _wide(network: Network, population: Population, relay: Relay) -> _Wide:
    """What must be known of the projection into `population` that brings most to a neuron."""
    if accumulator_of(population.neuron) is not None:
        raise _CannotRelayError("its neurons add spikes one by one")
    parted = [p for p in network.incoming(population.name) if most_shares(p) > 1]
    if not parted:
        raise _CannotRelayError("no projection is left that can be cut by its sources")
    wide = max(parted, key=_fan_in)
    if population.currents > 1 and wide.current is None:
        raise _CannotRelayError(f"one map feeds {population.currents} currents of a neuron")
    assert wide.format is not None
    exponent, (lowest, highest) = wide.format.exponent, relay.exponents
    union = int(np.bitwise_or.reduce(wide.map.weights(), dtype=np.int64))
    shift = max(0, min((union & -union).bit_length() - 1, -lowest, highest - exponent))
    if exponent + shift < 0:
        raise _CannotRelayError(f"its weight exponent of {exponent} rounds their whole sum")
    payload, signed = _payload(network, wide.source, relay)
    return _Wide(network=network, population=population, projection=wide, relay=relay,
                 shift=shift, signed=signed, limit=(relay.largest << shift) // payload)


def _payload(network: Network, source: str, relay: Relay) -> tuple[int, bool]:
    """The largest magnitude that `source` sends, and whether it may be negative."""
    for port in network.inputs:
        if port.name == source:
            return port.format.limit, port.format.payload_bits != 0
    graded = network.population(source).neuron.graded
    return (relay.largest if graded else 1), graded


def _cut(wide: _Wide, target: Target, backend: Backend) -> tuple[Network, Relayed]:
    """The network with relays, which compute in the step of their layer: `retime` moves them."""
    network, population, whole = wide.network, wide.population, wide.projection
    assert whole.format is not None
    parts = _n_parts(wide, target, backend)
    out = replace(wide.relay.one, exponent=whole.format.exponent + wide.shift)
    relays: list[Population] = []
    projections: list[Projection] = []
    for number in np.flatnonzero(fan_ins(whole, parts)).tolist():
        relays.append(_relays(wide, f"{population.name}.part{len(relays) + 1}"))
        projections += [
            _into(wide, share(whole, number, parts), relays[-1]),
            Projection(source=relays[-1].name, target=population.name, current=whole.current,
                       map=_one_to_one(population), format=out)]
    at = network.populations.index(population)
    kept = network.projections.index(whole)
    return replace(
        network,
        populations=(*network.populations[:at], *relays, *network.populations[at:]),
        projections=(*network.projections[:kept], *projections, *network.projections[kept + 1 :]),
    ), Relayed(layer=population.name, relays=tuple(relay.name for relay in relays),
               inputs=_fan_in(whole))


def _relays(wide: _Wide, name: str) -> Population:
    taken, population = {node.name for node in wide.network.nodes}, wide.population
    while name in taken:
        name += "_"
    return Population(name=name, shape=population.shape, neuron=wide.relay.neuron,
                      bias=np.zeros((), np.int32), start=population.start)


def _into(wide: _Wide, part: Projection, relays: Population) -> Projection:
    stored = wide.projection.format
    assert stored is not None
    return replace(part, target=relays.name, current=None,
                   format=replace(stored, exponent=-wide.shift))


def _one_to_one(population: Population) -> Conv:
    box = view(population.shape)
    return Conv(weight=np.ones((box[0], 1, 1, 1), np.int16), in_shape=box, groups=box[0])


def _n_parts(wide: _Wide, target: Target, backend: Backend) -> int:
    """Into how many shares to cut: all fit, none overflows a payload, on the fewest cores."""
    most = min(MOST_PARTS, most_shares(wide.projection))
    reach = _reach(wide.projection.map, wide.signed)
    least = fewest(max(2, -(-reach // max(1, wide.limit))), most, lambda parts: (
        _cores(wide, parts, target, backend) > 0 and _keeps(wide, parts)))
    if not least and not _cores(wide, most, target, backend):
        raise _CannotRelayError(f"of {most:,} shares of them one is still too large for a core")
    if not least:
        raise _CannotRelayError(
            f"they reach {reach:,} units of weight times the largest payload of their source, and "
            f"none of {most:,} shares may exceed {wide.limit:,}")
    tried = [int(n) for n in np.unique(np.ceil(least * FINER)) if n <= most]
    cores = {parts: _cores(wide, parts, target, backend) for parts in tried}
    good = sorted((n, parts) for parts, n in cores.items() if n)
    return next(parts for _, parts in good if parts == least or _keeps(wide, parts))


def _cores(wide: _Wide, parts: int, target: Target, backend: Backend) -> int:
    """About how many cores the relays of so many shares take; 0 where the fullest fits none."""
    relays, source = _relays(wide, "relays"), wide.projection.source
    port = Input(name=source, shape=wide.network.shape_of(source))
    alone = Network(inputs=(port,), populations=(relays,), outputs=(),
                    projections=(_into(wide, fullest(wide.projection, parts), relays),))
    try:
        held = int(np.count_nonzero(fan_ins(wide.projection, parts)))
        return held * len(partition(alone, target, backend))
    except CapacityError:
        return 0


def _keeps(wide: _Wide, parts: int) -> bool:
    """Whether no share's sum can exceed what a relay sends."""
    return all(_reach(share(wide.projection, n, parts).map, wide.signed) <= wide.limit
               for n in range(parts))


def _fan_in(projection: Projection) -> int:
    """Most synapses of one neuron."""
    return fan_ins(projection, 1)[0]


def _reach(linear: LinearMap, signed: bool) -> int:
    """The largest magnitude of a sum of a neuron's weights, each times 0 to 1, or -1 to 1."""
    if isinstance(linear, Sparse):
        sides = [np.bincount(linear.target, side) for side in _sides(linear.weight)]
    else:
        assert isinstance(linear, Dense | Conv)
        rows = linear.weight.reshape(len(linear.weight), -1)
        chunks = [[side.sum(axis=1, dtype=np.int64) for side in _sides(rows[i : i + ROWS])]
                  for i in range(0, len(rows), ROWS)]
        sides = [np.concatenate(side) for side in zip(*chunks, strict=True)]
    return int((sides[0] + sides[1] if signed else np.maximum(*sides)).max(initial=0))


def _sides(weights: Array) -> tuple[Array, Array]:
    """Magnitudes of the positive and of the negative weights."""
    return np.maximum(weights, 0), np.maximum(-weights, 0)


def _retimed(split: Network, latency: Latency, target: Target) -> FanIn:
    """`split` with relays a step ahead of their layer, and all that waits for it later.

    A population that started in step s and must lag by l steps more starts in step s + l.
    """
    try:
        moved, lag = retime(split, target.formats.max_delay.value)
    except NmcError as error:
        raise _CannotRelayError(f"{error.where}: {error.what}") from error
    starts = tuple(replace(p, start=p.start + lag[p.name]) for p in split.populations)
    lags = dict(latency)
    for projection in reversed(split.projections):
        if projection.source not in lags:
            lags[projection.source] = lags[projection.target]
    return FanIn(network=replace(moved, populations=starts),
                 latency={node.name: lags[node.name] + lag[node.name] for node in split.nodes})
