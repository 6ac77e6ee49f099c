"""A dense matrix between two populations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.maps.base import Shape
from nmcompile.ir.maps.grid import Grid
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """Every source reaches every target.

    weight  (n_out, n_in), as torch's Linear
    grid    the integers that the weights were trained as, if they were
    """

    kind: ClassVar[str] = "dense"

    weight: Array
    in_shape: Shape
    out_shape: Shape
    grid: Grid | None = None

    def verify(self, name: str) -> None:
        """Raise NmcError where shapes or weights break a rule."""
        expected = (prod(self.out_shape), prod(self.in_shape))
        if self.weight.shape != expected:
            raise ParameterError(
                name, f"dense weight is {self.weight.shape}, its ends need {expected}")
        if self.grid is not None:
            self.grid.verify(name, self.weight)

    def apply(self, x: Array) -> Array:
        """The map of each row: (n, n_in) to (n, n_out)."""
        return x @ self.weight.T

    def weights(self) -> Array:
        """Every stored weight once, as a flat array."""
        return self.weight.reshape(-1)

    def with_weights(self, values: Array) -> Dense:
        """The same map with `values` in place of `weights()`."""
        return replace(
            self, weight=np.ascontiguousarray(values.reshape(self.weight.shape)), grid=None)
