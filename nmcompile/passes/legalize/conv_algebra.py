"""Products of convolutions, and integer maps as matrices."""

from __future__ import annotations

from math import prod

import numpy as np
import scipy.sparse

from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.maps.base import LinearMap
from nmcompile.ir.neurons.base import Array


def conv_of_convs(first: Conv, second: Conv) -> Conv | None:
    """One convolution that equals `second` after `first`, or None where there is none.

    The kernels are convolved and strides multiply. It exists if one of the two is depthwise (as
    pooling is) and the zero padding between them can be moved in front: `second` has none, or
    `first` is an unpadded pooling whose windows tile its input.
    """
    if first.out_shape != second.in_shape:
        return None
    if not (_depthwise(first) or _depthwise(second)) or not _padding_moves(first, second):
        return None
    stride_y, stride_x = first.stride
    early, late = _undilated(first), _undilated(second)
    height = early.shape[2] + stride_y * (late.shape[2] - 1)
    width = early.shape[3] + stride_x * (late.shape[3] - 1)
    channels = (second.weight.shape[0], max(early.shape[1], late.shape[1]))
    weight = np.zeros((*channels, height, width))
    for y, x in np.ndindex(*late.shape[2:]):
        window = weight[
            :,
            :,
            y * stride_y : y * stride_y + early.shape[2],
            x * stride_x : x * stride_x + early.shape[3],
        ]
        window += _channel_product(first, second, early, late[:, :, y, x])
    return Conv(
        weight=weight,
        in_shape=first.in_shape,
        stride=(stride_y * second.stride[0], stride_x * second.stride[1]),
        padding=(
            first.padding[0] + stride_y * second.padding[0],
            first.padding[1] + stride_x * second.padding[1],
        ),
        groups=second.groups if _depthwise(first) else first.groups,
    )


def integer_matrix(linear: LinearMap) -> scipy.sparse.csr_array:
    """The integer weights (n_in, n_out) of a dense, sparse or convolution map, in their own type.

    Weights of 0 may be stored.
    """
    if isinstance(linear, Dense):
        return scipy.sparse.csr_array(linear.weight.T)
    if isinstance(linear, Conv):
        return conv_matrix(linear).astype(linear.weight.dtype)
    assert isinstance(linear, Sparse)
    return linear.matrix()


def conv_matrix(conv: Conv) -> scipy.sparse.csr_array:
    """`conv` as a double precision matrix (n_in, n_out)."""
    _, height, width = conv.in_shape
    _, out_height, out_width = conv.out_shape
    targets, sources = _channel_pairs(conv)
    parts: list[tuple[Array, Array, Array]] = []
    for ky, kx in np.ndindex(*conv.weight.shape[2:]):
        out_y, in_y = _taps(ky, 0, conv)
        out_x, in_x = _taps(kx, 1, conv)
        places = (out_y[:, None] * out_width + out_x).reshape(-1)
        origins = (in_y[:, None] * width + in_x).reshape(-1)
        values = conv.weight[:, :, ky, kx].reshape(-1).astype(np.float64)
        parts.append(
            (
                (sources[:, None] * height * width + origins).reshape(-1),
                (targets[:, None] * out_height * out_width + places).reshape(-1),
                np.repeat(values, len(places)),
            )
        )
    rows, columns, data = (np.concatenate(column) for column in zip(*parts, strict=True))
    shape = (prod(conv.in_shape), prod(conv.out_shape))
    return scipy.sparse.csr_array(scipy.sparse.coo_array((data, (rows, columns)), shape=shape))


def _depthwise(conv: Conv) -> bool:
    return conv.groups == conv.in_shape[0] == conv.weight.shape[0]


def _padding_moves(first: Conv, second: Conv) -> bool:
    if second.padding == (0, 0):
        return True
    tiles = all(
        first.weight.shape[2 + axis] == first.stride[axis]
        and first.in_shape[1 + axis] % first.stride[axis] == 0
        for axis in (0, 1)
    )
    return tiles and first.padding == (0, 0) and first.dilation == (1, 1)


def _undilated(conv: Conv) -> Array:
    """The kernel in double precision with the zeros of its dilation written out."""
    height, width = (
        d * (k - 1) + 1 for d, k in zip(conv.dilation, conv.weight.shape[2:], strict=True)
    )
    kernel = np.zeros((*conv.weight.shape[:2], height, width))
    kernel[:, :, :: conv.dilation[0], :: conv.dilation[1]] = conv.weight
    return kernel


def _channel_product(first: Conv, second: Conv, early: Array, tap: Array) -> Array:
    """Kernel of `first` seen through one tap (c_out, c_in / groups) of `second`."""
    if _depthwise(second):
        return early * tap[:, :, None, None]
    _, sources = _channel_pairs(second)
    seen = early[sources, 0].reshape(*tap.shape, *early.shape[2:])
    return seen * tap[:, :, None, None]


def _channel_pairs(conv: Conv) -> tuple[Array, Array]:
    """Target and source channel of each weight of one kernel tap, in the kernel's own order."""
    c_out, per_group = conv.weight.shape[:2]
    targets = np.repeat(np.arange(c_out), per_group)
    group = targets // (c_out // conv.groups)
    return targets, group * per_group + np.tile(np.arange(per_group), c_out)


def _taps(tap: int, axis: int, conv: Conv) -> tuple[Array, Array]:
    """Output positions along `axis` that kernel tap `tap` serves, and the inputs that it reads."""
    out = np.arange(conv.out_shape[1 + axis])
    source = out * conv.stride[axis] + tap * conv.dilation[axis] - conv.padding[axis]
    inside = (source >= 0) & (source < conv.in_shape[1 + axis])
    return out[inside], source[inside]
