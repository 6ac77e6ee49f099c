"""Bring the user's data into the form that a network takes: which axis is time, and encodings."""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array

Encoding = Literal["direct", "rate", "latency"]
ENCODINGS: tuple[Encoding, ...] = ("direct", "rate", "latency")


def encode(
    values: Array,
    network: Network,
    *,
    steps: int | None = None,
    encoding: Encoding | None = None,
    seed: int = 0,
    where: str = "input",
) -> dict[str, Array]:
    """`values` as inputs of `network`: name -> (samples, steps, *shape) float32.

    values    (samples, *shape) to be encoded, or (samples, steps, *shape) to be sent as they are;
              the axes of `shape` may be flattened
    steps     for values, how long they are sent (default: as the network says); for series,
              how much of them to use
    encoding  direct: the value in every step; rate: a spike with the value as its probability;
              latency: one spike, the earlier the larger the value, none for 0. Default: direct
    """
    if len(network.inputs) != 1:
        raise NmcError(where, f"the network has {len(network.inputs)} inputs, one is supported")
    port = network.inputs[0]
    series = _is_series(values, port.shape, where)
    if series:
        if encoding not in (None, "direct"):
            raise NmcError(
                where,
                f"'{encoding}' encodes values (samples, ...), the data already "
                f"has {values.shape[1]} steps",
                "Leave out --encode.",
            )
        sent = _series(values.reshape(*values.shape[:2], *port.shape), steps)
    else:
        sent = _encoded(
            values.reshape(len(values), *port.shape),
            network,
            steps,
            encoding or "direct",
            seed,
            where,
        )
    return {port.name: sent.astype(np.float32)}


def _is_series(values: Array, shape: tuple[int, ...], where: str) -> bool:
    size = prod(shape)
    if values.dtype.kind not in "fiub":
        raise NmcError(where, f"holds {values.dtype}, expected numbers")
    if values.ndim < 2 or 0 in values.shape:
        raise NmcError(
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
        raise NmcError(
            where,
            f"has shape {values.shape}, the model takes (samples, {listed}) or "
            f"(samples, steps, {listed})",
        )
    if not max(-float(values.min()), float(values.max())) <= float(np.finfo(np.float32).max):
        raise NmcError(where, "holds NaN, infinite values or values beyond 32-bit floats")
    return series


def _series(values: Array, steps: int | None) -> Array:
    if steps is None or steps == values.shape[1]:
        return values
    fitted = np.zeros((len(values), steps, *values.shape[2:]), values.dtype)
    used = min(steps, values.shape[1])
    fitted[:, :used] = values[:, :used]
    return fitted


def _encoded(
    values: Array, network: Network, steps: int | None, encoding: Encoding, seed: int, where: str
) -> Array:
    steps = steps or network.steps
    if steps is None:
        raise NmcError(
            where,
            "holds one value for each sample and the model does not say for how many steps",
            "Add --steps N.",
        )
    if encoding == "direct":
        return np.repeat(values[:, None].astype(np.float32), steps, axis=1)
    if encoding == "rate":
        return rate_spikes(np.repeat(values[:, None], steps, axis=1), seed, where)
    _require_unit_range(values, encoding, where)
    when = np.rint((1 - values) * (steps - 1))
    clock = np.arange(steps).reshape(1, steps, *[1] * (values.ndim - 1))
    return ((clock == when[:, None]) & (values[:, None] > 0)).astype(np.float32)


def rate_spikes(values: Array, seed: int, where: str) -> Array:
    """Spikes of the shape of `values`, each with its value as probability."""
    _require_unit_range(values, "rate", where)
    draws = np.random.default_rng(seed).random(values.shape)
    return (draws < values).astype(np.float32)


def _require_unit_range(values: Array, encoding: str, where: str) -> None:
    if values.min() < 0 or values.max() > 1:
        raise NmcError(
            where,
            f"values span {values.min():g} to {values.max():g}; '{encoding}' takes 0 to 1",
            "Scale the data.",
        )
