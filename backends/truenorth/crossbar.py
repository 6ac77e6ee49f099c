"""Weights on TrueNorth's crossbar: one bit for each axon and neuron, four values for each neuron.

An axon has one of four types; a neuron has one value for each type (Cassidy et al. 2013; Merolla
et al. 2014). So the weights of the axons of one type can be 0 and one other value, which each
neuron chooses for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.errors import RegisterError
from nmcompile.ir.neurons.base import Array

N_TYPES = 4  # axon types G (Merolla et al. 2014, Science 345:668, supplement, second-hand)
VALUE_LIMIT = 255  # 9 bits with sign, -255..255 (the same)
ROUNDS = 20  # of choosing types in turn with values; each lowers the error


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossbar:
    """What a core stores of a weight matrix (neurons, axons).

    types   (axons,) int8, 0..3
    bits    (neurons, axons) bool
    values  (neurons, 4) int16, -255..255
    error   largest and root-mean-square distance of a weight from what is stored
    """

    types: Array
    bits: Array
    values: Array
    error: tuple[float, float]

    def matrix(self) -> Array:
        """The weights that the core applies, (neurons, axons) int32."""
        return self.bits * self.values[:, self.types].astype(np.int32)


def fit(weights: Array, types: Array) -> Crossbar:
    """The crossbar nearest to `weights` (neurons, axons), in units of a value, for given `types`.

    It is exact where a neuron's weights from the axons of each type are 0 and one other integer.
    Otherwise the sum of squared errors is least: for each neuron and type, the axons that belong
    on are the k largest or the k smallest weights, and the value is their mean, rounded; all k of
    both signs are tried.
    """
    if types.shape != weights.shape[1:] or types.min() < 0 or types.max() >= N_TYPES:
        raise RegisterError(
            "crossbar", f"types {types.shape} of {types.min()} to {types.max()} do not "
            f"fit {weights.shape[1]} axons of {N_TYPES} types")
    real = np.asarray(weights, np.float64)
    values = np.zeros((len(real), N_TYPES), np.int16)
    for kind in range(N_TYPES):
        chosen = real[:, types == kind]
        if chosen.shape[1]:
            values[:, kind] = _values(chosen)
    given = values[:, types].astype(np.float64)
    bits = np.abs(real - given) < np.abs(real)
    off = real - bits * given
    error = (float(np.abs(off).max(initial=0.0)), float(np.sqrt(np.mean(off**2))))
    return Crossbar(types=types.astype(np.int8), bits=bits, values=values, error=error)


def choose_types(weights: Array) -> Array:
    """Types (axons,) for `weights`: axons whose weights look alike get the same.

    Types and values are chosen in turn, as in Lloyd's algorithm, beginning with axons sorted by
    their mean weight; the outcome is a local optimum.
    """
    real = np.asarray(weights, np.float64)
    ranks = np.argsort(np.argsort(real.mean(axis=0), kind="stable"), kind="stable")
    types = ranks * N_TYPES // real.shape[1]
    for _ in range(ROUNDS):
        values = fit(real, types).values.astype(np.float64)
        off = np.minimum((real[:, :, None] - values[:, None, :]) ** 2, real[:, :, None] ** 2)
        nearest = off.sum(axis=0).argmin(axis=1)
        if np.array_equal(nearest, types):
            break
        types = nearest
    return types.astype(np.int8)


def _values(weights: Array) -> Array:
    """The best value of each neuron for the axons of one type, `weights` (neurons, axons)."""
    rising = np.sort(weights, axis=1)
    counts = np.arange(1, rising.shape[1] + 1)
    means = np.concatenate([rising.cumsum(axis=1) / counts,
                            rising[:, ::-1].cumsum(axis=1) / counts], axis=1)
    candidates = np.clip(np.rint(means), -VALUE_LIMIT, VALUE_LIMIT)
    squares = weights**2
    cost = np.stack([np.minimum((weights - candidates[:, k, None]) ** 2, squares).sum(axis=1)
                     for k in range(candidates.shape[1])], axis=1)
    return candidates[np.arange(len(weights)), cost.argmin(axis=1)].astype(np.int16)
