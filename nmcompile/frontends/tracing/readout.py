"""What the model returns, as output ports; sums of weighted spikes become leaky integrators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from math import prod

import numpy as np

from nmcompile.errors import NmcError, ReadoutError
from nmcompile.frontends.tracing.fold import Node
from nmcompile.frontends.tracing.recorder import Known
from nmcompile.frontends.tracing.values import Axis, Expr, Link, Opaque, Term, Value
from nmcompile.ir import Output
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import LI
from nmcompile.ir.neurons.base import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Readout:
    """Output ports, the populations made for them, and what to tell the user."""

    outputs: tuple[Output, ...]
    nodes: tuple[Node, ...]
    notes: tuple[str, ...]


def readout(
    returned: tuple[Known, ...], steps: int, naming: Callable[[str], str], inputs: set[str],
    taken: set[str], integrators: set[str],
) -> Readout:
    """The outputs of a model that returned `returned` after `steps` steps.

    naming  path of a module -> name of a population
    inputs  names of the input ports, which are no outputs
    taken   names that populations have
    integrators  paths of neurons without spikes, whose membrane travels
    """
    ports: dict[tuple[str, str], Output] = {}
    nodes: dict[str, Node] = {}
    notes: list[str] = []
    for value in _values(returned, notes):
        sources = {(t.source, t.variable) for expr in value.exprs for t in expr.terms}
        plain = _port(value, steps, naming) if len(sources) == 1 else None
        if plain is not None and not sources & {(name, "spikes") for name in inputs}:
            ports.setdefault((plain.population, plain.variable), plain)
        elif sources and all(variable == "spikes" or path in integrators
                             for path, variable in sources):
            node, port = _integrator(value, steps, naming, {*taken, *nodes})
            nodes[node.name] = node
            ports.setdefault((node.name, "v"), port)
        elif sources and not ports:
            raise _not_sent(sources)
    chosen = [port for port in ports.values() if port.variable in ("spikes", "v")]
    if not chosen:
        raise ReadoutError("model", "it returns neither spikes nor membranes of a neuron",
                           "Return the spikes of the last layer, or its membrane.")
    return Readout(outputs=_named(chosen), nodes=tuple(nodes.values()), notes=tuple(notes))


def _values(returned: tuple[Known, ...], notes: list[str]) -> list[Value]:
    """What is followed of all that was returned; NmcError where the first of it is not.

    What comes behind the first decides nothing and may be left out. So may an operation at the
    end that changes no decision.
    """
    values: list[Value] = []
    for known in returned:
        if not isinstance(known, Opaque):
            values.append(known)
        elif known.kept and (series := _series(known.origins)):
            notes.append(f"the output is taken before: {known.error.where}: {known.error.what}")
            values.append(series)
        elif not values:
            raise known.error
        else:
            notes.append(f"not among the outputs: {known.error.where}: {known.error.what}")
    return values


def _series(origins: tuple[Value, ...]) -> Value | None:
    """One value, or those of single steps that were put together as one with an axis of steps."""
    first = origins[0]
    if len(origins) == 1:
        return first
    steps = [v.exprs[0].last_step() for v in origins]
    if any(v.dims != first.dims or len(v.exprs) != 1 for v in origins) or any(
            b <= a for a, b in pairwise(steps)):
        return None
    exprs = tuple(v.exprs[0] for v in origins)
    return Value(((Axis("T", len(exprs)),), *first.dims), exprs)


def _port(value: Value, steps: int, naming: Callable[[str], str]) -> Output | None:
    """`value` as a weighted sum of one variable over the steps, or None.

    A tensor with a time axis is decided by its sum over it.
    """
    weighted = _weighted(value, steps)
    if weighted is None or weighted.links:
        return None
    ((source, variable),) = {(t.source, t.variable) for e in value.exprs for t in e.terms}
    if variable == "spikes" and np.any(weighted.offset):
        return None  # a population of its own can have the constant
    return weighted.port(naming(source), variable, prod(value.features))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Weighted:
    """The same `links` of each step of `source`, times a weight of the step, and a constant."""

    source: str
    links: tuple[Link, ...]
    weights: Array
    offset: Array

    def port(self, population: str, variable: str, size: int) -> Output:
        """The port that adds this up; a factor that all steps share is left out."""
        last = self.weights[-1]
        alike = last > 0 and not _varies(self.weights)
        offset = self.offset / last if alike else self.offset
        listed = np.broadcast_to(offset, (size,)) if np.any(offset) else ()
        return Output(
            name=population, population=population, variable=variable,
            weights=() if alike else tuple(map(float, self.weights)),
            offset=tuple(map(float, listed)))


def _weighted(value: Value, steps: int) -> _Weighted | None:
    """The sum of `value` over its time axis as a weighted sum of equal terms, or None."""
    weights, offset = np.zeros(steps), np.zeros(())
    links: tuple[Link, ...] | None = None
    for expr in value.exprs:
        offset = offset + expr.bias
        for term in expr.terms:
            core, factor = _without_gain(term.links)
            if links is not None and list(map(id, core)) != list(map(id, links)):
                return None
            links = core
            if term.step is None:
                weights += factor / steps
            else:
                weights[term.step] += factor
    sources = {t.source for e in value.exprs for t in e.terms}
    if len(sources) != 1 or links is None:
        return None
    return _Weighted(source=sources.pop(), links=links, weights=weights, offset=offset)


def _without_gain(links: tuple[Link, ...]) -> tuple[tuple[Link, ...], float]:
    """`links` without the single factors at their end, and the product of these."""
    factor = 1.0
    while links and isinstance(links[-1].map, Scale) and links[-1].map.factor.size == 1:
        factor *= float(links[-1].map.factor.flat[0])
        links = links[:-1]
    return links, factor


def _not_sent(sources: set[tuple[str, str]]) -> NmcError:
    """Why a sum of several variables, or a layer behind membranes, is no output."""
    listed = ", ".join(f"{variable} of {path}" for path, variable in sorted(sources))
    return ReadoutError(
        "model", f"what it returns is computed from {listed} by more than a weighted "
        "sum over steps; chips send spikes, and membranes are read as they are",
        "Return the spikes or the membrane of the last layer.")


def _integrator(
    value: Value, steps: int, naming: Callable[[str], str], taken: set[str]
) -> tuple[Node, Output]:
    """A population without memory whose membrane is the value of each step, and its port."""
    links = next((t.links for expr in reversed(value.exprs) for t in reversed(expr.terms)), ())
    name = naming(next((link.module for link in reversed(links) if link.module), "readout"))
    while name in taken:
        name += "_"
    shape = value.features or (prod(links[-1].map.out_shape) if links else 1,)
    port, exprs = Output(name=name, population=name, variable="v"), value.exprs
    weighted = _weighted(value, steps)
    if weighted is not None and _varies(weighted.weights):
        port = weighted.port(name, "v", prod(shape))
        exprs = tuple(Expr((Term(weighted.source, "spikes", step, weighted.links),), np.zeros(()))
                      for step in range(steps))
    elif len(exprs) != steps:
        exprs = _by_step(reduce(Expr.plus, exprs), steps, shape)
    return Node(
        name=name, shape=shape, neuron=LI(decay=np.zeros((), np.float32)), currents=exprs), port


def _varies(weights: Array) -> bool:
    return not np.allclose(weights, weights[-1], rtol=1e-5, atol=0)


def _by_step(total: Expr, steps: int, shape: tuple[int, ...]) -> tuple[Expr, ...]:
    """A sum over steps as the parts of each step; what never changes is spread over them."""
    share = Link(Scale(factor=np.full((), 1 / steps, np.float32), in_shape=shape), "")
    return tuple(
        Expr(tuple(t if t.step == step else replace(t, links=(*t.links, share))
                   for t in total.terms if t.step in (step, None)), total.bias / steps)
        for step in range(steps)
    )


def _named(ports: list[Output]) -> tuple[Output, ...]:
    """Ports named like their population; its spikes before its membrane."""
    outputs = []
    for population in dict.fromkeys(port.population for port in ports):
        own = sorted((p for p in ports if p.population == population), key=lambda p: p.variable)
        for position, port in enumerate(own):
            name = population if position == 0 else f"{population}_{port.variable}"
            outputs.append(replace(port, name=name))
    return tuple(outputs)
