"""The exponentials of spinn_common, which SpiNNaker's cores compute their decays with."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache

from nmcompile_backends.spinnaker.accum import FRACTION_BITS

# Beyond these arguments the result is the largest or 0 (spinn_common src/stdfix-exp.c, `expk`).
LARGEST, SMALLEST = 363408, -340695
# 1 - exp(-x) is about s0 + x * (s1 - s2 * x), in units of 2**-32 (same, `__exp_series`).
SERIES = (5294, 4293434720, 2081624032)
WORD = 0xFFFFFFFF


@cache
def accum_exponential(x: int) -> int:
    """Exponential of the accum `x` as an accum (`expk`)."""
    if x > LARGEST:
        return 2**31 - 1
    return 0 if x < SMALLEST else _exponential(x) >> 17


@cache
def fraction_exponential(x: int) -> int:
    """Exponential of the accum `x` as a u0.32, of which exp(0) = 1 leaves 0 (`expulr`)."""
    if x > LARGEST:
        return 2**31 - 1
    return 0 if x < SMALLEST else _exponential(x) & WORD


def _exponential(x: int) -> int:
    """exp(x) in units of 2**-32: whole part, sixteenths below it, and a series for the rest."""
    whole, rest = x >> FRACTION_BITS, x & (2**FRACTION_BITS - 1)
    if rest == 0:
        return _rounded(whole, 1)
    below = 2**FRACTION_BITS - rest
    value = _rounded(whole + 1, 1)
    value -= _scaled(value, 2**32 - _rounded(-(below >> 11), 16))
    return value - _scaled(value, _series((below & 0x7FF) << 17))


def _series(x: int) -> int:
    slope = (SERIES[1] - (SERIES[2] * x >> 32)) & WORD
    return ((slope * x >> 32) + SERIES[0]) & WORD


def _scaled(x: int, fraction: int) -> int:
    """`x` times a u0.32, rounded up from just below one half (spinn_common utils.h, `scale64`)."""
    low = (x & WORD) * fraction
    return (low >> 32) + ((low & WORD) >= 2**31 - 1) + (x >> 32) * fraction


@cache
def _rounded(numerator: int, denominator: int) -> int:
    """2**32 * exp(numerator / denominator) to nearest: the entries of stdfix-exp.c's tables."""
    with localcontext() as context:
        context.prec = 40
        exact = (Decimal(numerator) / denominator).exp() * 2**32
        return int(exact.quantize(Decimal(1), ROUND_HALF_UP))
