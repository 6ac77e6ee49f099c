"""What arrives at a neuron: sums shifted by an exponent, or spikes added one after the other."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nmcompile.ir.network import Network, Projection
from nmcompile.ir.neurons.base import Array, Neuron, State, accumulator_of

Rows = dict[str, tuple[tuple[Projection, Array], ...]]


def rows_of(network: Network) -> Rows:
    """For each population with an accumulator, its projections in the order in which they count.

    Beside each stands the matrix (n_sources, n_targets) int64 of what one spike of a source adds:
    the weights after the shift of their exponent.
    """
    return {
        p.name: tuple((link, _matrix(link)) for link in network.arriving(p.name))
        for p in network.populations if accumulator_of(p.neuron) is not None
    }


def accumulated(neuron: Neuron, state: State, rows: Array, spikes: Array) -> State:
    """`state` of a neuron with an accumulator after the spikes of one projection.

    rows    (n_sources, currents * n) int64
    spikes  (samples, n_sources) whole numbers
    """
    accumulator = accumulator_of(neuron)
    assert accumulator is not None
    names, shape = accumulator.states, state[accumulator.states[0]].shape
    total = np.concatenate([state[name].reshape(shape[0], -1) for name in names], axis=1)
    total, counts = total.astype(np.int64), spikes.astype(np.int64)
    for source in np.flatnonzero(spikes.any(axis=0)):
        total += counts[:, source, None] * rows[source]
        np.clip(total, accumulator.low, accumulator.high, out=total)
    parts = np.split(total, len(names), axis=1)
    kept = {name: part.reshape(shape).astype(state[name].dtype)
            for name, part in zip(names, parts, strict=True)}
    return {**state, **kept}


def in_floats(projection: Projection) -> Projection:
    """An integer projection with weights in float64, for `whole_sums`; others as they are."""
    if projection.format is None:
        return projection
    weights = projection.map.weights().astype(np.float64)
    return replace(projection, map=projection.map.with_weights(weights))


def by_sign(projection: Projection) -> tuple[Projection, ...]:
    """`projection`, or the two of a split one: its positive and its negative weights' sizes."""
    if projection.format is None or not projection.split:
        return (projection,)
    weights = projection.map.weights()
    stored = replace(projection.format, sign="excitatory")
    return tuple(
        replace(projection, current=current, format=stored,
                map=projection.map.with_weights(np.maximum(sign * weights, 0)))
        for current, sign in enumerate((1, -1)))


def whole_sums(projection: Projection, spikes: Array) -> Array:
    """What integer `spikes` (n, n_sources) bring to each target, int64, behind the exponent.

    projection  with its weights `in_floats`: sums of products stay below 2**53, where float64 is
                exact, and libraries multiply float64 many times faster than integers
    """
    sums = projection.map.apply(spikes.astype(np.float64))
    return shifted(np.rint(sums).astype(np.int64), projection)


def shifted(sums: Array, projection: Projection) -> Array:
    """The accumulated sums after the weight exponent of `projection`; unchanged without one.

    A negative exponent shifts right and so rounds toward minus infinity.
    """
    if projection.format is None:
        return sums
    exponent = projection.format.exponent
    return np.left_shift(sums, exponent) if exponent >= 0 else np.right_shift(sums, -exponent)


def _matrix(projection: Projection) -> Array:
    """Each source's spike sent by itself."""
    return whole_sums(projection, np.eye(prod(projection.map.in_shape)))
