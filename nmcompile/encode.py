"""Bring the user's data into the form that a network takes: which axis is time, and encodings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal, Protocol

import numpy as np

from nmcompile.errors import (
    DataShapeError,
    DataValueError,
    EncodingError,
    NetworkError,
    OptionsError,
)
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array

Encoding = Literal["direct", "rate", "latency"]
PART = 256  # samples that are looked at at a time
ENCODINGS: tuple[Encoding, ...] = ("direct", "rate", "latency")


class Series(Protocol):
    """(samples, steps, ...) whole numbers from 0 that are made as they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all samples."""

    @property
    def told(self) -> str:
        """What they come from, in words."""

    def __len__(self) -> int:
        """Samples."""

    def __getitem__(self, samples: slice, /) -> Array:
        """Some samples after each other."""

    def fitted(self, samples: slice, steps: int) -> Array:
        """Some samples cut to so many steps, or with silence behind."""

    def peak(self, steps: int) -> float:
        """The largest value in the first steps."""

    def reshape(self, *shape: int) -> Series:
        """The same with another shape of a step."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """What an input sends, made as it is asked for: `encoded[first:end]` are samples of it.

    values    (samples, *shape) to be encoded, or (samples, given steps, *shape)
    steps     for which they are sent; a series that is shorter ends with silence
    encoding  None for a series, which is sent as it is
    seed      of the spikes of "rate", which do not depend on how samples are asked for
    """

    values: Array | Series
    steps: int
    encoding: Encoding | None
    seed: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(samples, steps, *shape)."""
        return (len(self.values), self.steps, *self.values.shape[1 if self.encoding else 2 :])

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, samples: slice) -> Array:
        """(k, steps, *shape) float32 of samples after each other."""
        first, end, _ = samples.indices(len(self.values))
        if self.encoding is None:
            return self._series(slice(first, end))
        values = self.values[first:end]
        values = values[:, None].astype(np.float32)
        if self.encoding == "direct":
            return np.repeat(values, self.steps, axis=1)
        if self.encoding == "rate":  # the draws of all samples are one after the other
            one = self.shape[1:]
            return _spikes(values, (end - first, *one), self.seed, first * prod(one))
        when = np.rint((1 - values) * (self.steps - 1))
        clock = np.arange(self.steps).reshape(-1, *[1] * (values.ndim - 2))
        return ((clock == when) & (values > 0)).astype(np.float32)

    @property
    def binary(self) -> bool:
        """Whether all that is sent is 0 or 1."""
        if not isinstance(self.values, np.ndarray):
            return self.peak <= 1
        return self.encoding in ("rate", "latency") or all(
            ((part == 0) | (part == 1)).all() for part in self._parts())

    @property
    def peak(self) -> float:
        """The largest magnitude that is sent."""
        if self.encoding in ("rate", "latency"):
            return 1.0
        if not isinstance(self.values, np.ndarray):
            return self.values.peak(self.steps)
        return max(float(np.abs(part).max()) for part in self._parts())

    @property
    def lowest(self) -> float:
        """The least that is sent."""
        if self.encoding in ("rate", "latency"):
            return 0.0
        return min(float(part.min()) for part in self._parts())

    def _parts(self) -> Iterator[Array]:
        """What is sent, without repetition, some samples at a time."""
        assert isinstance(self.values, np.ndarray)
        for first in range(0, len(self.values), PART):
            part = self.values[first : first + PART]
            yield (part[:, : self.steps] if self.encoding is None else part).astype(np.float32)

    def _series(self, samples: slice) -> Array:
        """Samples (k, steps, ...) float32 of a series."""
        if not isinstance(self.values, np.ndarray):
            return self.values.fitted(samples, self.steps)
        return _fitted(self.values[samples], self.steps).astype(np.float32)


