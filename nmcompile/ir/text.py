"""A network as stable text."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any

import numpy as np

from nmcompile.ir.maps import Chain, LinearMap
from nmcompile.ir.network import Input, Network, Population, Projection
from nmcompile.ir.neurons import Neuron


def to_text(network: Network) -> str:
    """One line for each part of `network`, in its order."""
    lines = [_input(port) for port in network.inputs]
    for population in network.populations:
        lines += [_projection(p) for p in network.incoming(population.name)]
        lines.append(_population(population))
    lines += [f"output {o.name}: {o.population}.{o.variable}" for o in network.outputs]
    if network.dt is not None:
        lines.append(f"dt {network.dt:g} s")
    lines += [f"note: {note}" for note in network.notes]
    return "\n".join(lines)


def _input(port: Input) -> str:
    bits = port.format.payload_bits
    kind = "real" if bits is None else "binary" if bits == 0 else f"{bits}-bit"
    return f"input {port.name} {_shape(port.shape)} {kind}"


def _population(population: Population) -> str:
    neuron = population.neuron
    values = [f"{name}={value}" for name, value in parameters(neuron).items()]
    return (
        f"population {population.name} {_shape(population.shape)} {neuron.kind} "
        f"{' '.join(values)} bias={in_short(population.bias)}"
    )


def parameters(neuron: Neuron) -> dict[str, str]:
    """What is said of a neuron: each field that is not as if nobody had set it, in short."""
    return {field.name: in_short(getattr(neuron, field.name))
            for field in fields(neuron) if not _is_default(neuron, field)}  # type: ignore[arg-type]


def _is_default(neuron: Neuron, field: Field[Any]) -> bool:
    """True for a number that is what it is if nobody sets it; resets and comparators are shown."""
    if field.default_factory is not MISSING:
        return bool(np.array_equal(getattr(neuron, field.name), field.default_factory()))
    default = field.default
    return type(default) is int and getattr(neuron, field.name) == default


def _projection(projection: Projection) -> str:
    stored = projection.format
    bits = "" if stored is None else f" {stored.bits} bits {stored.sign} exponent {stored.exponent}"
    into = "" if projection.current is None else f" into current {projection.current}"
    part = "" if projection.sources is None else "[{}:{}]".format(*projection.sources)
    return (
        f"  {projection.source}{part} -> {projection.target} delay {projection.delay}{into}: "
        f"{_map(projection.map)}{bits}"
    )


def _map(linear: LinearMap) -> str:
    if isinstance(linear, Chain):
        return " > ".join(_map(link) for link in linear.maps)
    return (
        f"{linear.kind} {_shape(linear.in_shape)} to {_shape(linear.out_shape)}, "
        f"{len(linear.weights()):,} weights"
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def in_short(value: object) -> str:
    """A number, the range of an array, or a word."""
    if isinstance(value, Enum):
        return str(value.value)
    if not isinstance(value, np.ndarray | np.generic):
        return str(value)
    low, high = np.min(value), np.max(value)
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"
