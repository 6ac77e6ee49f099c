"""Deliver lists of spikes through the axons of a projection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.sparse

from nmcompile.ir import Population, Projection
from nmcompile.ir.accumulate import shifted
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Accumulator, Array, accumulator_of
from nmcompile.mapping import Axons, Slices, view
from nmcompile.simulator import _deliver_kernels as kernels
from nmcompile.simulator.boxes import Reach, reach, runs_of

CHUNK = 256  # sources whose rows are dense at a time
FEW = 4  # channels in a group below which a convolution is added tap by tap
WIDTHS = (np.int8, np.int16, np.int32)


class Delivery(Protocol):
    """One projection ready to run: where its sources reach by their axons, and its weights.

    parts    units of its targets that may be worked on apart; 1 if none
    fan_out  synapses of a source, about
    """

    @property
    def parts(self) -> int:
        """Number of units."""

    @property
    def fan_out(self) -> int:
        """Number of synapses."""

    def add(
        self, start: Array, source: Array, payload: Array, part: tuple[int, int], column: int,
        out: Array
    ) -> None:
        """Add the arriving weights of some frames.

        start, source, payload  their spikes, see `_deliver_kernels`
        part    first of the units that are worked on, and the one behind the last
        column  of `out` where the targets begin
        out     (frames, columns) int32, changed in place; wraps at 32 bits
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class DenseDelivery:
    """Rows by source, of which each source reaches runs of targets."""

    first: int
    reach: Reach
    weight: Array

    @property
    def parts(self) -> int:
        """Number of targets."""
        return int(self.weight.shape[1])

    @property
    def fan_out(self) -> int:
        """Number of targets."""
        return self.parts

    def add(
        self, start: Array, source: Array, payload: Array, part: tuple[int, int], column: int,
        out: Array
    ) -> None:
        """See `Delivery`."""
        to = self.reach
        kernels.dense(start, source, payload, self.first, to.own, to.start, to.low, to.high,
                      self.weight, np.empty(self.parts, np.int16), part, column, out)


@dataclass(frozen=True, kw_only=True, eq=False)
class ConvDelivery:
    """A kernel that all sources share, of which each reaches boxes of targets.

    weight  (c_in, kernel height, kernel width, c_out / groups), its columns in `order`: those that
            the sources of one column take together, by rising column of the target
    phase   where in `order` the taps begin of the columns of each remainder by the stride
    """

    first: int
    reach: Reach
    linear: Conv
    weight: Array
    phase: Array
    order: Array

    @property
    def parts(self) -> int:
        """Rows of targets."""
        return int(self.linear.out_shape[1])

    @property
    def fan_out(self) -> int:
        """Weights of a source, of which those within the targets count."""
        return int(self.weight[0].size)

    def add(
        self, start: Array, source: Array, payload: Array, part: tuple[int, int], column: int,
        out: Array
    ) -> None:
        """See `Delivery`."""
        linear, to = self.linear, self.reach
        add = kernels.conv if self.weight.shape[3] >= FEW else kernels.depthwise
        add(start, source, payload, self.first, to.own, to.start, to.low, to.high, self.weight,
            (linear.in_shape, linear.out_shape),
            (linear.stride, linear.padding, linear.dilation), self.phase, self.order, part, column,
            out)


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseDelivery:
    """Synapses by source, axon by axon: those of source i are rows[i]:rows[i + 1]."""

    first: int
    rows: Array
    target: Array
    weight: Array

    @property
    def parts(self) -> int:
        """Synapses of a source may lead anywhere."""
        return 1

    @property
    def fan_out(self) -> int:
        """Mean number of synapses."""
        return len(self.target) // max(1, len(self.rows) - 1)

    def add(
        self, start: Array, source: Array, payload: Array, part: tuple[int, int], column: int,
        out: Array
    ) -> None:
        """See `Delivery`."""
        kernels.sparse(start, source, payload, self.first, self.rows, self.target, self.weight,
                       column, out)


@dataclass(frozen=True, kw_only=True, eq=False)
class Accumulation:
    """One projection into an accumulator: what a spike of each source adds, as rows of targets.

    rows  for each of the accumulator's states, (n_sources, n) int32, weights after the shift of
          their exponent
    """

    first: int
    rows: tuple[scipy.sparse.csr_array, ...]
    accumulator: Accumulator

    def add(
        self, start: Array, source: Array, payload: Array, states: dict[str, Array]
    ) -> None:
        """Add the spikes of one step, one source after the other; see `ir.neurons.Accumulator`.

        states  (samples, n) int32 each, changed in place
        """
        ends = self.accumulator
        for name, rows in zip(ends.states, self.rows, strict=True):
            kernels.accumulate(start, source, payload, self.first, rows.indptr, rows.indices,
                               rows.data, ends.low, ends.high, states[name])


