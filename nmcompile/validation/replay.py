"""Run one population again on what its sources sent, as compiled or with one rule changed."""

from __future__ import annotations

from dataclasses import fields, replace
from math import prod
from typing import Any, Literal

import numpy as np

from nmcompile.ir import Population
from nmcompile.ir.accumulate import shifted
from nmcompile.ir.neurons.base import Accumulator, Array, Neuron, State, accumulator_of
from nmcompile.ir.reference import spread
from nmcompile.validation.evidence import Link

Adding = Literal["one by one", "backwards", "at once", "wrapping"]
SPIKES = "spikes"


def replay(
    population: Population, links: tuple[Link, ...], adding: Adding = "one by one"
) -> dict[str, Array]:
    """Spikes and states (samples, steps, n) of `population` from a reset chip.

    links   what arrives, in its order
    adding  how spikes are added where additions saturate
    """
    samples, steps = links[0].sent.shape[:2]
    neuron = population.neuron
    accumulates = accumulator_of(neuron)
    total = np.zeros((samples, steps, prod(population.current_shape)), np.int64)
    for link in links if accumulates is None else ():
        flat = sums_of(link).reshape(samples * steps, -1)
        total += spread(flat, link.projection, total.shape[2]).reshape(total.shape)
    rows = [(row_matrix(link), link.arrived) for link in links] if accumulates else []
    state = neuron.initial_state((samples, *population.shape))
    records: dict[str, list[Array]] = {name: [] for name in (SPIKES, *neuron.state_names)}
    for step in range(steps):
        if accumulates is not None:
            arriving = [(matrix, arrived[:, step]) for matrix, arrived in rows]
            state = _added(state, accumulates, arriving, adding)
        current = total[:, step].reshape(samples, *population.current_shape) + population.bias
        state, spikes = neuron.step(state, current)
        for name, values in records.items():
            values.append((spikes if name == SPIKES else state[name]).reshape(samples, -1))
    return {name: np.stack(values, axis=1) for name, values in records.items()}


def sums_of(link: Link) -> Array:
    """(samples, steps, targets) int64 what a link brings, behind its exponent."""
    return shifted(link.raw.astype(np.int64), link.projection)


def row_matrix(link: Link) -> Array:
    """(sources, targets) int64 what one spike of each source adds; only for small populations."""
    eye = np.eye(link.sent.shape[2])
    whole = np.rint(link.projection.map.apply(eye)).astype(np.int64)
    return shifted(whole, link.projection)


def _added(
    state: State, accumulator: Accumulator, arriving: list[tuple[Array, Array]], adding: Adding
) -> State:
    """`state` after the spikes (samples, sources) of each link."""
    names, shape = accumulator.states, state[accumulator.states[0]].shape
    total = np.concatenate([state[n].reshape(shape[0], -1) for n in names], 1).astype(np.int64)
    low, high = accumulator.low, accumulator.high
    if adding in ("at once", "wrapping"):
        for matrix, spikes in arriving:
            total = total + spikes.astype(np.int64) @ matrix
        total = (np.clip(total, low, high) if adding == "at once"
                 else (total - low) % (high - low + 1) + low)
    else:
        order = -1 if adding == "backwards" else 1
        for matrix, spikes in arriving[::order]:
            for source in np.flatnonzero(spikes.any(axis=0))[::order]:
                total += spikes[:, source, None].astype(np.int64) * matrix[source]
                np.clip(total, low, high, out=total)
    parts = np.split(total, len(names), axis=1)
    return {**state, **{name: part.reshape(shape).astype(state[name].dtype)
                        for name, part in zip(names, parts, strict=True)}}


def with_register(population: Population, name: str, value: Any) -> Population:
    """`population` with another value in one register of its neurons."""
    neuron: Any = population.neuron
    return replace(population, neuron=replace(neuron, **{name: value}))


def only(population: Population, number: int) -> Population:
    """The neuron of flat number `number` by itself."""
    bias = _taken(population.bias, population.current_shape, population, number)
    return replace(population, shape=(1,), neuron=_one(population, number), bias=bias)


def _one(population: Population, number: int) -> Neuron:
    neuron: Any = population.neuron
    arrays = {f.name: getattr(neuron, f.name) for f in fields(neuron)}
    taken = {name: _taken(a, (population.currents, *population.shape), population, number)
             for name, a in arrays.items() if isinstance(a, np.ndarray) and a.ndim}
    return replace(neuron, **taken)


def _taken(values: Array, full: tuple[int, ...], population: Population, number: int) -> Array:
    """What one neuron has of a register that all share, that each has, or each for each current."""
    shape = population.shape
    if values.ndim == 0:
        return values
    if values.ndim > len(shape):
        return np.broadcast_to(values, full).reshape(full[0], -1)[:, number : number + 1].copy()
    return np.broadcast_to(values, shape).reshape(-1)[number : number + 1].copy()
