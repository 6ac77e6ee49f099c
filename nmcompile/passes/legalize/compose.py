"""Make each chain of linear maps one map, keeping convolutions and dense layers what they are."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np
import scipy.sparse

from nmcompile.ir import Network
from nmcompile.ir.maps import Chain, Conv, Dense, LinearMap, Scale, Sparse, from_matrix
from nmcompile.ir.maps.base import Shape
from nmcompile.passes.legalize.conv_algebra import conv_matrix, conv_of_convs

DENSE_FROM = 0.25  # a composed map with this share of nonzeros is stored densely


def compose(network: Network) -> Network:
    """`network` with Dense, Conv and Sparse maps only.

    Batch normalisation and gains go into the kernel or matrix beside them, pooling into the
    convolution or the dense layer beside it; what has no such form becomes a sparse matrix.
    Products are formed in double precision and stored as float32.
    """
    projections = tuple(replace(p, map=single(p.map)) for p in network.projections)
    return replace(network, projections=projections)


def single(chain: LinearMap) -> LinearMap:
    """A chain as one map, in float32."""
    links = chain.maps if isinstance(chain, Chain) else (chain,)
    whole = reduce(_pair, links)
    if isinstance(whole, Scale):
        whole = from_matrix(matrix(whole), whole.in_shape, whole.out_shape)
    if isinstance(whole, Dense | Conv):
        return replace(whole, weight=whole.weight.astype(np.float32))
    return whole.with_weights(whole.weights().astype(np.float32))


def _pair(first: LinearMap, second: LinearMap) -> LinearMap:
    """The map `second` after `first`."""
    if isinstance(second, Scale):
        scaled = _scaled_outputs(first, second)
    elif isinstance(first, Scale):
        scaled = _scaled_inputs(first, second)
    elif isinstance(first, Conv) and isinstance(second, Conv):
        scaled = conv_of_convs(first, second)
    else:
        scaled = None
    return scaled if scaled is not None else _product(first, second)


def _scaled_outputs(first: LinearMap, scale: Scale) -> LinearMap | None:
    factor = scale.factor.astype(np.float64)
    if isinstance(first, Scale) and first.in_shape == scale.in_shape:
        return Scale(factor=first.factor * factor, in_shape=first.in_shape)
    if isinstance(first, Dense):
        rows = np.broadcast_to(factor, scale.in_shape).reshape(-1, 1)
        return _weighted(first, rows)
    if isinstance(first, Conv) and (channels := _per_channel(scale, first.out_shape)) is not None:
        return _weighted(first, channels[:, None, None, None])
    return None


def _scaled_inputs(scale: Scale, second: LinearMap) -> LinearMap | None:
    if isinstance(second, Dense):
        columns = np.broadcast_to(scale.factor.astype(np.float64), scale.in_shape).reshape(-1)
        return _weighted(second, columns[None])
    if isinstance(second, Conv) and (channels := _per_channel(scale, second.in_shape)) is not None:
        grouped = channels.reshape(second.groups, 1, -1)
        per_target = np.broadcast_to(
            grouped, (second.groups, second.weight.shape[0] // second.groups, grouped.shape[2])
        ).reshape(second.weight.shape[:2])
        return _weighted(second, per_target[:, :, None, None])
    return None


def _weighted(linear: Dense | Conv, factor: np.ndarray) -> Dense | Conv:
    """`linear` with its weights times `factor`, on the grid that this makes of theirs."""
    grid = linear.grid and linear.grid.times(factor)
    if grid is not None and not np.all(grid.step > 0):
        grid = None
    return replace(linear, weight=linear.weight * factor, grid=grid)


def _per_channel(scale: Scale, shape: tuple[int, ...]) -> np.ndarray | None:
    """One factor for each channel of `shape`, or None where factors differ within a channel."""
    if scale.in_shape != shape:
        return None
    full = np.broadcast_to(scale.factor.astype(np.float64), shape).reshape(shape[0], -1)
    return full[:, 0] if np.all(full == full[:, :1]) else None


def _product(first: LinearMap, second: LinearMap) -> LinearMap:
    ends = first.in_shape, second.out_shape
    if isinstance(second, Dense):
        return _dense((matrix(first) @ second.weight.T.astype(np.float64)).T, *ends)
    if isinstance(first, Dense):
        return _dense(second.apply(first.weight.T.astype(np.float64)).T, *ends)
    product = scipy.sparse.csr_array(matrix(first) @ matrix(second))
    product.eliminate_zeros()
    if product.nnz >= DENSE_FROM * product.shape[0] * product.shape[1]:
        return _dense(product.toarray().T, *ends)
    return from_matrix(product, *ends)


def _dense(weight: np.ndarray, in_shape: Shape, out_shape: Shape) -> Dense:
    return Dense(weight=np.ascontiguousarray(weight), in_shape=in_shape, out_shape=out_shape)


def matrix(linear: LinearMap) -> scipy.sparse.csr_array | np.ndarray:
    """`linear` as a double precision matrix (n_in, n_out); sparse unless the map is dense."""
    if isinstance(linear, Dense):
        return linear.weight.T.astype(np.float64)
    if isinstance(linear, Sparse):
        return linear.matrix().astype(np.float64)
    if isinstance(linear, Conv):
        return conv_matrix(linear)
    factor = linear.factor.astype(np.float64)  # type: ignore[attr-defined]
    return scipy.sparse.diags_array(
        np.broadcast_to(factor, linear.in_shape).reshape(-1), format="csr"
    )
