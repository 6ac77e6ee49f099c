"""What every linear map answers."""

from __future__ import annotations

from typing import ClassVar, Protocol

from nmcompile.ir.neurons.base import Array

Shape = tuple[int, ...]


class LinearMap(Protocol):
    """A linear map between two populations, over flat C-order indices.

    A flatten or reshape is therefore free: only the number of elements must agree. Weights are
    float32 in a traced network and integers in a chip-legal one.
    """

    kind: ClassVar[str]

    @property
    def in_shape(self) -> Shape:
        """Shape of the source side."""

    @property
    def out_shape(self) -> Shape:
        """Shape of the target side."""

    def verify(self, name: str) -> None:
        """Raise NmcError where shapes or weights break a rule."""

    def apply(self, x: Array) -> Array:
        """The map of each row: (n, n_in) to (n, n_out), in the wider type of map and `x`."""

    def weights(self) -> Array:
        """Every stored weight once, as a flat array."""

    def with_weights(self, values: Array) -> LinearMap:
        """The same map with `values` in place of `weights()`."""
