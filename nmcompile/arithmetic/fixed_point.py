"""Building blocks of integer neurons, as readable numpy on int64."""

from __future__ import annotations

import numpy as np

from nmcompile.ir.neurons.base import Array


def scale_toward_zero(x: Array, factor: Array, bits: int) -> Array:
    """`x * factor / 2**bits`, rounded toward zero, as chips do by shifting magnitudes."""
    wide = np.asarray(x, np.int64)
    return np.sign(wide) * ((np.abs(wide) * factor) >> bits)


def wrap(x: Array, bits: int) -> Array:
    """`x` modulo 2**bits into the half-open range (-2**(bits-1), 2**(bits-1)].

    The upper end stays and the lower end wraps, as in lava-nc's fixed-point LIF
    (proc/lif/models.py, `subthr_dynamics`).
    """
    half = 1 << (bits - 1)
    return half - (half - np.asarray(x, np.int64)) % (1 << bits)


def overflow(x: Array, bits: int) -> Array:
    """`x` modulo 2**bits into the half-open range [-2**(bits-1), 2**(bits-1)): two's complement."""
    half = 1 << (bits - 1)
    return (np.asarray(x, np.int64) + half) % (1 << bits) - half


def saturate(x: Array, bits: int) -> Array:
    """`x` clipped to the symmetric range of `bits` bits with sign."""
    limit = (1 << (bits - 1)) - 1
    return np.clip(x, -limit, limit)


def leaves(x: Array, low: int | Array, high: int | Array) -> Array:
    """Where `x` lies outside of low..high."""
    return (x < low) | (x > high)
