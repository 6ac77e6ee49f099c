"""Written-out neurons that compare before anything has arrived: their silent first steps.

    spike = (mem > c)        mem = (decay * mem + x) * (1 - spike)

In step 0 this compares constants, which are no spikes of anything; what arrives in step t is
compared in step t + 1. The comparisons that were seen are moved to the steps that they belong to,
and the constants become the state that the neurons start from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.membranes import Site
from nmcompile.frontends.tracing.recorder import Known
from nmcompile.frontends.tracing.values import Expr, NotTraceableError, Term, Value
from nmcompile.ir.neurons import LI, LIF
from nmcompile.ir.neurons.base import Array

Offsets = dict[str, int]  # source -> its silent steps


def with_silence(
    sites: tuple[Site, ...], calls: dict[str, Calls], outputs: tuple[Known, ...], silent: Offsets
) -> tuple[Known, ...]:
    """Move the steps of the `sites` behind their silent ones, in `calls` too; outputs likewise.

    silent  source -> its silent steps, of the sites and of integrators
    Raises NotTraceableError where the neurons do not start like a neuron.
    """
    silent = {name: steps for name, steps in silent.items() if steps}
    for node in calls.values():
        node.currents[:] = [_moved(expr, silent) for expr in node.currents]
    integrators = silent.keys() - {site.node.path for site in sites}
    held = {name: _held(calls[name], silent[name]) for name in sorted(integrators)}
    for site in sites:
        _start(site, held)
    for name in held:
        currents = calls[name].currents
        currents[:0] = [Expr((), currents[-1].bias)] * silent[name]
    for node in calls.values():
        node.currents[:] = _complete(node.currents, silent)
    return tuple(_moved_output(known, silent) for known in outputs)


def _moved(expr: Expr, silent: Offsets) -> Expr:
    if not any(t.source in silent for t in expr.terms):
        return expr
    return Expr(tuple(replace(t, step=t.step + silent.get(t.source, 0))
                      if t.step is not None else t for t in expr.terms), expr.bias)


def _moved_output(known: Known, silent: Offsets) -> Known:
    if isinstance(known, Value):
        moved = [_moved(expr, silent) for expr in known.exprs]
        return replace(known, exprs=tuple(_complete(moved, silent)))
    origins = tuple(_moved_output(origin, silent) for origin in known.origins)
    return replace(known, made_of=origins)


def _held(node: Calls, steps: int) -> list[Array]:
    """What an integrator holds of its constant current in its silent steps."""
    neuron, bias = node.described.neuron, node.currents[-1].bias
    assert isinstance(neuron, LI)
    states, state = [], np.zeros(())
    for _ in range(steps):
        state = np.asarray(neuron.decay, np.float64).reshape(-1) * state + bias
        states.append(state)
    return states


def _start(site: Site, held: dict[str, list[Array]]) -> None:
    """Silent steps ahead of those that were seen, and the state that leads through them."""
    node, neuron, silence = site.node, site.node.described.neuron, site.silence()
    assert isinstance(neuron, LIF)
    if any(fired.any() for _, fired in silence):
        raise NotTraceableError(f"{node.path} fires before anything arrives{site.at}")
    scale = 1.0 if site.scale is None else site.scale
    shift = 0.0 if site.shift is None else site.shift
    shape = node.records["spikes"][0].shape
    states = []
    for membrane, _ in silence:
        full = np.broadcast_to(membrane.detach().numpy(), shape).reshape(shape[0], -1)
        if np.any(full != full[:1]):
            raise NotTraceableError(f"{node.path} starts from other values in each sample{site.at}")
        states.append(((full[0] - shift) / scale).astype(np.float64))
    steady = node.currents[-1].bias
    start = _initial(site, neuron, states, [
        steady + _taken(node.currents[-1], held, len(node.currents) - 1 + len(silence) - step)
        for step in range(len(silence))] + [steady])
    if start is not None:
        shaped = start.astype(np.float32).reshape(node.shape)
        node.described = replace(node.described, neuron=replace(neuron, v_init=shaped))
    node.currents[0] = Expr(node.currents[0].terms, steady)
    node.currents[:0] = [Expr((), steady)] * len(silence)
    node.records["spikes"][:0] = [np.zeros(shape, np.float32)] * len(silence)
    node.records["v"][:0] = [np.broadcast_to(state.astype(np.float32).reshape(node.shape), shape)
                             for state in states]


def _taken(last: Expr, held: dict[str, list[Array]], ago: int) -> Array:
    """What the step that is `ago` steps before the `last` takes of integrators in silent steps."""
    total = Expr((), np.zeros(()))
    for term in last.terms:
        then = -1 if term.step is None else term.step - ago
        if term.source in held and 0 <= then < len(held[term.source]):
            part = Expr((), held[term.source][then])
            for link in term.links:
                part = part.then(link)
            total = total.plus(part)
    return total.bias


def _initial(
    site: Site, neuron: LIF, states: list[Array], currents: list[Array]
) -> Array | None:
    """The membrane ahead of step 0 that gives `states`, None for zero.

    Each is what the one before keeps of itself and the constant current, and the first step behind
    them has a constant that shows the last of them.
    """
    first, size = site.node.currents[0].bias, site.node.records["spikes"][0][0].size
    decay = np.broadcast_to(np.asarray(neuron.decay, np.float64).reshape(-1), (size,))
    reached = [*states, np.broadcast_to(first, (size,))]
    if _leads(np.zeros(size), reached, decay, currents):
        return None
    kept = np.divide(reached[0] - currents[0], decay, out=np.zeros(size), where=decay != 0)
    if not _leads(kept, reached, decay, currents):
        raise NotTraceableError(f"{site.node.path} starts as no neuron does{site.at}")
    if np.any(kept > neuron.threshold.reshape(-1)):
        raise NotTraceableError(f"{site.node.path} starts above its threshold{site.at}")
    return kept


def _leads(state: Array, wanted: list[Array], decay: Array, currents: list[Array]) -> bool:
    """Whether a membrane without spikes goes from `state` through what is `wanted`."""
    for after, current in zip(wanted, currents, strict=True):
        state = decay * state + current
        if not np.allclose(state, after, rtol=1e-5, atol=1e-6):
            return False
    return True


def _complete(currents: list[Expr], silent: Offsets) -> list[Expr]:
    """`currents` with what the last step takes of a source, in its silent steps too."""
    result = []
    for step, expr in enumerate(currents):
        there = {(t.source, t.step, t.links) for t in expr.terms}
        missing: list[Term] = []
        for term in currents[-1].terms if silent else ():
            if term.source not in silent or term.step is None:
                continue
            then = term.step - (len(currents) - 1 - step)
            if 0 <= then < silent[term.source] and (term.source, then, term.links) not in there:
                missing.append(replace(term, step=then))
        result.append(Expr((*expr.terms, *missing), expr.bias))
    return result
