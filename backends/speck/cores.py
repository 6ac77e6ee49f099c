"""The convolutional cores of a Speck2f: their registers, and what these can hold.

"Data sheet" is SynSense's Speck Dev Kit Datasheet, August 2023; "sinabs" is sinabs 3.1.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np

from nmcompile.errors import BoardLimitError, ChipTopologyError, CoreLimitError, RegisterError
from nmcompile.ir.neurons.base import Array

N_CORES = 9  # data sheet 2.2
FAN_OUT = 2  # destinations of a core and of the event pre-processing: data sheet 2.4, 3.2.3.6
WEIGHT_BITS = 8  # data sheet table 3
STATE_BITS = 16  # data sheet table 3
LEAK_BITS = 16  # data sheet table 3 and p. 23; sinabs fills 8 of them (discretize.py)
MAX_INPUT = 128  # height and width: data sheet 2.4
MAX_OUTPUT = 64  # height and width: data sheet 2.4
MAX_FEATURES = 1024  # data sheet 2.4
MAX_KERNEL = 16  # data sheet 2.4
STRIDES = (1, 2, 4, 8)  # independent in x and y: data sheet 2.4
MAX_PADDING = 7  # independent in x and y: data sheet 2.4
POOLINGS = (1, 2, 4)  # data sheet 2.4
DECIMATIONS = (2, 4, 8, 16, 32, 128, 256, 512)  # by output_decimator_interval: data sheet table 4
STATE_MIN, STATE_MAX = -(2 ** (STATE_BITS - 1)), 2 ** (STATE_BITS - 1) - 1

Pair = tuple[int, int]
Shape = tuple[int, int, int]


class Destination(NamedTuple):
    """A core that receives events, whose coordinates are divided by `pooling` on the way."""

    core: int
    pooling: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeckCore:
    """One core: convolution, integrate-and-fire neurons, pooling toward each destination.

    weight          (features, channels, kernel, kernel) int8
    in_shape        (channels, height, width) of the events that it takes
    stride, padding (y, x)
    threshold_high  1..32767: a neuron at it or above it fires
    threshold_low   -32768..32767 but 0: no state falls below it
    return_to_zero  a spike clears the state; otherwise it subtracts threshold_high
    leak            (features,) 16 bits, added at each tick of the slow clock; None: leak disabled
    initial         states before the first event, of `out_shape` or a scalar
    decimator       output_decimator_interval 0..7, None where the decimator is disabled
    """

    weight: Array
    in_shape: Shape
    threshold_high: int
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    threshold_low: int = STATE_MIN
    return_to_zero: bool = False
    leak: Array | None = None
    initial: Array = field(default_factory=lambda: np.zeros((), np.int16))
    decimator: int | None = None
    destinations: tuple[Destination, ...] = ()

    @property
    def out_shape(self) -> Shape:
        """(features, height, width) of its neurons."""
        height, width = (
            (self.in_shape[axis + 1] + 2 * self.padding[axis] - self.weight.shape[axis + 2])
            // self.stride[axis] + 1
            for axis in (0, 1)
        )
        return (self.weight.shape[0], height, width)

    @property
    def n_neurons(self) -> int:
        """How many neurons compute (the memory they take is more: see `limits`)."""
        return prod(self.out_shape)

    def verify(self, name: str) -> None:
        """Raise NmcError naming the register that cannot hold its value."""
        self._verify_shapes(name)
        _require_integers(name, "weight", self.weight, WEIGHT_BITS)
        _require_integers(name, "initial", self.initial, STATE_BITS)
        if self.leak is not None:
            _require_integers(name, "leak", self.leak, LEAK_BITS)
            if self.leak.shape != self.out_shape[:1]:
                raise RegisterError(
                    name, f"leak has shape {self.leak.shape}, expected one value for "
                    f"each of {self.out_shape[0]} features")
        if np.broadcast_shapes(self.initial.shape, self.out_shape) != self.out_shape:
            raise RegisterError(name, f"initial states have shape {self.initial.shape}, "
                                f"expected {self.out_shape}")
        if not 1 <= self.threshold_high <= STATE_MAX:
            raise RegisterError(name, f"threshold_high is {self.threshold_high}, Speck holds 1 to "
                                f"{STATE_MAX}")
        if not STATE_MIN <= self.threshold_low < self.threshold_high:
            raise RegisterError(
                name, f"threshold_low is {self.threshold_low}, expected {STATE_MIN} to "
                f"below threshold_high, {self.threshold_high}")
        if self.threshold_low == 0:  # data sheet 3.2.4.6.3
            raise RegisterError(
                name, "threshold_low is 0, which this generation of Speck cannot hold "
                "(a known fault of the chip)", "Use -1.")
        if self.decimator is not None and not 0 <= self.decimator < len(DECIMATIONS):
            raise RegisterError(
                name, f"output_decimator_interval is {self.decimator}, expected 0 to "
                f"{len(DECIMATIONS) - 1}")

    def _verify_shapes(self, name: str) -> None:
        if self.weight.ndim != 4 or self.weight.shape[1] != self.in_shape[0]:
            raise RegisterError(
                name, f"kernel {self.weight.shape} does not take {self.in_shape[0]} "
                "channels")
        height, width = self.weight.shape[2:]
        if height != width or not 1 <= height <= MAX_KERNEL:
            raise RegisterError(
                name, f"kernel is {height} x {width}, Speck's are square and at most "
                f"{MAX_KERNEL} x {MAX_KERNEL}")
        if any(s not in STRIDES for s in self.stride):
            raise RegisterError(name, f"stride is {self.stride}, Speck has 1, 2, 4 and 8")
        if any(not 0 <= p <= MAX_PADDING for p in self.padding):
            raise RegisterError(name, f"padding is {self.padding}, Speck has 0 to {MAX_PADDING}")
        if min(self.out_shape) < 1 or max(self.out_shape[1:]) > MAX_OUTPUT:
            raise CoreLimitError(
                name, f"its output is {self.out_shape[1]} x {self.out_shape[2]}, Speck "
                f"holds 1 x 1 to {MAX_OUTPUT} x {MAX_OUTPUT}")
        if max(self.in_shape[1:]) > MAX_INPUT:
            raise CoreLimitError(
                name, f"its input is {self.in_shape[1]} x {self.in_shape[2]}, Speck "
                f"takes at most {MAX_INPUT} x {MAX_INPUT}")
        if max(self.in_shape[0], self.out_shape[0]) > MAX_FEATURES:
            raise CoreLimitError(
                name, f"it has {self.in_shape[0]} channels and {self.out_shape[0]} "
                f"features, Speck has at most {MAX_FEATURES}")


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeckNetwork:
    """Connected cores.

    inputs  where an event from outside goes; at most two destinations
    """

    cores: tuple[SpeckCore, ...]
    inputs: tuple[Destination, ...]

    def verify(self) -> None:
        """Raise NmcError naming the core that breaks a rule."""
        if not 1 <= len(self.cores) <= N_CORES:
            raise BoardLimitError("network", f"it has {len(self.cores)} cores, Speck has {N_CORES}")
        for index, core in enumerate(self.cores):
            core.verify(f"core {index}")
            self._verify_destinations(f"core {index}", core.destinations)
        self._verify_destinations("input", self.inputs)
        self._verify_order()

    def _verify_order(self) -> None:
        """Refuse loops: take away cores that send to none of the rest until nothing is left."""
        left = set(range(len(self.cores)))
        while left:
            ends = {i for i in left if not any(d.core in left for d in self.cores[i].destinations)}
            if not ends:
                raise ChipTopologyError(
                    "network", f"cores {', '.join(map(str, sorted(left)))} run in a "
                    "loop, whose order of events is not known")
            left -= ends

    def _verify_destinations(self, name: str, destinations: tuple[Destination, ...]) -> None:
        if len(destinations) > FAN_OUT:
            raise ChipTopologyError(
                name, f"it has {len(destinations)} destinations, Speck has {FAN_OUT}")
        for destination in destinations:
            if not 0 <= destination.core < len(self.cores):
                raise ChipTopologyError(
                    name, f"it sends to core {destination.core}, which does not exist")
            if destination.pooling not in POOLINGS:
                raise RegisterError(name, f"pooling is {destination.pooling}, Speck has 1, 2 and 4")


def _require_integers(name: str, register: str, values: Array, bits: int) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if values.dtype.kind != "i" or np.any(values < low) or np.any(values > high):
        raise RegisterError(name, f"{register} spans {values.min()} to {values.max()} "
                            f"({values.dtype}), Speck holds integers of {low} to {high}")
