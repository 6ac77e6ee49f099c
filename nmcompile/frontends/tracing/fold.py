"""Fold the steps of a run into a network: what differs between steps only by the step is one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from nmcompile.errors import TraceError
from nmcompile.frontends.tracing.values import Expr, Link, Term
from nmcompile.ir import Population, Projection
from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.neurons import Neuron
from nmcompile.ir.neurons.base import Array

Route = tuple[str, int, tuple[Link, ...]]  # source, delay, links


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """A population to be: its input of each step as an expression."""

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    currents: tuple[Expr, ...]
    loop: tuple[LinearMap, ...] = ()
    bias: Array = field(default_factory=lambda: np.zeros((), np.float32))


def fold(
    node: Node, names: dict[str, str], shapes: dict[str, tuple[int, ...]], integrators: set[str]
) -> tuple[Population, tuple[Projection, ...]]:
    """The population of `node` and the projections into it.

    names        source -> name in the network
    shapes       source -> shape
    integrators  sources without spikes, whose membrane travels
    """
    steps = [_routes(node.name, expr, step, integrators) for step, expr in enumerate(node.currents)]
    routes = steps[-1]
    for step, found in enumerate(steps):
        wanted = Counter({r: n for r, n in routes.items() if r[1] <= step})
        if found != wanted:
            raise TraceError(
                node.name, f"its inputs differ between step {step} and step {len(steps) - 1} of "
                "the run", "A step must use the same layers as every other.",
            )
    population = Population(name=node.name, shape=node.shape, neuron=node.neuron)
    bias = node.bias + _constant(node, population.current_shape)
    projections = [
        Projection(source=names[source], target=node.name, delay=delay,
                   map=_map(tuple(link.map for link in links), shapes[source]))
        for source, delay, links in routes.elements()
    ]
    if node.loop:
        projections.append(Projection(source=node.name, target=node.name, delay=1,
                                      map=_map(node.loop, node.shape)))
    return replace(population, bias=bias), tuple(projections)


def _routes(name: str, expr: Expr, step: int, integrators: set[str]) -> Counter[Route]:
    return Counter(_route(name, term, step, integrators) for term in expr.terms)


def _route(name: str, term: Term, step: int, integrators: set[str]) -> Route:
    sent = "v" if term.source in integrators else "spikes"
    if term.variable != sent:
        raise TraceError(name, f"it takes the state {term.variable} of {term.source}",
                         "Only spikes travel between neurons; pass the spikes on.")
    delay = 0 if term.step is None else step - term.step
    if delay < 0:
        raise TraceError(name, f"in step {step} it takes what {term.source} gives in step "
                         f"{term.step}", "A step may use only itself and earlier ones.")
    return (term.source, delay, term.links)


def _constant(node: Node, shape: tuple[int, ...]) -> Array:
    """The constant current of `shape`, which must be the same in every step."""
    biases = [np.broadcast_to(expr.bias, (prod(shape),)) for expr in node.currents]
    last = biases[-1]
    for step, bias in enumerate(biases):
        if not np.allclose(bias, last, rtol=1e-5, atol=1e-6):
            raise TraceError(
                node.name, f"its constant input differs between step {step} and step "
                f"{len(biases) - 1}", "Let the loop start from zero spikes through the same "
                "layers as in every other step.",
            )
    if not np.any(last):
        return np.zeros((), np.float32)
    return last.reshape(shape).astype(np.float32)


def _map(maps: tuple[LinearMap, ...], shape: tuple[int, ...]) -> LinearMap:
    if not maps:
        return Scale(factor=np.ones((), np.float32), in_shape=shape)
    return maps[0] if len(maps) == 1 else Chain(maps=maps)


def with_initial(path: str, neuron: Any, initial: dict[str, Array]) -> Neuron:
    """`neuron` starting from the states that the run started from.

    They are added to where it starts by itself, which a bias ahead of its recurrence shifts.
    """
    fields = {}
    for variable, value in initial.items():
        own = getattr(neuron, f"{variable}_init", None)
        if not np.any(value):
            continue
        if own is None:
            raise TraceError(path, f"its {variable} starts from other values than 0, which "
                             f"'{neuron.kind}' neurons cannot", "Start from zeros.")
        fields[f"{variable}_init"] = own + value
    changed: Neuron = replace(neuron, **fields) if fields else neuron
    return changed
