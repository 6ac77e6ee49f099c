"""Projections cut by their sources, so that each share brings part of a neuron's sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import prod

import numpy as np

from nmcompile.ir import Projection
from nmcompile.ir.maps import Conv, Dense, LinearMap, Sparse


def most_shares(projection: Projection) -> int:
    """Into how many shares the sources of a projection may be cut: 1 where they may not be.

    A convolution is cut by channels, and only where it has one group.
    """
    linear = projection.map
    if isinstance(linear, Conv):
        return linear.in_shape[0] if linear.groups == 1 else 1
    return prod(linear.in_shape)


def share(projection: Projection, number: int, parts: int) -> Projection:
    """`projection` from share `number` of `parts` of its sources.

    parts  at most `most_shares`
    """
    n = most_shares(projection)
    first, end = _bounds(n, parts)[number : number + 2]
    each = prod(projection.map.in_shape) // n
    base = (projection.sources or (0, 0))[0]
    return replace(projection, map=_from(projection.map, first, end),
                   sources=(base + each * first, base + each * end))


def fan_ins(projection: Projection, parts: int) -> list[int]:
    """Most synapses of one neuron from each of `parts` shares; 0 for a share without a synapse.

    Where a core holds a neuron of the fullest share, it holds one of any share.
    """
    linear, bounds = projection.map, _bounds(most_shares(projection), parts)
    if isinstance(linear, Sparse):
        ends = linear.start[bounds].tolist()
        return [int(np.bincount(linear.target[first:end]).max(initial=0))
                for first, end in pairwise(ends)]
    assert isinstance(linear, Dense | Conv)
    whole = prod(linear.weight.shape[1:])
    return [(end - first) * whole // bounds[-1] for first, end in pairwise(bounds)]


def fullest(projection: Projection, parts: int) -> Projection:
    """Of `parts` shares of a projection the one that brings most synapses to a neuron."""
    each = fan_ins(projection, parts)
    return share(projection, each.index(max(each)), parts)


def fewest(low: int, most: int, good: Callable[[int], bool]) -> int:
    """The fewest shares, `low` to `most`, that are `good`, if more are no worse; 0 for none.

    By doubling, then by bisection.
    """
    if low > most:
        return 0
    high = low
    while not good(high):
        if high == most:
            return 0
        low, high = high + 1, min(2 * high, most)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle + 1, high)
    return high


def _bounds(n: int, parts: int) -> list[int]:
    """Where the shares of `n` sources or channels begin, and the end of the last."""
    return [number * n // parts for number in range(parts + 1)]


def _from(linear: LinearMap, first: int, end: int) -> LinearMap:
    """The map from sources, or channels, `first` to `end`."""
    if isinstance(linear, Dense):
        return Dense(weight=np.ascontiguousarray(linear.weight[:, first:end]),
                     in_shape=(end - first,), out_shape=linear.out_shape)
    if isinstance(linear, Conv):
        return replace(linear, weight=np.ascontiguousarray(linear.weight[:, first:end]),
                       in_shape=(end - first, *linear.in_shape[1:]), grid=None)
    assert isinstance(linear, Sparse)
    rows = slice(int(linear.start[first]), int(linear.start[end]))
    return Sparse(start=linear.start[first : end + 1] - linear.start[first],
                  target=linear.target[rows], weight=linear.weight[rows],
                  in_shape=(end - first,), out_shape=linear.out_shape)
