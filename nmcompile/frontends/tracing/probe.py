"""Find the linear map of an operation by trying it: exact for affine operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
import scipy.sparse
import torch

from nmcompile.frontends.tracing.values import (
    Axis,
    Dims,
    NotTraceableError,
    Value,
    is_features,
    size_of,
    sizes_of,
)
from nmcompile.ir.maps import LinearMap, from_matrix
from nmcompile.ir.neurons.base import Array

MAX_SOURCES = 16384  # features whose unit vectors are tried one by one
MAX_SYNAPSES = 20_000_000
MAX_TRIED = 1 << 26  # numbers of all samples and steps
LARGE = 2.0**20  # bounds and thresholds of an operation lie below
Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Found:
    """The affine map of an operation: None for the identity; the axes of its result."""

    map: LinearMap | None
    bias: Array
    dims: Dims


def probe(function: Function, value: Value) -> Found:
    """The affine map that `function` applies to each sample and step, as a sparse matrix.

    Runs it on random rows of features and requires f(ax + by) = a f(x) + b f(y) - (a + b - 1) f(0),
    the same slope for values a million times as large, and that rows neither meet nor change
    places; then reads off a selection of features from f(1..n), or the columns from f of the unit
    vectors. Raises NotTraceableError where it is not affine or rows meet.
    """
    rows = _Rows(function, value)
    if rows.count * rows.n_in > MAX_TRIED:
        raise NotTraceableError(f"it is of no known form, and its {rows.n_in:,} features are too "
                                "many to be tried")
    zero = rows.run(np.zeros((rows.count, rows.n_in)))
    if zero.size > MAX_TRIED:
        raise NotTraceableError(f"it is of no known form, and its {zero.shape[1]:,} results are "
                                "too many to be tried")
    if not np.all(zero == zero[:1]):
        raise NotTraceableError("it treats samples or steps differently", True)
    _require_affine(rows, zero)
    if zero.shape[1] == rows.n_in and np.array_equal(*_identity_trial(rows)):
        return Found(None, np.zeros(()), rows.dims_out)
    matrix = _selection(rows, zero[0])
    matrix = matrix if matrix is not None else _columns(rows, zero[0])
    shape_out = tuple(a.size for dim in rows.dims_out for a in dim if a.tag == "F")
    bias = zero[0] if np.any(zero) else np.zeros(())
    linear = from_matrix(matrix.astype(np.float32), value.features or (1,), shape_out or (1,))
    return Found(linear, bias, rows.dims_out)


class _Rows:
    """The function as one from rows of features to rows of features."""

    def __init__(self, function: Function, value: Value) -> None:
        self.function, self.dims = function, value.dims
        self.n_in = prod(value.features)
        self.count = prod(a.size for dim in self.dims for a in dim if a.tag != "F")
        shape = sizes_of(self.dims)
        self.dims_out = _dims_after(self.dims, function(torch.zeros(shape)).shape)

    def run(self, rows: Array) -> Array:
        """Rows in (count, n_in) to rows out (count, n_out), float64."""
        atoms = [axis for dim in self.dims for axis in dim]
        leads, features = _split(atoms)
        sizes = [atoms[i].size for i in (*leads, *features)]
        inverse = np.argsort((*leads, *features))
        laid = rows.reshape(sizes).transpose(inverse)
        shape = sizes_of(self.dims)
        tensor = torch.as_tensor(np.ascontiguousarray(laid.reshape(shape)), dtype=torch.float32)
        out = self.function(tensor).to(torch.float64).numpy()
        atoms = [axis for dim in self.dims_out for axis in dim]
        leads, features = _split(atoms)
        spread = out.reshape([axis.size for axis in atoms]).transpose((*leads, *features))
        return np.asarray(spread.reshape(self.count, -1))


def _split(atoms: list[Axis]) -> tuple[list[int], list[int]]:
    leads = [i for i, axis in enumerate(atoms) if axis.tag != "F"]
    return leads, [i for i, axis in enumerate(atoms) if axis.tag == "F"]


def _dims_after(dims: Dims, shape: torch.Size) -> Dims:
    """Axes of the result: those of samples and steps stay where they are."""
    result = []
    for index, size in enumerate(shape):
        dim = dims[index] if index < len(dims) else (Axis("F", 1),)
        if not is_features(dim):
            if not all(a.tag != "F" for a in dim) or size_of(dim) != size:
                raise NotTraceableError("it mixes samples or steps with features", True)
            result.append(dim)
        else:
            result.append((Axis("F", size),))
    if any(not is_features(dim) for dim in dims[len(shape):]):
        raise NotTraceableError("it mixes samples or steps with features", True)
    return tuple(result)


def _require_affine(rows: _Rows, zero: Array) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, rows.count, rows.n_in))
    fx, fy = rows.run(x), rows.run(y)
    both = rows.run(2 * x - 3 * y)
    scale = 1e-4 * (1 + np.abs(fx).max(initial=0) + np.abs(fy).max(initial=0))
    large = (rows.run(LARGE * x) - zero) / LARGE
    if not (np.allclose(both, 2 * fx - 3 * fy + 2 * zero, rtol=0, atol=scale)
            and np.allclose(large, fx - zero, rtol=0, atol=scale)):
        raise NotTraceableError("it is not linear")
    _require_rows_apart(rows, (x, fx), (y, fy), scale)


def _require_rows_apart(
    rows: _Rows, of_x: tuple[Array, Array], of_y: tuple[Array, Array], scale: float
) -> None:
    """Each row stays in its place and goes its way alone; both in random order and in company.

    Rows of x between rows of y give what they gave among themselves, and rows in another order
    give their results in that order, which a shift of the steps by some of them does not pass.
    """
    random = np.random.default_rng(3)
    (x, fx), (y, fy) = of_x, of_y
    for _ in range(2):
        among = random.random((rows.count, 1)) < 0.5
        order = random.permutation(rows.count)
        for given, wanted in ((np.where(among, x, y), np.where(among, fx, fy)),
                              (x[order], fx[order])):
            if not np.allclose(rows.run(given), wanted, rtol=0, atol=scale):
                raise NotTraceableError("it mixes samples or steps", True)


def _identity_trial(rows: _Rows) -> tuple[Array, Array]:
    x = np.random.default_rng(1).normal(size=(rows.count, rows.n_in)).astype(np.float32)
    return x.astype(np.float64), rows.run(x)


def _selection(rows: _Rows, zero: Array) -> scipy.sparse.csr_array | None:
    """The matrix of a function that only picks features (or leaves zeros), None for another."""
    if np.any(zero) or rows.n_in >= 2**24:
        return None
    numbers = np.broadcast_to(np.arange(1, rows.n_in + 1), (rows.count, rows.n_in))
    picked = np.rint(rows.run(numbers)[0]).astype(np.int64)
    x, fx = np.random.default_rng(2).normal(size=(rows.count, rows.n_in)).astype(np.float32), None
    fx = rows.run(x)
    if picked.min(initial=0) < 0 or picked.max(initial=0) > rows.n_in:
        return None
    if not np.array_equal(np.pad(x, ((0, 0), (1, 0)))[:, picked], fx):
        return None
    kept = np.flatnonzero(picked)
    ones = np.ones(len(kept), np.float32)
    return scipy.sparse.csr_array((ones, (picked[kept] - 1, kept)),
                                  shape=(rows.n_in, len(picked)))


def _columns(rows: _Rows, zero: Array) -> scipy.sparse.csr_array:
    if rows.n_in > MAX_SOURCES:
        raise NotTraceableError(f"it is linear but of no known form, and its {rows.n_in:,} "
                                f"features are more than the {MAX_SOURCES:,} that are tried")
    parts, synapses = [], 0
    for first in range(0, rows.n_in, rows.count):
        units = np.eye(rows.count, rows.n_in, first)
        part = scipy.sparse.csr_array((rows.run(units) - zero)[: rows.n_in - first])
        parts.append(part)
        synapses += part.nnz
        if synapses > MAX_SYNAPSES:
            raise NotTraceableError(f"it makes more than {MAX_SYNAPSES:,} synapses")
    return scipy.sparse.csr_array(scipy.sparse.vstack(parts))
