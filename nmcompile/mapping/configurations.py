"""What a core keeps once for all that share it: profiles of neurons, formats of synapses."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons.base import Array, profiles_of
from nmcompile.mapping.mapping import Slices, view
from nmcompile.target import Target

FORMATS = "synapse_formats"
KEPT_ONCE = ("compartment_profiles", "threshold_profiles", FORMATS)
Table = dict[tuple[object, ...], int]


def kept_limits(target: Target) -> dict[str, int]:
    """Those of KEPT_ONCE that are limited on `target`, and how many a core keeps."""
    constants = {name: getattr(target.core, name) for name in KEPT_ONCE}
    return {name: constant.value for name, constant in constants.items() if constant is not None}


def numbered(network: Network, target: Target) -> dict[str, tuple[Array, ...]]:
    """Limit -> for each population what its neurons ask their core to keep, by numbers.

    (p, channels, rows, columns) int64: p numbers for each neuron of the population's view. An axis
    along which nothing changes has length 1. What has the same number is kept once.
    """
    found = {}
    for limit in kept_limits(target):
        table: Table = {}
        found[limit] = tuple(_numbers(limit, network.incoming(p.name), p, table)
                             for p in network.populations)
    return found


def in_box(numbers: Array, low: Array, high: Array) -> Array:
    """The different ones of a population's `numbers` in the box low..high, (3,) each, rising."""
    sides = (slice(int(a), int(b)) if n > 1 else slice(None)
             for n, a, b in zip(numbers.shape[1:], low, high, strict=True))
    return np.unique(numbers[(slice(None), *sides)])


def most_in_boxes(
    population: Population, incoming: tuple[Projection, ...], sizes: Array, target: Target
) -> dict[str, Array]:
    """Limit -> an upper bound (k,) of what a box of each of `sizes` (k, 3) has a core keep."""
    found = {}
    for limit in kept_limits(target):
        numbers = _numbers(limit, incoming, population, {})
        inside = np.minimum(sizes, numbers.shape[1:]).prod(axis=1) * len(numbers)
        found[limit] = np.minimum(inside, len(np.unique(numbers)))
    return found


def kept(network: Network, slices: Slices, target: Target) -> dict[str, Array]:
    """Limit -> (k, 2) int64: a slice, and the number of what its core must keep for it."""
    found = {}
    for limit, populations in numbered(network, target).items():
        pairs = [np.zeros((0, 2), np.int64)]
        for i, population in enumerate(slices.population.tolist()):
            own = _in_slice(populations[population], network.populations[population], slices, i)
            pairs.append(np.stack([np.full(len(own), i), own], axis=1))
        found[limit] = np.concatenate(pairs)
    return found


def _in_slice(numbers: Array, population: Population, slices: Slices, i: int) -> Array:
    if numbers.shape[1:] == (1, 1, 1) or str(slices.population[i]) not in slices.orders:
        return in_box(numbers, slices.low[i], slices.high[i])
    every = np.broadcast_to(numbers, (len(numbers), *view(population.shape)))
    return np.unique(every.reshape(len(numbers), -1)[:, slices.members(population.shape, i)])


def _numbers(
    limit: str, incoming: tuple[Projection, ...], population: Population, table: Table
) -> Array:
    """As of `numbered`; `table` holds the numbers given so far."""
    if limit == FORMATS:
        kinds = [(*astuple(p.format), isinstance(p.map, Dense)) for p in incoming if p.format]
        given = [table.setdefault(kind, len(table)) for kind in kinds]
        return np.array(given, np.int64).reshape(-1, 1, 1, 1)
    each = [_by_neuron(registers, population.shape, table)
            for registers in profiles_of(population.neuron).get(limit, ())]
    if not each:
        return np.zeros((0, 1, 1, 1), np.int64)
    numbers = np.stack(np.broadcast_arrays(*each))
    for axis in (1, 2, 3):
        first = numbers.take([0], axis)
        numbers = first if np.all(numbers == first) else numbers
    return numbers


def _by_neuron(registers: tuple[Array, ...], shape: tuple[int, ...], table: Table) -> Array:
    """The number of each neuron's combination of `registers`, in the population's view."""
    same = np.broadcast_arrays(*registers)
    kinds, which = np.unique(np.stack([r.reshape(-1) for r in same], 1), axis=0,
                             return_inverse=True)
    given = np.array([table.setdefault(tuple(kind), len(table)) for kind in kinds.tolist()])
    numbers = given[which.reshape(-1)].reshape(same[0].shape)
    return (numbers.reshape(1, 1, 1) if numbers.size == 1
            else np.broadcast_to(numbers, shape).reshape(view(shape)))
