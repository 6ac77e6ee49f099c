"""Deliver the spikes of one step through the axons of a projection."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse

from nmcompile.ir import Population, Projection
from nmcompile.ir.accumulate import shifted
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Accumulator, Array, accumulator_of
from nmcompile.mapping import Axons, Slices, view
from nmcompile.simulator import _deliver_kernels as kernels

CHUNK = 256  # sources whose rows are dense at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Delivery:
    """One projection ready to run: its axons, the boxes they end in, and its weights by source.

    Axons and weights are those of the sources that the projection takes.
    """

    projection: Projection
    axons: Axons
    slices: Slices
    shape: tuple[int, int, int]
    weight: Array

    def add(self, payload: Array, out: Array) -> None:
        """Add the arriving weights of one step.

        payload  (samples, n_sources) int32, 0 where there is no spike
        out      (samples, n_targets) int32, changed in place; wraps at 32 bits
        """
        linear, axons, slices = self.projection.map, self.axons, self.slices
        payload = np.ascontiguousarray(self.projection.taken(payload))
        shared = (payload, axons.start, axons.slice, slices.low, slices.high)
        if isinstance(linear, Dense):
            kernels.dense(*shared, self.weight, self.shape, out)
        elif isinstance(linear, Conv):
            kernels.conv(
                *shared,
                self.weight,
                linear.in_shape,
                self.shape,
                linear.stride,
                linear.padding,
                linear.dilation,
                linear.groups,
                out,
            )
        else:
            assert isinstance(linear, Sparse)
            kernels.sparse(
                payload,
                axons.start,
                axons.first,
                axons.synapses,
                linear.target,
                self.weight,
                axons.order,
                out,
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Accumulation:
    """One projection into an accumulator: what a spike of each source adds, as rows of targets.

    rows  (n_sources, currents * n) int32, weights after the shift of their exponent
    """

    rows: scipy.sparse.csr_array
    accumulator: Accumulator

    def add(self, payload: Array, out: Array) -> None:
        """Add the spikes of one step, one source after the other; see `ir.neurons.Accumulator`.

        payload  (samples, n_sources) int32, 0 where there is no spike
        out      (samples, currents * n) int32, changed in place
        """
        rows, ends = self.rows, self.accumulator
        kernels.accumulate(
            payload, rows.indptr, rows.indices, rows.data, ends.low, ends.high, out)


def accumulation(projection: Projection, axons: Axons, slices: Slices, target: Population
                 ) -> Accumulation:
    """`projection` prepared for a target with an accumulator.

    The rows are what the axons deliver when each source spikes by itself.
    """
    accumulator = accumulator_of(target.neuron)
    assert accumulator is not None
    n_sources = len(axons.start) - 1
    parts = [delivery(p, axons, slices, target.shape) for p in _by_current(projection, target)]
    rows = [scipy.sparse.csr_array((0, len(parts) * target.size), dtype=np.int32)]
    for first in range(0, n_sources, CHUNK):
        sources = np.eye(min(CHUNK, n_sources - first), n_sources, first, dtype=np.int32)
        sums = np.zeros((len(parts), len(sources), target.size), np.int32)
        for part, out in zip(parts, sums, strict=True):
            part.add(sources, out)
        rows.append(scipy.sparse.csr_array(shifted(np.concatenate(sums, axis=1), projection)))
    return Accumulation(
        rows=scipy.sparse.csr_array(scipy.sparse.vstack(rows)), accumulator=accumulator)


def _by_current(projection: Projection, target: Population) -> list[Projection]:
    """`projection` into each of the currents of `target`, which only a dense map reaches."""
    linear = projection.map
    if target.currents == 1:
        return [projection]
    assert isinstance(linear, Dense)
    return [replace(projection, map=replace(linear, weight=weight, out_shape=target.shape))
            for weight in np.split(linear.weight, target.currents)]


def delivery(
    projection: Projection, axons: Axons, slices: Slices, target_shape: tuple[int, ...]
) -> Delivery:
    """`projection` prepared for the simulator; dense weights are turned to rows of sources once."""
    linear = projection.map
    assert isinstance(linear, Dense | Conv | Sparse)
    weight = linear.weight.T if isinstance(linear, Dense) else linear.weight
    first, end = projection.sources or (0, len(axons.start) - 1)
    return Delivery(
        projection=projection,
        axons=replace(axons, start=axons.start[first : end + 1]),
        slices=slices,
        shape=view(target_shape),
        weight=np.ascontiguousarray(weight),
    )
