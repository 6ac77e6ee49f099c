"""Bring the user's data into the form that a network takes: which axis is time, and encodings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np

from nmcompile.coding import TRACED, Coding, Encoding, coding_of
from nmcompile.errors import (
    DataShapeError,
    DataValueError,
    EncodingError,
    OptionsError,
)
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array

PART = 256  # samples that are looked at at a time
CHANGE = 0.1  # that is sent, as snntorch.spikegen.delta has it


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

    values    (samples, ...) to be encoded, or (samples, given steps, ...)
    series    whether values have steps; one that is shorter than `steps` ends with silence
    unit      what is sent in a step
    seed      of the spikes of "rate", which do not depend on how samples are asked for
    """

    values: Array | Series
    series: bool
    steps: int
    unit: tuple[int, ...]
    coding: Coding
    seed: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(samples, steps, *unit)."""
        return (len(self.values), self.steps, *self.unit)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, samples: slice) -> Array:
        """(k, steps, *unit) float32 of samples after each other."""
        first, end, _ = samples.indices(len(self.values))
        shape = (end - first, *self.shape[1:])
        if not isinstance(self.values, np.ndarray):
            return self.values.fitted(slice(first, end), self.steps).reshape(shape)
        values = self._scaled(self.values[first:end])
        if self.coding.of_changes:
            return _fitted(changes(values, self.coding), self.steps).reshape(shape)
        if self.series:
            values = _fitted(values, self.steps).reshape(shape)
        else:
            values = values.reshape(end - first, 1, *self.unit)
        if self.coding.how == "rate":  # the draws of all samples are one after the other
            return _spikes(values, shape, self.seed, first * prod(self.shape[1:]))
        if self.coding.how == "latency":
            return self._first_spikes(values)
        return values if self.series else np.repeat(values, self.steps, axis=1)

    def _first_spikes(self, values: Array) -> Array:
        """One spike for each of `values` (k, 1, *unit), none for those below the threshold."""
        when = np.rint((1 - values) * (self.steps - 1))
        clock = np.arange(self.steps).reshape(-1, *[1] * len(self.unit))
        sent = (values > 0) & (values >= (self.coding.threshold or 0))
        return ((clock == when) & sent).astype(np.float32)

    @property
    def _of_spikes(self) -> bool:
        return self.coding.of_changes or self.coding.how in ("rate", "latency")

    @property
    def binary(self) -> bool:
        """Whether all that is sent is 0 or 1."""
        if not isinstance(self.values, np.ndarray):
            return self.peak <= 1
        if self._of_spikes:
            return self.lowest >= 0
        return all(((part == 0) | (part == 1)).all() for part in self._parts())

    @property
    def peak(self) -> float:
        """The largest magnitude that is sent."""
        if not isinstance(self.values, np.ndarray):
            return self.values.peak(self.steps)
        return 1.0 if self._of_spikes else max(float(np.abs(p).max()) for p in self._parts())

    @property
    def lowest(self) -> float:
        """The least that is sent."""
        if not isinstance(self.values, np.ndarray):
            return 0.0
        if self._of_spikes:
            return -1.0 if self.coding.off == "negative" else 0.0
        return min(float(part.min()) for part in self._parts())

    def _parts(self) -> Iterator[Array]:
        """What is sent, without repetition, some samples at a time."""
        assert isinstance(self.values, np.ndarray)
        for first in range(0, len(self.values), PART):
            part = self.values[first : first + PART]
            yield self._scaled(part[:, : self.steps] if self.series else part)

    def _scaled(self, values: Array) -> Array:
        return values.astype(np.float32) * np.float32(self.coding.gain)


def encoded(
    values: Array | Series,
    network: Network,
    *,
    steps: int | None = None,
    encoding: Encoding | Coding | None = None,
    seed: int = 0,
    where: str = "input",
) -> dict[str, Encoded]:
    """`values` as inputs of `network`, by name, made as they are asked for.

    values    (samples, *shape) to be encoded, or a series (samples, steps, *shape), which is sent
              as it is, as rates, or as its changes; the axes of `shape` may be flattened
    steps     for values, how long they are sent (default: as the network says); for series,
              how much of them to use
    encoding  how values are sent, by name or with more to it; see `coding.Coding`
    """
    coding = coding_of(encoding)
    if len(network.inputs) != 1:
        raise DataShapeError(where, "holds values for one input, the network has "
                             f"{len(network.inputs)}")
    port = network.inputs[0]
    if not isinstance(values, np.ndarray):
        _require_events(values, coding, where)
    series = _is_series(values, coding.taken(port.shape, where), where)
    if isinstance(values, np.ndarray):
        _require_form(values, series, coding, where)
    steps = steps or (values.shape[1] if series else network.steps)
    if steps is None:
        raise OptionsError(
            where,
            "holds one value for each sample and the model does not say for how many steps",
            "Add --steps N.",
        )
    if coding.how in ("rate", "latency"):
        _require_unit_range(values, coding.how, where, coding.gain)
    return {port.name: Encoded(values=values, series=series, steps=steps, unit=port.shape,
                               coding=coding, seed=seed)}


def _require_events(values: Series, coding: Coding, where: str) -> None:
    """Refuse to encode what is events already."""
    if coding.how not in (None, "direct"):
        raise _has_steps(values, coding, where)
    if coding.gain != 1:
        raise OptionsError("--gain", f"is for values, {where} holds events", "Leave it out.")


def _require_form(values: Array, series: bool, coding: Coding, where: str) -> None:
    """Refuse an encoding that needs steps of what has none, or none of what has them."""
    if coding.of_changes and not series:
        raise EncodingError(
            where, f"'{coding.how}' encodes series (samples, steps, ...), the data has one value "
            "for each sample", "Take --encode direct, rate or latency.")
    if coding.how == "latency" and series:
        raise _has_steps(values, coding, where)


def _has_steps(values: Array | Series, coding: Coding, where: str) -> EncodingError:
    return EncodingError(
        where, f"'{coding.how}' encodes values (samples, ...), the data already has "
        f"{values.shape[1]} steps", "Leave out --encode.")


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


def changes(values: Array, coding: Coding) -> Array:
    """Spikes of the changes of `values` (samples, steps, ...), by `coding.how`.

    delta          1 where a step's value is `threshold` or more above that of the step before it,
                   ahead of the first 0; -1 where so far below (snntorch.spikegen.delta)
    send-on-delta  the same against a level that each spike moves by `threshold`, for differences
                   beyond `threshold`; it begins at the first value, rounded to a whole number
                   (Stewart et al. 2023, "Speech2Spikes", doi 10.1145/3584954.3584995)

    returns  float32: (samples, steps, 2, ...) of off and on where `coding.off` is "channel",
             else of the shape of `values`
    """
    values = values.astype(np.float32)
    threshold = np.float32(CHANGE if coding.threshold is None else coding.threshold)
    signs = np.empty(values.shape, np.int8)
    if coding.how == "delta":
        rise = np.diff(values, axis=1, prepend=np.float32(0))
        signs[:] = (rise >= threshold).astype(np.int8) - (rise <= -threshold)
    else:
        level = np.round(values[:, 0])
        for step in range(values.shape[1]):
            rise = values[:, step] - level
            signs[:, step] = (rise > threshold).astype(np.int8) - (rise < -threshold)
            level += signs[:, step] * threshold
    if coding.off == "channel":
        return np.stack([signs < 0, signs > 0], 2).astype(np.float32)
    return (np.maximum(signs, 0) if coding.off == "drop" else signs).astype(np.float32)


def as_traced(values: Array, coding: Coding) -> Array:
    """A few of `values` in the form that a model takes which is given them in `coding`.

    What the model's own input looks like is not known yet: channels of off and on become channels
    of images (2, height, width), and are joined to the first axis of all else.
    """
    few = values[:TRACED]
    if coding.gain != 1:
        few = few * np.float32(coding.gain)
    if not coding.of_changes or few.ndim < 3:
        return few
    sent = changes(few, coding)
    if coding.off != "channel" or few.ndim == 4:
        return sent
    return sent.reshape(*few.shape[:2], 2 * few.shape[2], *few.shape[3:])


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


def _require_unit_range(
    values: Array | Series, encoding: str, where: str, gain: float = 1.0
) -> None:
    assert isinstance(values, np.ndarray)
    least, most = float(values.min()) * gain, float(values.max()) * gain
    if least < 0 or most > 1:
        raise EncodingError(
            where,
            f"values span {least:g} to {most:g}; '{encoding}' takes 0 to 1",
            "Scale the data, or add --binary for events.",
        )
