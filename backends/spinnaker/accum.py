"""SpiNNaker's `accum`: s16.15 numbers in 32-bit two's complement, as its ARM968 computes them.

Sums and products wrap, products round toward minus infinity. That is what stands in the programs
of sPyNNaker 7.4.1: plain `add` and `sub`, and `smull` whose result is shifted right by 15
(model_binaries/IF_curr_exp.aplx, 0x25c8 to 0x2618). The rounding and saturating products of
spinn_common's round.h are not used there.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from nmcompile.errors import RegisterError
from nmcompile.ir.neurons.base import Array

FRACTION_BITS = 15  # s16.15 (spinn_front_end_common/interface/ds/data_type.py, S1615)
ONE = 1 << FRACTION_BITS
LIMITS = (-(2**31), 2**31 - 1)


def encode(values: Array | float, where: str, unit: str = "") -> Array:
    """(int32) the words that sPyNNaker writes for real `values`: their decimal text, half to even.

    As `DataType.S1615.encode_as_int` (data_type.py). Raises NmcError beyond -65536..65535.99997.
    """
    real = np.asarray(values, np.float64)
    if not np.all((real >= LIMITS[0] / ONE) & (real <= LIMITS[1] / ONE)):
        raise RegisterError(where, f"spans {real.min():g} to {real.max():g}{unit}, "
                            "an accum of SpiNNaker holds -65536 to 65535.99997")
    words = [round(Decimal(str(x)) * ONE) for x in real.reshape(-1).tolist()]
    return np.array(words, np.int32).reshape(real.shape)


def wrapped(x: Array) -> Array:
    """`x` modulo 2**32 in -2**31..2**31-1, as int64."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)


def product(a: Array, b: Array) -> Array:
    """The accum `a * b`: the low 32 bits of the 64-bit product shifted right by 15."""
    return wrapped((np.asarray(a, np.int64) * np.asarray(b, np.int64)) >> FRACTION_BITS)


def decayed(x: Array, fraction: Array) -> Array:
    """`x` times the u0.32 `fraction`, rounded toward minus infinity (decay.h, `decay_s1615`)."""
    return wrapped((np.asarray(x, np.int64) * np.asarray(fraction, np.int64)) >> 32)


def quotient(a: int, b: int) -> int:
    """The accum `a / b` of two accums above 0, cut; wraps (maths-util.h, `kdivk`)."""
    return int(wrapped(np.array((a << FRACTION_BITS) // b & 0xFFFFFFFF)))
