"""A sparse matrix between two populations, one row per source neuron."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np
import scipy.sparse

from nmcompile.errors import ParameterError
from nmcompile.ir.maps.base import Shape
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Sparse:
    """Synapses of source i are start[i]:start[i+1], sorted by target (CSR by source).

    start   (n_in + 1,) int64
    target  (n_synapses,) int32
    weight  (n_synapses,)
    """

    kind: ClassVar[str] = "sparse"

    start: Array
    target: Array
    weight: Array
    in_shape: Shape
    out_shape: Shape

    def verify(self, name: str) -> None:
        """Raise NmcError where shapes or weights break a rule."""
        n_in, n_out, n = prod(self.in_shape), prod(self.out_shape), len(self.weight)
        if self.start.shape != (n_in + 1,) or self.start[0] != 0 or self.start[-1] != n:
            raise ParameterError(name, f"row starts do not cover {n_in} sources and {n} synapses")
        if np.any(np.diff(self.start) < 0) or self.target.shape != (n,):
            raise ParameterError(
                name, "rows run backwards, or targets and weights differ in number")
        if n and (self.target.min() < 0 or self.target.max() >= n_out):
            raise ParameterError(name, f"a synapse targets a neuron outside 0..{n_out - 1}")

    def apply(self, x: Array) -> Array:
        """The map of each row: (n, n_in) to (n, n_out)."""
        return np.asarray(self.matrix().T.dot(x.T).T)

    def weights(self) -> Array:
        """Every stored weight once, as a flat array."""
        return self.weight

    def with_weights(self, values: Array) -> Sparse:
        """The same map with `values` in place of `weights()`."""
        return replace(self, weight=values)

    def matrix(self) -> scipy.sparse.csr_array:
        """The map as a scipy matrix (n_in, n_out)."""
        return scipy.sparse.csr_array(
            (self.weight, self.target, self.start),
            shape=(prod(self.in_shape), prod(self.out_shape)),
        )


def from_matrix(matrix: scipy.sparse.sparray, in_shape: Shape, out_shape: Shape) -> Sparse:
    """A Sparse of a scipy matrix (n_in, n_out); stored zeros are dropped, rows are sorted."""
    csr = scipy.sparse.csr_array(matrix)
    csr.sum_duplicates()
    csr.eliminate_zeros()
    csr.sort_indices()
    return Sparse(
        start=csr.indptr.astype(np.int64),
        target=csr.indices.astype(np.int32),
        weight=csr.data,
        in_shape=in_shape,
        out_shape=out_shape,
    )
