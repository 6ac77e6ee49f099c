"""Decay, threshold and reset of neurons that are written out, from the steps of a run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.currents import with_currents
from nmcompile.frontends.tracing.membranes import (
    ARRIVED,
    RESET,
    Site,
    Sites,
    spread_of,
    without_factors,
)
from nmcompile.frontends.tracing.recorder import Known
from nmcompile.frontends.tracing.silence import with_silence
from nmcompile.frontends.tracing.values import Expr, Link, NotTraceableError, Term
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons import LIF, Reset, ResetAt
from nmcompile.ir.neurons.base import Array

State = tuple[str, str, int | None]  # source, variable, step


def finish(
    sites: Sites, calls: dict[str, Calls], outputs: tuple[Known, ...]
) -> tuple[Known, ...]:
    """Find decay, threshold and reset of every population, and its currents without them.

    Returns the model's `outputs`, in which steps are counted from the first of the model. In step
    0 a membrane is what has arrived; where others of `calls` take that too, they take what
    arrives. Raises NotTraceableError where the steps do not agree.
    """
    for site in sites.by_name.values():
        _finish(site)
    first: dict[State, Expr] = {
        (name, "v", 0): site.node.currents[0] for name, site in sites.by_name.items()}
    for node in calls.values():
        node.currents[:] = [_arriving(expr, first) for expr in node.currents]
    silent = {name: len(site.silence()) for name, site in sites.by_name.items()}
    silent |= with_currents(calls, silent)
    return with_silence(tuple(sites.by_name.values()), calls, outputs, silent)


def _arriving(expr: Expr, first: dict[State, Expr]) -> Expr:
    """`expr` with membranes of step 0 replaced by what arrives in it."""
    if not any((t.source, t.variable, t.step) in first for t in expr.terms):
        return expr
    total = Expr((), expr.bias)
    for term in expr.terms:
        part = first.get((term.source, term.variable, term.step))
        if part is None:
            total = total.plus(Expr((term,), np.zeros(())))
            continue
        for link in term.links:
            part = part.then(link)
        total = total.plus(part)
    return total


def _finish(site: Site) -> None:
    node = site.node
    scale = np.ones(()) if site.scale is None else site.scale
    shift = np.zeros(()) if site.shift is None else site.shift
    taken = [_membrane(node.path, expr, scale, shift) for expr in site.compared]
    late = _resets_what_arrives(node.path, taken)
    taken = _apart([_with_arrived(site, expr) for expr in taken], node.path, late)
    kept = [_own(node.path, expr, step) for step, expr in enumerate(taken)]
    states = [state for state, _ in kept[1:]] or [{}]
    if any(set(state) != set(states[0]) or len(state) > 1 for state in states):
        raise NotTraceableError(f"{node.path} resets differently in different steps")
    (variable, decay), = states[0].items() or [("v", np.zeros(()))]
    if any(not np.array_equal(state.get(variable, decay), decay) for state in states):
        raise NotTraceableError(f"{node.path} decays differently in different steps")
    threshold = (site.level - shift) / scale
    currents = [rest for _, rest in kept]
    reset, reset_at = (Reset.ZERO if variable == RESET else Reset.NONE), ResetAt.LEAK
    if late:
        reset_at = ResetAt.INPUT
    elif reset is Reset.NONE:
        reset, reset_at, currents = _subtraction(node.path, currents, threshold, decay)
    shaped = _shaper(node.shape)
    node.described = Described(neuron=LIF(
        decay=shaped(decay), threshold=shaped(threshold), reset=reset, reset_at=reset_at,
        fires_at_threshold=site.at_level))
    node.currents[:] = currents
    back, by = shaped(shift), shaped(scale)
    node.records["v"] = [((v - back) / by).astype(np.float32) for v in node.records["v"]]


def _membrane(path: str, expr: Expr, scale: Array, shift: Array) -> Expr:
    """The membrane that was compared as `expr`."""
    for terms, factor in without_factors(expr.terms):
        if np.shape(factor) == np.shape(scale) and np.allclose(factor, scale):
            return Expr(terms, (expr.bias - shift) / scale)
    raise NotTraceableError(f"{path} compares its membrane in different ways")


def _resets_what_arrives(path: str, membranes: list[Expr]) -> bool:
    """True where the spikes of each step reset what arrives in the next one too."""
    late = [any(t.source == path and t.variable == ARRIVED for t in expr.terms)
            for expr in membranes[1:]]
    if any(late) and not all(late):
        raise NotTraceableError(f"{path} resets differently in different steps")
    return any(late)


def _with_arrived(site: Site, expr: Expr) -> Expr:
    """`expr` with what arrived in place of what the reset leaves of it."""
    total = Expr(tuple(t for t in expr.terms if t.variable != ARRIVED), expr.bias)
    for term in expr.terms:
        if term.variable != ARRIVED:
            continue
        if term.source != site.node.path or term.step is None:
            raise NotTraceableError(f"{term.source} passes on its membrane after a reset")
        part = site.arrived[term.step]
        for link in term.links:
            part = part.then(link)
        total = total.plus(part)
    return total


def _apart(membranes: list[Expr], path: str, late: bool) -> list[Expr]:
    """The `membranes` with what others take of step 0 told apart from the neurons' own memory.

    In step 0 a synaptic current and the membrane that it fills from zero are the same. Where the
    reset is `late`, it takes both.
    """
    last = len(membranes) - 1
    own = {(t.variable, t.links) for t in membranes[-1].terms if (t.source, t.step) == (
        path, last - 1)}
    start: dict[tuple[Link, ...], Expr] = {(): membranes[0]}  # the membrane of step 0 behind links
    result = []
    for step, expr in enumerate(membranes):
        total = Expr((), expr.bias)
        for term in expr.terms:
            part = Expr((term,), np.zeros(()))
            memory = term.variable == "v" or (late and term.variable == RESET and step == 1)
            if (term.source, term.step) == (path, 0) and memory and (
                    step > 1 or (term.variable, term.links) not in own):
                part = _behind(start, term.links)
            total = total.plus(part)
        result.append(total)
    return result


def _behind(known: dict[tuple[Link, ...], Expr], links: tuple[Link, ...]) -> Expr:
    """What is known of the start of `links`, behind all of them."""
    first = next(n for n in range(len(links), -1, -1) if links[:n] in known)
    for n in range(first, len(links)):
        known[links[: n + 1]] = known[links[:n]].then(links[n])
    return known[links]


def _own(path: str, expr: Expr, step: int) -> tuple[dict[str, Array], Expr]:
    """What `expr` keeps of each state of the step before, and the rest of it."""
    states: dict[str, Array] = {}
    rest = []
    for term in expr.terms:
        if term.source != path or term.variable == "spikes":
            rest.append(term)
        elif term.step != step - 1:
            raise NotTraceableError(f"{path} uses its membrane of another step than the last")
        else:
            states[term.variable] = states.get(term.variable, 0) + _factor(path, term)
    return {name: f for name, f in states.items() if np.any(f)}, Expr(tuple(rest), expr.bias)


def _factor(path: str, term: Term) -> Array:
    """The factors between a term's source and its place."""
    factor = np.ones(())
    for link in term.links:
        if not isinstance(link.map, Scale):
            raise NotTraceableError(f"{path} uses its membrane through a layer")
        factor = factor * spread_of(link.map)
    return factor


