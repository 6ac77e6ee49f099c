"""Element-wise factors, as batch normalisation and gains leave them, and chains of maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from nmcompile.errors import ParameterError
from nmcompile.ir.maps.base import LinearMap, Shape
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """Each element times its own factor; a factor of ones is the identity.

    factor  broadcastable to `in_shape` (scalar, or per channel as (c, 1, 1))
    """

    kind: ClassVar[str] = "scale"

    factor: Array
    in_shape: Shape

    @property
    def out_shape(self) -> Shape:
        """Same as the input."""
        return self.in_shape

    def verify(self, name: str) -> None:
        """Raise NmcError where shapes or weights break a rule."""
        sizes = zip(reversed(self.factor.shape), reversed(self.in_shape), strict=False)
        if self.factor.ndim > len(self.in_shape) or any(a not in (1, b) for a, b in sizes):
            raise ParameterError(name, f"factor {self.factor.shape} does not fit {self.in_shape}")

    def apply(self, x: Array) -> Array:
        """The map of each row: (n, n_in) to (n, n_in)."""
        return x * np.broadcast_to(self.factor, self.in_shape).reshape(-1)

    def weights(self) -> Array:
        """Every stored weight once, as a flat array."""
        return self.factor.reshape(-1)

    def with_weights(self, values: Array) -> Scale:
        """The same map with `values` in place of `weights()`."""
        return replace(self, factor=values.reshape(self.factor.shape))


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Maps applied one after the other, first to last; the pass `compose` makes them one.

    A chain among `maps` is taken as its own maps.
    """

    kind: ClassVar[str] = "chain"

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        flat = tuple(part for link in self.maps
                     for part in (link.maps if isinstance(link, Chain) else (link,)))
        object.__setattr__(self, "maps", flat)

    @property
    def in_shape(self) -> Shape:
        """Shape of the first map's source side."""
        return self.maps[0].in_shape

    @property
    def out_shape(self) -> Shape:
        """Shape of the last map's target side."""
        return self.maps[-1].out_shape

    def verify(self, name: str) -> None:
        """Raise NmcError where links do not fit or a link breaks a rule."""
        for link in self.maps:
            link.verify(name)
        for before, after in zip(self.maps, self.maps[1:], strict=False):
            if prod(before.out_shape) != prod(after.in_shape):
                raise ParameterError(
                    name,
                    f"{before.kind} gives {before.out_shape}, {after.kind} takes {after.in_shape}",
                )

    def apply(self, x: Array) -> Array:
        """The map of each row: (n, n_in) to (n, n_out)."""
        for link in self.maps:
            x = link.apply(x)
        return x

    def weights(self) -> Array:
        """Every stored weight once, as a flat array."""
        return np.concatenate([link.weights() for link in self.maps])

    def with_weights(self, values: Array) -> Chain:
        """The same map with `values` in place of `weights()`."""
        ends = np.cumsum([len(link.weights()) for link in self.maps])
        parts = np.split(values, ends[:-1])
        links = (link.with_weights(part) for link, part in zip(self.maps, parts, strict=True))
        return replace(self, maps=tuple(links))
