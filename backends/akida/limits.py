"""What layers akida 2.19.3 maps onto AKD1000(), measured there; each limit with its own words."""

from __future__ import annotations

from math import prod

import numpy as np
from nmcompile_backends.akida.geometry import Geometry

from nmcompile.errors import ChipLayerError, CoreLimitError
from nmcompile.ir.neurons.base import Array

# Kernels with strides, the smallest kernel first. "Kernel size should be 3, 5 or 7", "stride_x
# should be 1, 2 or 3"; of later layers "Convolution stride must be 1 or 2", "stride 2 is only
# supported for 3x3 kernels", "Only padding same is supported"
INPUT_WAYS = tuple((size, stride) for size in (3, 5, 7) for stride in (1, 2, 3))
WAYS = ((1, 1), (3, 1), (3, 2), (5, 1), (7, 1))
SEPARABLE_WAYS = WAYS[1:]
INPUT_CHANNELS = (1, 3)  # "input_channels must be 1 or 3"
INPUT_LEAST, INPUT_ROWS = 5, 256  # "cannot be smaller than 5", "maximum ... second dimension"
# "num_neurons should be set between 1 and ..." by kernel and channels
INPUT_FILTERS = {(3, 1): 512, (3, 3): 192, (5, 1): 192, (5, 3): 64, (7, 1): 96, (7, 3): 32}
FILTERS = 2048  # "The maximum number of filters is 2048"
# "Filter size is too big to fit in a CNP": most channels by kernel and bits of a weight
CHANNELS = {(size, bits): 448 if bits == 4 else 896 for size in (1, 3, 5) for bits in (1, 2, 4)} | {
    (7, 1): 896, (7, 2): 448, (7, 4): 149}
IDENTITY_BITS = 2  # of the weights 0 and 1
# "The maximum input channel value is 2048", "Cannot split to fit weights in ram", with up to 512
# filters, by kernel and bits
SEPARABLE_CHANNELS = {(3, 2): 2048, (5, 2): 2048, (7, 2): 1536, (3, 4): 2048, (5, 4): 1432,
                      (7, 4): 896}
# "the output of the convolution must have at least 3 rows"; "input height cannot exceed 32" is said
# of columns, for the files give akida pictures as (columns, rows)
AVERAGED_ROWS, AVERAGE_INPUT_COLUMNS = 3, 32
FEATURES = 57334  # "Input dimensions are too large to fit in a FNP. The maximum value is 57334"
FULLY_CONNECTED = 22  # "Not enough hardware components of type FNP3": 18 FNP3 and 4 FNP2


def fits_input(channels: int, rows: int, columns: int) -> bool:
    """Whether a picture may go into the chip's input layer, whose values have 8 bits."""
    return (channels in INPUT_CHANNELS and min(rows, columns) >= INPUT_LEAST
            and rows <= INPUT_ROWS)


def require_input(
    name: str, found: Geometry, in_shape: tuple[int, ...], filters: int
) -> None:
    """Raise NmcError where the input layer has fewer filters, or the picture is too small."""
    channels, rows, columns = in_shape
    kernel = found.size
    if kernel > min(rows, columns):  # "first dimension size cannot be smaller than kernel size"
        raise ChipLayerError(
            name, f"a kernel of {kernel} x {kernel} in the input layer, on a picture of "
            f"{rows} x {columns}", "Take a smaller one.")
    # "With valid padding, a 5 kernel size and a 1 kernel stride, input second dimension size cannot
    # be smaller than 6"
    if not found.same and rows < kernel + found.stride:
        raise ChipLayerError(
            name, f"a kernel of {kernel} x {kernel} with stride {found.stride} and "
            f"without padding in the input layer, on {rows} rows; AKD1000 takes "
            f"{kernel + found.stride} or more", "Take a smaller one, or pad.")
    _require(name, filters, INPUT_FILTERS[kernel, channels],
             f"filters of {kernel} x {kernel} in the input layer", "Take fewer of them.")


def require_filters(name: str, filters: int) -> None:
    """Raise NmcError where a layer has more filters than the chip takes."""
    _require(name, filters, FILTERS, "filters", "Take fewer of them.")


def require_channels(name: str, kernel: int, channels: int, bits: int) -> None:
    """Raise NmcError where a filter of weights of `bits` is too large for a processor."""
    _require(name, channels, CHANNELS[kernel, bits],
             f"input channels of a kernel of {kernel} x {kernel} with weights of {bits} bits",
             "Take fewer channels, a smaller kernel or --bits 2.")


def require_separable(name: str, kernel: int, channels: int, bits: int) -> None:
    """Raise NmcError where the depthwise kernels are too many."""
    _require(name, channels, SEPARABLE_CHANNELS[kernel, bits],
             f"input channels of a separable kernel of {kernel} x {kernel}", "Take fewer.")


def require_weights(name: str, kind: str, *weights: Array) -> None:
    """Raise NmcError where all of some weights are 0."""
    # "All weights in a separable CNP layer cannot be zeroes", and so of "a hrc layer"
    if not all(map(np.any, weights)):
        raise ChipLayerError(name, f"all weights of its {kind} are 0, which AKD1000 does not map",
                             "Train it, or leave the layer out.")


def require_average(name: str, in_columns: int, rows: int) -> None:
    """Raise NmcError where a layer averages pictures that are too low or too wide."""
    if rows < AVERAGED_ROWS or in_columns > AVERAGE_INPUT_COLUMNS:
        raise ChipLayerError(
            name, f"it averages {rows} rows, of a layer that takes {in_columns} columns; AKD1000 "
            f"averages {AVERAGED_ROWS} or more, of a layer that takes {AVERAGE_INPUT_COLUMNS} at "
            "most", "Average behind the activation, ahead of a fully connected layer.")


def require_identity(name: str, channels: int) -> None:
    """Raise NmcError where the identity ahead of a fully connected layer has too many channels."""
    _require(name, channels, CHANNELS[1, IDENTITY_BITS],
             "channels of max pooling ahead of a fully connected layer", "Take fewer channels.")


def require_features(name: str, in_shape: tuple[int, ...]) -> None:
    """Raise NmcError where a fully connected layer has too many inputs."""
    _require(name, prod(in_shape), FEATURES, "inputs of a fully connected layer",
             "Pool ahead of it.")


def require_layers(fully_connected: int) -> None:
    """Raise NmcError where there are more fully connected layers than processors for them."""
    _require("network", fully_connected, FULLY_CONNECTED, "fully connected layers", "Take fewer.")


def _require(name: str, need: int, most: int, what: str, hint: str) -> None:
    if need > most:
        raise CoreLimitError(name, f"{need:,} {what}, AKD1000 has at most {most:,}", hint)
