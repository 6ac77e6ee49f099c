"""Convolutions laid out as the populations that they lead to, which are cut into cores by place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.maps import Conv, LinearMap, from_matrix
from nmcompile.mapping import view
from nmcompile.passes.legalize.conv_algebra import conv_matrix


def in_places(network: Network) -> Network:
    """`network` whose convolutions have the rows and columns of the populations behind them.

    A model may reshape what a convolution gives. Where it pooled all channels as one tall image,
    as lava-dl does, the pooling becomes depthwise; any other such convolution a sparse matrix.
    """
    projections = tuple(
        replace(p, map=_placed(p.map, network.population(p.target).shape))
        for p in network.projections)
    return replace(network, projections=projections)


def _placed(linear: LinearMap, shape: tuple[int, ...]) -> LinearMap:
    places = view(shape)
    if not isinstance(linear, Conv) or linear.out_shape[1:] == places[1:]:
        return linear
    if _tall(linear, places):
        return _by_channel(linear, places)
    sparse = from_matrix(conv_matrix(linear), linear.in_shape, linear.out_shape)
    return sparse.with_weights(sparse.weights().astype(np.float32))


def _tall(conv: Conv, places: tuple[int, int, int]) -> bool:
    """Whether one channel holds all of `places` below each other, and no window spans two."""
    channels, rows, columns = places
    span = conv.dilation[0] * (conv.weight.shape[2] - 1) + 1
    return (conv.weight.shape[:2] == (1, 1) and conv.out_shape == (1, channels * rows, columns)
            and conv.padding[0] == 0 and span <= conv.stride[0]
            and conv.in_shape[1] == channels * rows * conv.stride[0])


def _by_channel(conv: Conv, places: tuple[int, int, int]) -> Conv:
    channels = places[0]
    _, height, width = conv.in_shape
    grid = conv.grid if conv.grid and conv.grid.step.size == 1 else None
    return replace(
        conv, weight=np.repeat(conv.weight, channels, axis=0), groups=channels,
        in_shape=(channels, height // channels, width),
        grid=grid and replace(grid, step=grid.step.reshape(())))