def _subtraction(
    path: str, currents: list[Expr], threshold: Array, decay: Array
) -> tuple[Reset, ResetAt, list[Expr]]:
    """The reset that a neuron's own spikes of the step before make, and the currents without it.

    A subtraction of something else than the threshold stays what it is, a connection to itself.
    """
    rests, factors = [], []
    for expr in currents:
        own = [t for t in expr.terms if t.source == path
               and all(isinstance(link.map, Scale) for link in t.links)]
        factors.append(sum((_factor(path, t) for t in own), np.zeros(())))
        rests.append(Expr(tuple(t for t in expr.terms if t not in own), expr.bias))
    for reset_at, taken in ((ResetAt.LEAK, threshold * decay), (ResetAt.INPUT, threshold)):
        if len(factors) > 1 and np.any(taken) and all(
                np.allclose(-f, taken, rtol=1e-5) for f in factors[1:]):
            return Reset.SUBTRACT, reset_at, rests
    return Reset.NONE, ResetAt.SPIKE, currents


def _shaper(shape: tuple[int, ...]) -> Callable[[Array], Array]:
    def shaped(values: Array) -> Array:
        flat = np.asarray(values, np.float32).reshape(-1)
        return flat[0] * np.ones((), np.float32) if np.all(flat == flat[0]) else flat.reshape(shape)
    return shaped
