"""Where a network lives: slices of populations on cores, and the axons that reach them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.multicast.routing import Routing
from nmcompile.target import Target

Box = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Slices:
    """Core-sized parts of populations: boxes in each population's (channel, row, column) view.

    A population whose neurons know no neighbours by their numbers may be cut in another order: its
    boxes are then runs of places along the columns, and the order says which neuron has each place.

    population  (s,) int32, index into the network's populations
    low, high   (s, 3) int32, half-open corners of the box
    core        (s,) int32, global core number; -1 before placement
    orders      population number in digits -> (n,) int32 neuron of each place; they rise in a slice
    """

    population: Array
    low: Array
    high: Array
    core: Array
    orders: dict[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.population)

    def view(self, shape: tuple[int, ...], population: int) -> Box:
        """The view of population number `population`, of `shape`, that its boxes lie in."""
        return (1, 1, prod(shape)) if str(population) in self.orders else view(shape)

    def members(self, shape: tuple[int, ...], number: int) -> Array:
        """(k,) flat numbers of the neurons of slice `number`, whose population has `shape`."""
        population = int(self.population[number])
        (c0, y0, x0), (c1, y1, x1) = self.low[number], self.high[number]
        if str(population) in self.orders:
            return self.orders[str(population)][x0:x1]
        _, height, width = view(shape)
        rows = np.arange(c0, c1)[:, None] * height + np.arange(y0, y1)
        return (rows[:, :, None] * width + np.arange(x0, x1)).reshape(-1)

    def sizes(self) -> Array:
        """(s,) neurons of each slice."""
        return (self.high - self.low).prod(axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Axons:
    """The axons of one projection: which slices each source reaches, and through which synapses.

    start     (n_sources + 1,) int64; axons of source i are start[i]:start[i+1]
    slice     (a,) int32, the slice that an axon ends in
    synapses  (a,) int32, number of synapses behind it
    first     (a,) int64, for a sparse map: its synapses are order[first : first + synapses]
    order     (n_synapses,) int64, synapse numbers of a sparse map by source, then slice
    """

    start: Array
    slice: Array
    synapses: Array
    first: Array
    order: Array


def _none() -> Array:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Faults:
    """Dead parts of a board, rising and each once.

    cores  (k,) int32 global core numbers
    links  (k,) int32 link numbers of the ways out of a tile: tile * 4 + direction, or
           tile * 6 + link where chips have routers
    """

    cores: Array = field(default_factory=_none)
    links: Array = field(default_factory=_none)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapping:
    """A placed and routed network: its slices, and one Axons for each projection, in order.

    rates   (n,) float32 mean spikes in a step of the lines of all inputs and then of the neurons
            of all populations, as calibration data made them; what the placement counted with
    faults  what of the board was not to be used
    routing  what routers are loaded with, where the target's chips have some
    """

    slices: Slices
    axons: tuple[Axons, ...]
    rates: Array
    faults: Faults = field(default_factory=Faults)
    routing: Routing | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """What a chip runs: an integer network, its mapping, and the target it is meant for.

    latency  for each population, the steps by which its answer lags the network's own time
    """

    network: Network
    mapping: Mapping
    target: Target
    latency: dict[str, int]


def rates_by_name(network: Network, rates: Array) -> dict[str, Array]:
    """The part of a mapping's `rates` of each input and population, (n,) each."""
    ends = np.cumsum([node.size for node in network.nodes])
    parts = np.split(rates, ends[:-1])
    return {node.name: part for node, part in zip(network.nodes, parts, strict=True)}


def view(shape: tuple[int, ...]) -> Box:
    """`shape` as (channels, rows, columns): vectors lie along the columns."""
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2])
    if len(shape) == 2:
        return (shape[0], 1, shape[1])
    return (1, 1, prod(shape))
