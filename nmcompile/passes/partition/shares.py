"""Projections cut by their sources, so that each share brings part of a neuron's sum."""

from __future__ import annotations

from dataclasses import replace
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
    """`projection` from share `number` of `parts` of its sources; the last is as large as any.

    parts  at most `most_shares`
    """
    n = most_shares(projection)
    first, end = number * n // parts, (number + 1) * n // parts
    each = prod(projection.map.in_shape) // n
    base = (projection.sources or (0, 0))[0]
    return replace(projection, map=_from(projection.map, first, end),
                   sources=(base + each * first, base + each * end))


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
