"""What the model returns, as output ports; sums of weighted spikes become leaky integrators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.frontends.tracing.fold import Node
from nmcompile.frontends.tracing.recorder import Known
from nmcompile.frontends.tracing.values import Expr, Opaque, Value
from nmcompile.ir import Output
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import LI


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
    ports: dict[tuple[str, str], None] = {}
    nodes: dict[str, Node] = {}
    notes: list[str] = []
    for value in _values(returned, notes):
        terms = [term for expr in value.exprs for term in expr.terms]
        sources = {(t.source, t.variable) for t in terms if t.source not in inputs}
        if len({t.source for t in terms}) == len(sources) == 1 and _is_plain(value):
            ((source, variable),) = sources
            ports.setdefault((naming(source), variable))
            _note_last_step(value, naming(source), steps, notes)
        elif sources and all(variable == "spikes" or path in integrators
                             for path, variable in sources):
            node = _integrator(value, steps, naming, {*taken, *nodes})
            nodes[node.name] = node
            ports.setdefault((node.name, "v"))
    chosen = [port for port in ports if port[1] in ("spikes", "v")]
    if not chosen:
        raise NmcError("model", "it returns neither spikes nor membranes of a neuron",
                       "Return the spikes of the last layer, or its membrane.")
    return Readout(outputs=_named(chosen), nodes=tuple(nodes.values()), notes=tuple(notes))


def _values(returned: tuple[Known, ...], notes: list[str]) -> list[Value]:
    values: list[Value] = []
    for known in returned:
        if isinstance(known, Opaque):
            notes.append(f"the output is taken before: {known.error.where}: {known.error.what}")
            values += known.origins
        else:
            values.append(known)
    return values


def _is_plain(value: Value) -> bool:
    """True where nothing but a unit stands between source and `value`; for states, a constant."""
    return all(
        all(_is_gain(t.links) for t in expr.terms)
        and (not np.any(expr.bias) or expr.terms[0].variable != "spikes")
        for expr in value.exprs
    )


def _is_gain(links: tuple[object, ...]) -> bool:
    """True where the links change nothing but the unit."""
    maps = [link.map for link in links]  # type: ignore[attr-defined]
    return all(isinstance(m, Scale) and m.factor.size == 1 and m.factor.flat[0] > 0 for m in maps)


def _note_last_step(value: Value, name: str, steps: int, notes: list[str]) -> None:
    used = {t.step for expr in value.exprs for t in expr.terms}
    if len(value.exprs) == 1 and used == {steps - 1} and steps > 1:
        notes.append(f"the model returns {name} of the last step only")


def _integrator(
    value: Value, steps: int, naming: Callable[[str], str], taken: set[str]
) -> Node:
    """A population without memory whose membrane is the value of each step."""
    exprs = value.exprs
    if len(exprs) != steps:
        exprs = _by_step(exprs[0], steps)
    links = exprs[-1].terms[-1].links
    name = naming(next((link.module for link in reversed(links) if link.module), "readout"))
    while name in taken:
        name += "_"
    shape = value.features or (prod(links[-1].map.out_shape),)
    return Node(name=name, shape=shape, neuron=LI(decay=np.zeros((), np.float32)), currents=exprs)


def _by_step(total: Expr, steps: int) -> tuple[Expr, ...]:
    """A sum over steps as the parts of each step."""
    return tuple(
        Expr(tuple(t for t in total.terms if t.step == step or t.step is None),
             total.bias / steps)
        for step in range(steps)
    )


def _named(ports: list[tuple[str, str]]) -> tuple[Output, ...]:
    """Ports named like their population; its spikes before its membrane."""
    populations = list(dict.fromkeys(population for population, _ in ports))
    outputs = []
    for population in populations:
        variables = sorted(variable for name, variable in ports if name == population)
        for position, variable in enumerate(variables):
            name = population if position == 0 else f"{population}_{variable}"
            outputs.append(Output(name=name, population=population, variable=variable))
    return tuple(outputs)



