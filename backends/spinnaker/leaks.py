"""Decays of a step as the time constants from which a core computes the nearest registers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import inf, log

import numpy as np
from nmcompile_backends.spinnaker.accum import ONE
from nmcompile_backends.spinnaker.exponential import (
    SMALLEST,
    accum_exponential,
    fraction_exponential,
)

from nmcompile.ir.neurons.base import Array

# A core divides dt by tau and takes the exponential of the negative quotient, an accum. Quotients
# are counted in its units of 2**-15 here; beyond 340695 of them the exponential is 0.
LEAST, MOST = 1, 1 - SMALLEST
# Below 42 units, a tau_syn of more than 780 steps, tau / dt * (1 - decay) comes out as 2**32 or
# more and leaves its word (`parameters._synapse_gain`).
LEAST_OF_SYNAPSES = 42
REACH = 2  # quotients to each side of the true one, among which the nearest register is looked for


def membrane_constant(decay: Array) -> Array:
    """Time constants in steps, of the shape of `decay`, 0..1, for a membrane."""
    return _constants(decay, accum_exponential, ONE, LEAST)


def synaptic_constant(decay: Array) -> Array:
    """Time constants in steps, of the shape of `decay`, 0..1, for a synaptic current."""
    return _constants(decay, fraction_exponential, 2**32, LEAST_OF_SYNAPSES)


def slowest_membrane() -> float:
    """The largest share of itself below 1 that a membrane keeps in a step."""
    return accum_exponential(-LEAST) / ONE


def slowest_synapse() -> float:
    """The largest share of itself that a synaptic current keeps in a step."""
    return fraction_exponential(-LEAST_OF_SYNAPSES) / 2**32


def _constants(decay: Array, register: Callable[[int], int], unity: int, least: int) -> Array:
    values, place = np.unique(np.asarray(decay, np.float64), return_inverse=True)
    found = np.array([_constant(float(v), register, unity, least) for v in values])
    return found[place.reshape(-1)].reshape(np.shape(decay)) / ONE


@cache
def _constant(decay: float, register: Callable[[int], int], unity: int, least: int) -> int:
    """The accum of the time constant whose register lies nearest to `decay`."""
    true = -log(decay) * ONE if decay > 0 else inf
    middle = round(min(max(true, least), MOST))
    words = [ONE * ONE // k for k in range(middle - REACH, middle + REACH + 1)
             if least <= k <= MOST]
    return min(words, key=lambda word: abs(register(-(ONE * ONE // word)) - decay * unity))
