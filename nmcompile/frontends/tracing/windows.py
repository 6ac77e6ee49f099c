"""The windows of a pooling along one axis, and the sums over them."""

from __future__ import annotations

from functools import reduce
from math import prod

import numpy as np
import scipy.sparse

from nmcompile.frontends.tracing.probe import MAX_SYNAPSES
from nmcompile.frontends.tracing.values import NotTraceableError
from nmcompile.ir.maps import LinearMap, from_matrix
from nmcompile.ir.neurons.base import Array

Windows = list[range]  # what each window holds of an axis
TOO_LARGE = "pooling of windows too large to be followed"


def regular(size: int, count: int, kernel: int, stride: int, padding: int, dilation: int
            ) -> Windows:
    """`count` windows along an axis of `size`, cut where they hang over its ends."""
    found = []
    for start in range(-padding, count * stride - padding, stride):
        first = max(0, -(start // dilation))
        last = min(kernel, (size - 1 - start) // dilation + 1)
        found.append(range(start + dilation * first, start + dilation * last, dilation))
    if not all(found):
        raise NotTraceableError("max pooling with a window of nothing but padding")
    return found


def adaptive(size: int, count: int) -> Windows:
    """The windows of an adaptive pooling, which may differ in length and overlap."""
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def by_position(windows: Windows) -> list[Array]:
    """The first, second, ... element of each window; a shorter one repeats its last."""
    longest = max(map(len, windows), default=0)
    if longest * len(windows) > MAX_SYNAPSES:
        raise NotTraceableError(TOO_LARGE)
    return [np.array([w[min(k, len(w) - 1)] for w in windows]) for k in range(longest)]


def sum_over(axes: tuple[Windows, ...], sizes: tuple[int, ...], in_shape: tuple[int, ...],
             out_shape: tuple[int, ...]) -> LinearMap:
    """The sum over each window of the last axes, of `sizes`."""
    lengths = [sum(map(len, windows)) for windows in axes]
    planes = prod(in_shape) // prod(sizes)
    if max(lengths) > MAX_SYNAPSES or prod(lengths) * planes > MAX_SYNAPSES:
        raise NotTraceableError(TOO_LARGE)
    matrices = [scipy.sparse.eye_array(planes)]
    for windows, size in zip(axes, sizes, strict=True):
        source = np.concatenate([np.array(w, np.int64) for w in windows])
        target = np.repeat(np.arange(len(windows)), [len(w) for w in windows])
        matrices.append(scipy.sparse.coo_array((np.ones(len(source)), (source, target)),
                                               shape=(size, len(windows))))
    whole = reduce(lambda a, b: scipy.sparse.kron(a, b, format="csr"), matrices)
    return from_matrix(scipy.sparse.csr_array(whole.astype(np.float32)), in_shape, out_shape)