def encoded(
    values: Array | Series,
    network: Network,
    *,
    steps: int | None = None,
    encoding: Encoding | None = None,
    seed: int = 0,
    where: str = "input",
) -> dict[str, Encoded]:
    """`values` as inputs of `network`, by name, made as they are asked for.

    values    (samples, *shape) to be encoded, or (samples, steps, *shape) to be sent as they are;
              the axes of `shape` may be flattened
    steps     for values, how long they are sent (default: as the network says); for series,
              how much of them to use
    encoding  direct: the value in every step; rate: a spike with the value as its probability;
              latency: one spike, the earlier the larger the value, none for 0. Default: direct
    """
    if len(network.inputs) != 1:
        raise NetworkError(where, f"the network has {len(network.inputs)} inputs, one is supported")
    port = network.inputs[0]
    if _is_series(values, port.shape, where):
        if encoding not in (None, "direct"):
            raise EncodingError(
                where,
                f"'{encoding}' encodes values (samples, ...), the data already "
                f"has {values.shape[1]} steps",
                "Leave out --encode.",
            )
        values = values.reshape(*values.shape[:2], *port.shape)
        return {port.name: Encoded(values=values, steps=steps or values.shape[1], encoding=None,
                                   seed=seed)}
    assert isinstance(values, np.ndarray)
    steps = steps or network.steps
    if steps is None:
        raise OptionsError(
            where,
            "holds one value for each sample and the model does not say for how many steps",
            "Add --steps N.",
        )
    if encoding in ("rate", "latency"):
        _require_unit_range(values, encoding, where)
    return {port.name: Encoded(values=values.reshape(len(values), *port.shape), steps=steps,
                               encoding=encoding or "direct", seed=seed)}


def _is_series(values: Array | Series, shape: tuple[int, ...], where: str) -> bool:
    size = prod(shape)
    if not isinstance(values, np.ndarray):
        if prod(values.shape[2:]) != size:
            given, taken = (" x ".join(map(str, s)) for s in (values.shape[2:], shape))
            raise DataShapeError(
                values.told, f"gives {given} values a step, the network takes {taken}",
                "Add --crop, --downsample or --polarity.")
        return True
    if values.dtype.kind not in "fiub":
        raise DataValueError(where, f"holds {values.dtype}, expected numbers")
    if values.ndim < 2 or 0 in values.shape:
        raise DataShapeError(
            where,
            f"has shape {values.shape}, expected (samples, "
            f"{', '.join(map(str, shape))}) or (samples, steps, ...)",
        )
    if values.shape[1:] == shape or (values.shape[2:] != shape and prod(values.shape[1:]) == size):
        series = False
    elif prod(values.shape[2:]) == size and values.ndim > 2:
        series = True
    else:
        listed = ", ".join(map(str, shape))
        raise DataShapeError(
            where,
            f"has shape {values.shape}, the model takes (samples, {listed}) or "
            f"(samples, steps, {listed})",
        )
    if not max(-float(values.min()), float(values.max())) <= float(np.finfo(np.float32).max):
        raise DataValueError(where, "holds NaN, infinite values or values beyond 32-bit floats")
    return series


def _fitted(values: Array, steps: int) -> Array:
    """`values` (samples, given steps, ...) cut to `steps`, or with silence behind."""
    if steps == values.shape[1]:
        return values
    fitted = np.zeros((len(values), steps, *values.shape[2:]), values.dtype)
    used = min(steps, values.shape[1])
    fitted[:, :used] = values[:, :used]
    return fitted


def rate_spikes(values: Array, seed: int, where: str) -> Array:
    """Spikes of the shape of `values`, each with its value as probability."""
    _require_unit_range(values, "rate", where)
    return _spikes(values.astype(np.float32), values.shape, seed)


def _spikes(chance: Array, shape: tuple[int, ...], seed: int, skipped: int = 0) -> Array:
    """Spikes (*shape) float32, each with its `chance`, from the draws behind the first `skipped`.

    chance  float32, of a shape that numpy spreads to `shape`
    """
    draws = np.random.Generator(np.random.PCG64(seed).advance(skipped))
    return (draws.random(shape) < chance).astype(np.float32)


def _require_unit_range(values: Array, encoding: str, where: str) -> None:
    if values.min() < 0 or values.max() > 1:
        raise EncodingError(
            where,
            f"values span {values.min():g} to {values.max():g}; '{encoding}' takes 0 to 1",
            "Scale the data, or add --binary for events.",
        )
