"""Deliver the spikes of one step through the axons of a projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.ir import Projection
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Slices, view
from nmcompile.simulator import _deliver_kernels as kernels


@dataclass(frozen=True, kw_only=True, eq=False)
class Delivery:
    """One projection ready to run: its axons, the boxes they end in, and its weights by source."""

    linear: Dense | Conv | Sparse
    axons: Axons
    slices: Slices
    shape: tuple[int, int, int]
    weight: Array

    def add(self, payload: Array, out: Array) -> None:
        """Add the arriving weights of one step.

        payload  (samples, n_sources) int32, 0 where there is no spike
        out      (samples, n_targets) int32, changed in place; wraps at 32 bits
        """
        axons, slices = self.axons, self.slices
        shared = (payload, axons.start, axons.slice, slices.low, slices.high)
        if isinstance(self.linear, Dense):
            kernels.dense(*shared, self.weight, self.shape, out)
        elif isinstance(self.linear, Conv):
            conv = self.linear
            kernels.conv(
                *shared,
                self.weight,
                conv.in_shape,
                self.shape,
                conv.stride,
                conv.padding,
                conv.dilation,
                conv.groups,
                out,
            )
        else:
            kernels.sparse(
                payload,
                axons.start,
                axons.first,
                axons.synapses,
                self.linear.target,
                self.weight,
                axons.order,
                out,
            )


def delivery(
    projection: Projection, axons: Axons, slices: Slices, target_shape: tuple[int, ...]
) -> Delivery:
    """`projection` prepared for the simulator; dense weights are turned to rows of sources once."""
    linear = projection.map
    assert isinstance(linear, Dense | Conv | Sparse)
    weight = linear.weight.T if isinstance(linear, Dense) else linear.weight
    return Delivery(
        linear=linear,
        axons=axons,
        slices=slices,
        shape=view(target_shape),
        weight=np.ascontiguousarray(weight),
    )
