"""Weights that were trained as integers: the step that they are multiples of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.neurons.base import Array

OFF = 1e-3  # of a step, by which a float32 weight may lie beside its multiple


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """The integers that a quantised layer was trained with.

    step  value of one unit, broadcastable to the weights
    bits  of one integer, as the training tool says
    """

    step: Array
    bits: int

    def integers(self, weight: Array) -> Array:
        """`weight` in steps, as float64 whole numbers."""
        return np.rint(weight / self.step.astype(np.float64))

    def times(self, factor: Array) -> Grid:
        """The grid of the weights times `factor`, which broadcasts to them."""
        return Grid(step=self.step * np.abs(factor), bits=self.bits)

    def transposed(self) -> Grid:
        """The grid of the transposed matrix."""
        return Grid(step=np.ascontiguousarray(self.step.T), bits=self.bits)

    def verify(self, name: str, weight: Array) -> None:
        """Raise NmcError unless `weight` lies on the grid."""
        if not np.all(self.step > 0) or not 1 <= self.bits <= 32:
            raise ParameterError(name, "a grid of weights with steps of 0 or no bits")
        try:
            steps = weight / np.broadcast_to(self.step, weight.shape).astype(np.float64)
        except ValueError as error:
            raise ParameterError(
                name, f"a grid of shape {self.step.shape} does not fit its weights "
                f"{weight.shape}") from error
        if np.any(np.abs(steps - np.rint(steps)) > OFF * np.maximum(1, np.abs(steps) / 256)):
            raise ParameterError(name, "its weights do not lie on their grid")
