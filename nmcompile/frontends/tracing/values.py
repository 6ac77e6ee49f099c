"""What the tracer knows of a tensor: which of its axes is what, and an affine expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from math import prod

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir.maps import LinearMap
from nmcompile.ir.neurons.base import Array

MAX_TERMS = 4096  # of one expression; a residual network has a handful, a sum over time one a step
MIXED = "a reshape that mixes samples or steps with features"
MAX_LINKS = 1000  # linear operations between two neurons


class NotTraceableError(Exception):
    """An operation that the tracer cannot follow.

    mixes_axes  true where samples or steps were mixed, so that another reading of the model's
                axes may still fit
    """

    def __init__(self, reason: str, mixes_axes: bool = False) -> None:
        self.reason = reason
        self.mixes_axes = mixes_axes
        super().__init__(reason)


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor, or a part of one: steps "T", samples "B" or features "F"."""

    tag: str
    size: int


Dims = tuple[tuple[Axis, ...], ...]  # for each axis of a tensor the parts that it was merged from


@dataclass(frozen=True, eq=False)
class Link:
    """One linear operation between a source and a target, and the module that did it."""

    map: LinearMap
    module: str


@dataclass(frozen=True)
class Term:
    """What one source of one step contributes; step None: an input that never changes."""

    source: str
    variable: str
    step: int | None
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, eq=False)
class Expr:
    """A sum of terms and a constant (scalar or flat array) of the features of one step."""

    terms: tuple[Term, ...]
    bias: Array

    def then(self, link: Link) -> Expr:
        """The expression with `link` applied to it."""
        bias = self.bias
        if np.any(bias):
            full = np.broadcast_to(bias, (prod(link.map.in_shape),)).astype(np.float64)
            bias = link.map.apply(full[None])[0]
        else:
            bias = np.zeros(())
        if any(len(t.links) >= MAX_LINKS for t in self.terms):
            raise NotTraceableError(f"more than {MAX_LINKS:,} linear operations in a row")
        return Expr(tuple(Term(t.source, t.variable, t.step, (*t.links, link))
                          for t in self.terms), bias)

    def plus(self, other: Expr) -> Expr:
        """The sum of both."""
        if len(self.terms) + len(other.terms) > MAX_TERMS:
            raise NotTraceableError(f"a sum of more than {MAX_TERMS} terms")
        return Expr(self.terms + other.terms, self.bias + other.bias)

    def last_step(self) -> int:
        """The latest step that it depends on, -1 if on none."""
        return max((t.step for t in self.terms if t.step is not None), default=-1)


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor's axes, and one expression for each step of its time axis (one without it)."""

    dims: Dims
    exprs: tuple[Expr, ...]

    @property
    def features(self) -> tuple[int, ...]:
        """Sizes of the feature axes in their order."""
        return tuple(a.size for dim in self.dims for a in dim if a.tag == "F")

    def each(self, change: Callable[[Expr], Expr]) -> Value:
        """The value with `change` applied to every step."""
        return replace(self, exprs=tuple(change(expr) for expr in self.exprs))

    def then(self, link: Link | None, dims: Dims) -> Value:
        """The value after `link` (None: nothing but a reshape), with new axes."""
        value = self if link is None else self.each(lambda expr: expr.then(link))
        return replace(value, dims=dims)

    def is_static(self) -> bool:
        """True where no term has a step."""
        return all(t.step is None for expr in self.exprs for t in expr.terms)


def of_one_step(value: Value) -> Value:
    """`value` with an axis of its one step as one of features, which reshapes may drop."""
    dims = tuple((Axis("F", 1),) if dim == (Axis("T", 1),) else dim for dim in value.dims)
    return replace(value, dims=dims)


class Kept(IntEnum):
    """What the operations on values leave of which element of each sample is the largest."""

    NOTHING = 0
    LARGEST = 1
    SUMS = 2  # also of which element of a sum of them is


@dataclass(frozen=True, eq=False)
class Opaque:
    """A tensor that depends on spikes in a way that cannot be compiled, and why.

    kept     what is left of the decisions of its origins
    made_of  what its operation took; what is shared there is shared here, so that each operation
             costs one step, however often results are used again
    """

    error: NmcError
    mixes_axes: bool
    made_of: tuple[Value | Opaque, ...]
    kept: Kept = Kept.NOTHING

    @property
    def origins(self) -> tuple[Value, ...]:
        """The last values that could be followed, each once, in the order of their use."""
        found: list[Value] = []
        waiting: list[Value | Opaque] = [self]
        met: set[Value | Opaque] = set()
        while waiting:
            known = waiting.pop()
            if known in met:
                continue
            met.add(known)
            if isinstance(known, Value):
                found.append(known)
            else:
                waiting.extend(reversed(known.made_of))
        return tuple(found)


def dims_of(tags: str, shape: Sequence[int]) -> Dims:
    """Axes of a fresh tensor: `tags` for the leading ones ("TB", "BT", "B"), features after."""
    return tuple((Axis(tag, size),) for tag, size in
                 zip(tags.ljust(len(shape), "F"), shape, strict=True))


def size_of(dim: Sequence[Axis]) -> int:
    """Elements along an axis."""
    return prod(axis.size for axis in dim)


def sizes_of(dims: Dims) -> tuple[int, ...]:
    """The shape of a tensor with axes `dims`."""
    return tuple(size_of(dim) for dim in dims)


def holds(dim: tuple[Axis, ...], tag: str) -> bool:
    """True where an axis contains a part of that kind."""
    return any(axis.tag == tag for axis in dim)


def is_features(dim: tuple[Axis, ...]) -> bool:
    """True where an axis holds nothing but features."""
    return all(axis.tag == "F" for axis in dim)


def regroup(dims: Dims, shape: Sequence[int]) -> Dims:
    """Axes of a reshape to `shape`, which keeps the order of elements.

    Feature axes may be split and merged freely, samples and steps only be carried along.
    """
    waiting = [axis for dim in dims for axis in dim if axis.size != 1 or axis.tag != "F"]
    grouped: list[tuple[Axis, ...]] = []
    for size in shape:
        parts: list[Axis] = []
        while size_of(parts) < size and waiting:
            _take(waiting, parts, size // size_of(parts))
        if size_of(parts) != size:
            raise NotTraceableError(MIXED, True)
        grouped.append(tuple(parts) or (Axis("F", 1),))
    return _with_single_axes(grouped, waiting)


def _take(waiting: list[Axis], parts: list[Axis], wanted: int) -> None:
    """Move the next axis to `parts`, or what of it makes `wanted`; features merge as needed."""
    axis = waiting.pop(0)
    while axis.size % wanted and wanted % axis.size:
        if axis.tag != "F" or not waiting or waiting[0].tag != "F":
            raise NotTraceableError(MIXED, True)
        axis = Axis("F", axis.size * waiting.pop(0).size)
    if axis.tag == "F" and axis.size > wanted:
        waiting.insert(0, Axis("F", axis.size // wanted))
        axis = Axis("F", wanted)
    parts.append(axis)


def _with_single_axes(grouped: list[tuple[Axis, ...]], left: list[Axis]) -> Dims:
    """Give one-step time axes, which no size asks for, to an axis of one element."""
    for axis in left:
        free = [i for i, dim in enumerate(grouped) if dim == (Axis("F", 1),)]
        if axis.size != 1 or not free:
            raise NotTraceableError(MIXED, True)
        grouped[free[0]] = (axis,)
    return tuple(grouped)
