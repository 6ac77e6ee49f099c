"""What a network consists of, as plain values for tables, JSON and pictures."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Chain, Conv, LinearMap, Scale
from nmcompile.ir.text import in_short, parameters

Structure = dict[str, Any]


def structure(network: Network) -> Structure:
    """Inputs, populations, projections, outputs, steps, notes and totals of `network`."""
    populations = [_population(p) for p in network.populations]
    projections = [_projection(p) for p in network.projections]
    return {
        "inputs": [{"name": p.name, "shape": list(p.shape), "lines": p.size,
                    "payload_bits": p.format.payload_bits} for p in network.inputs],
        "populations": populations,
        "projections": projections,
        "outputs": [{"name": o.name, "population": o.population, "variable": o.variable}
                    for o in network.outputs],
        "steps": network.steps,
        "static": network.static,
        "dt_s": network.dt,
        "notes": list(network.notes),
        "totals": {
            "neurons": sum(p["neurons"] for p in populations),
            "weights": sum(p["weights"] for p in projections),
            "nonzero_weights": sum(p["nonzero"] for p in projections),
        },
    }


def _population(population: Population) -> Structure:
    values = parameters(population.neuron)
    return {
        "name": population.name, "shape": list(population.shape), "neurons": population.size,
        "kind": population.neuron.kind, "parameters": values, "bias": in_short(population.bias),
    }


def _projection(projection: Projection) -> Structure:
    stored = projection.format
    weights = projection.map.weights()
    grids = [grid for link in links(projection.map)
             if (grid := getattr(link, "grid", None)) is not None]
    return {
        "source": projection.source, "target": projection.target, "delay": projection.delay,
        "map": map_text(projection.map), "weights": len(weights),
        "nonzero": int(np.count_nonzero(weights)),
        "bits": stored.bits if stored else grids[0].bits if grids else None,
    }


def links(linear: LinearMap) -> tuple[LinearMap, ...]:
    """The maps of a chain, or the one map."""
    return linear.maps if isinstance(linear, Chain) else (linear,)


def map_text(linear: LinearMap) -> str:
    """A map in a few words: kind, kernel and sizes."""
    said = [text for link in links(linear) if (text := _link_text(link))]
    return ", ".join(said) or "one to one"


def _link_text(linear: LinearMap) -> str:
    if isinstance(linear, Scale):
        factor = in_short(linear.factor)
        return "" if factor == "1" else f"times {factor}"
    if not isinstance(linear, Conv):
        return f"{linear.kind} {prod(linear.in_shape):,} to {prod(linear.out_shape):,}"
    kernel, channels = linear.weight.shape[2:], (linear.in_shape[0], linear.weight.shape[0])
    each = linear.groups == linear.in_shape[0] == linear.weight.shape[0] and linear.groups > 1
    same = each and np.all(linear.weight == linear.weight.flat[0])
    text = f"{'pool' if same else 'conv'} {_pair(kernel)}"
    if linear.stride != (1, 1):
        text += f" stride {_pair(linear.stride)}"
    if linear.dilation != (1, 1):
        text += f" dilation {_pair(linear.dilation)}"
    if same:
        return text
    groups = " of each channel" if each else f" in {linear.groups} groups"
    return f"{text}{'' if linear.groups == 1 else groups}, {channels[0]} to {channels[1]}"


def _pair(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