def delivery(
    projection: Projection, axons: Axons, slices: Slices, target_shape: tuple[int, ...]
) -> Delivery:
    """`projection` prepared for the simulator; weights lie as its kernel reads them."""
    linear = projection.map
    first, end = projection.sources or (0, len(axons.start) - 1)
    axons = replace(axons, start=axons.start[first : end + 1])
    if isinstance(linear, Dense):
        return DenseDelivery(
            first=first, reach=runs_of(reach(axons, slices), view(target_shape)),
            weight=np.ascontiguousarray(narrow(linear.weight).T))
    if isinstance(linear, Conv):
        order, phase = _phases(linear)
        by_group = narrow(linear.weight).reshape(linear.groups, -1, *linear.weight.shape[1:])
        weight = by_group.transpose(0, 2, 3, 4, 1)[:, :, :, order]
        return ConvDelivery(
            first=first, reach=reach(axons, slices), linear=linear, phase=phase, order=order,
            weight=np.ascontiguousarray(weight.reshape(linear.in_shape[0], *weight.shape[2:])))
    assert isinstance(linear, Sparse)
    order, rows = _synapses(axons)
    return SparseDelivery(first=first, rows=rows, target=linear.target[order],
                          weight=narrow(linear.weight[order]))


def accumulation(projection: Projection, axons: Axons, slices: Slices, target: Population
                 ) -> Accumulation:
    """`projection` prepared for a target with an accumulator.

    The rows are what the axons deliver when each source spikes by itself.
    """
    accumulator = accumulator_of(target.neuron)
    assert accumulator is not None
    first, end = projection.sources or (0, len(axons.start) - 1)
    return Accumulation(
        first=first, accumulator=accumulator,
        rows=tuple(_rows(p, axons, slices, target, end - first)
                   for p in _by_current(projection, target)))


def narrow(weights: Array) -> Array:
    """`weights` in the narrowest integers that hold them."""
    low, high = (weights.min(), weights.max()) if weights.size else (0, 0)
    for width in WIDTHS:
        if np.iinfo(width).min <= low and high <= np.iinfo(width).max:
            return np.ascontiguousarray(weights, width)
    raise AssertionError(f"weights of {low} to {high} leave 32 bits")


def _rows(
    projection: Projection, axons: Axons, slices: Slices, target: Population, n_sources: int
) -> scipy.sparse.csr_array:
    deliver, rows = delivery(projection, axons, slices, target.shape), []
    for begin in range(0, n_sources, CHUNK):
        n = min(CHUNK, n_sources - begin)
        source = (projection.sources or (0,))[0] + np.arange(begin, begin + n, dtype=np.int32)
        sums = np.zeros((n, target.size), np.int32)
        deliver.add(np.arange(n + 1), source, np.ones(n, np.int32), (0, deliver.parts), 0, sums)
        rows.append(scipy.sparse.csr_array(shifted(sums, projection)))
    if not rows:
        return scipy.sparse.csr_array((0, target.size), dtype=np.int32)
    return scipy.sparse.csr_array(scipy.sparse.vstack(rows))


def _by_current(projection: Projection, target: Population) -> list[Projection]:
    """`projection` into each of the currents of `target`, which only a dense map reaches."""
    linear = projection.map
    if target.currents == 1:
        return [projection]
    assert isinstance(linear, Dense)
    return [replace(projection, map=replace(linear, weight=weight, out_shape=target.shape))
            for weight in np.split(linear.weight, target.currents)]


def _phases(linear: Conv) -> tuple[Array, Array]:
    """Columns of the kernel by the remainder of the source's column that they fit, and its ends."""
    stride, dilation, n = linear.stride[1], linear.dilation[1], linear.weight.shape[3]
    fits = np.arange(n) * dilation % stride
    order = np.lexsort((-np.arange(n), fits))
    return order, np.searchsorted(fits[order], np.arange(stride + 1))


def _synapses(axons: Axons) -> tuple[Array, Array]:
    """The numbers of a sparse map's synapses, axon by axon, and where each source's begin."""
    low, high = axons.start[0], axons.start[-1]
    n, first = axons.synapses[low:high].astype(np.int64), axons.first[low:high]
    ends = np.concatenate([[0], np.cumsum(n)])
    rows, begin = ends[axons.start - low], first[0] if len(first) else 0
    if np.array_equal(first, begin + ends[:-1]):
        return axons.order[begin : begin + ends[-1]], rows
    return axons.order[np.arange(ends[-1]) + np.repeat(first - ends[:-1], n)], rows
