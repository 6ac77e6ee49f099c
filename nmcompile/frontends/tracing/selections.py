"""Maps that pick, repeat or place features, made from positions instead of being tried out."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import scipy.sparse

from nmcompile.frontends.tracing.recorder import Call
from nmcompile.frontends.tracing.values import (
    Axis,
    Dims,
    Expr,
    Link,
    NotTraceableError,
    Value,
    is_features,
    size_of,
)
from nmcompile.ir.maps import Scale, Sparse, from_matrix
from nmcompile.ir.neurons.base import Array

Places = tuple[slice | int, ...]
DIFFERENT = "a combination of tensors with different axes"


def placed(call: Call, value: Value, positions: Array, dims: Dims) -> Value:
    """The features of `value` at flat `positions` among the features of `dims`, zeros elsewhere."""
    shape = _features(dims)
    n_in = prod(value.features)
    key = ("placed", value.features, shape, positions.tobytes())
    return value.then(call.link(key, lambda: _sparse(
        np.arange(n_in), positions, value.features or (1,), shape)), dims)


def cut(call: Call, value: Value, places: Places) -> Value:
    """The part of `value` at `places`, an index for each axis, whose features alone are cut."""
    dims = dims_within(value.dims, places)
    positions = positions_of(value.dims, places)
    n_in = prod(value.features)
    if np.array_equal(positions, np.arange(n_in)):
        return Value(dims, value.exprs)
    key = ("cut", value.features, _features(dims), positions.tobytes())
    return without_lost(value.then(call.link(key, lambda: _sparse(
        positions, np.arange(len(positions)), value.features or (1,), _features(dims))), dims))


def positions_of(dims: Dims, places: Places) -> Array:
    """Flat positions of the part at `places` among the features of `dims`."""
    axes = [i for i, dim in enumerate(dims) if is_features(dim)]
    sizes = [size_of(dims[i]) for i in axes]
    everything = np.arange(prod(sizes)).reshape(sizes)
    return everything[tuple(places[i] for i in axes)].reshape(-1)


def dims_within(dims: Dims, places: Places) -> Dims:
    """The axes of the part of a tensor with axes `dims`; only features may be cut."""
    part: list[tuple[Axis, ...]] = []
    for dim, place in zip(dims, places, strict=True):
        count = len(range(size_of(dim))[place]) if isinstance(place, slice) else None
        if is_features(dim):
            part += [] if count is None else [(Axis("F", count),)]
        elif count == size_of(dim):
            part.append(dim)
        else:
            raise NotTraceableError("it picks single samples, or steps and features together", True)
    return tuple(part)


def spread(call: Call, value: Value, dims: Dims) -> Value:
    """`value` repeated along the axes of `dims` that it has one element of, or lacks in front."""
    padded = ((Axis("F", 1),),) * (len(dims) - len(value.dims)) + value.dims
    exprs = value.exprs
    for own, wanted in zip(padded, dims, strict=True):
        if own != wanted and not (is_features(own) and is_features(wanted)):
            exprs = _repeated(exprs, own, wanted, value)
    before = [size_of(d) for d in padded if is_features(d)]
    kept = [i for i, d in enumerate(dims) if is_features(d)]
    ones = [size_of(padded[i]) if is_features(padded[i]) else 1 for i in kept]
    after = [size_of(dims[i]) for i in kept]
    if prod(before) != prod(ones):
        raise NotTraceableError(DIFFERENT, True)
    value = Value(dims, exprs)
    if ones == after:
        return value
    positions = np.broadcast_to(np.arange(prod(ones)).reshape(ones), after).reshape(-1)
    n_out, key = prod(after), ("spread", tuple(ones), tuple(after))
    return value.then(call.link(key, lambda: _sparse(
        positions, np.arange(n_out), tuple(ones) or (1,), _features(dims))), dims)


def together(call: Call, a: Value, b: Value) -> tuple[Value, Value]:
    """Both values spread to the axes that an operation on them gives."""
    rank = max(len(a.dims), len(b.dims))
    one = (Axis("F", 1),)
    left = (one,) * (rank - len(a.dims)) + a.dims
    right = (one,) * (rank - len(b.dims)) + b.dims
    dims = tuple(y if x == one else x for x, y in zip(left, right, strict=True))
    return spread(call, a, dims), spread(call, b, dims)


def grown(call: Call, value: Value) -> Value:
    """`value` spread to the shape of what `call` gave, by features."""
    shape = tuple(call.out.shape)
    padded = ((Axis("F", 1),),) * (len(shape) - len(value.dims)) + value.dims
    return spread(call, value, tuple(
        dim if size_of(dim) == n else (Axis("F", n),)
        for dim, n in zip(padded, shape, strict=True)))


def _repeated(
    exprs: tuple[Expr, ...], own: tuple[Axis, ...], wanted: tuple[Axis, ...], value: Value
) -> tuple[Expr, ...]:
    """What does not change, for each step of the other tensor."""
    steps = wanted[0].size if len(wanted) == 1 and wanted[0].tag == "T" else None
    if steps is None or own != (Axis("F", 1),) or len(exprs) != 1:
        raise NotTraceableError(DIFFERENT, True)
    if steps > 1 and not value.is_static():
        raise NotTraceableError("what one step gives is used in each of several steps")
    return exprs * steps


def _sparse(
    source: Array, target: Array, in_shape: tuple[int, ...], out_shape: tuple[int, ...]
) -> Sparse:
    ones = np.ones(len(source), np.float32)
    matrix = scipy.sparse.coo_array((ones, (source, target)),
                                    shape=(prod(in_shape), prod(out_shape)))
    return from_matrix(matrix, in_shape, out_shape)


def _features(dims: Dims) -> tuple[int, ...]:
    return tuple(a.size for dim in dims for a in dim if a.tag == "F") or (1,)


def without_lost(value: Value) -> Value:
    """`value` without the terms of which nothing is left, as what has left a delay line."""
    def kept(expr: Expr) -> Expr:
        terms = tuple(t for t in expr.terms if np.any(_reached(t.links)))
        return expr if len(terms) == len(expr.terms) else replace(expr, terms=terms)
    return value.each(kept)


def _reached(links: tuple[Link, ...]) -> Array:
    """Which features of the end of `links` the source acts on; True where that is not known."""
    reached = np.ones(prod(links[0].map.in_shape), np.bool_) if links else np.ones(1, np.bool_)
    for link in links:
        linear = link.map
        if isinstance(linear, Scale):
            factor = np.broadcast_to(linear.factor, linear.in_shape).reshape(-1)
            reached = reached & (factor != 0)
        elif isinstance(linear, Sparse):
            found = np.zeros(prod(linear.out_shape), np.bool_)
            source = np.repeat(np.arange(len(linear.start) - 1), np.diff(linear.start))
            found[linear.target[reached[source]]] = True
            reached = found
        else:
            reached = np.full(prod(linear.out_shape), np.any(reached))
    return reached
