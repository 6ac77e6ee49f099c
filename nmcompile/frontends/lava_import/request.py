"""From the layers of a `.net` file to a network."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.lava_import.layers import (
    Shape,
    conv,
    delayed,
    dense,
    neuron_of,
    number,
    pool,
    shape_of,
)
from nmcompile.frontends.lava_import.read import Layer, read_layers
from nmcompile.frontends.port_sample import port_sample
from nmcompile.ir import Input, Network, Output, Population, Projection, verify
from nmcompile.ir.maps import LinearMap, Scale

SUPPORTED = "input, flatten, dense, dense_rec, conv and pool are supported."
PORT = "input"


def load_request(request: Request) -> Traced:
    """The network of a `.net` file, and the sample or random spikes as its input."""
    assert request.path is not None
    network = network_of(read_layers(request.path))
    values, note = port_sample(request, network.inputs)
    return Traced(network=replace(network, notes=(*network.notes, *note)), inputs=values,
                  expected={})


def network_of(layers: list[Layer]) -> Network:
    """`layers` one behind the other; each synapse arrives in the step in which it is sent."""
    populations: list[Population] = []
    projections: list[Projection] = []
    port = before = _port(layers)
    source = PORT
    for index, layer in enumerate(layers):
        kind = str(layer.get("type", ""))
        where = f"layer {index} ({kind})"
        if kind == "flatten" or (kind == "input" and "neuron" not in layer):
            continue
        shape = shape_of(where, layer)
        maps = _maps(where, layer, kind, before, shape)
        name = f"{kind}_{index}"
        populations.append(Population(name=name, shape=shape,
                                      neuron=neuron_of(where, layer, shape)))
        projections += [Projection(source=source, target=name, map=linear, delay=steps)
                        for steps, linear in maps]
        if kind == "dense_rec":
            back = dense(where, layer, "weight_rec", prod(shape), prod(shape))
            projections.append(Projection(source=name, target=name, map=back, delay=1))
        source, before = name, shape
    if not populations:
        raise NmcError("network", "none of its layers has neurons", SUPPORTED)
    return verify(Network(
        inputs=(Input(name=PORT, shape=port),), populations=tuple(populations),
        projections=tuple(projections), outputs=(Output(name=source, population=source),),
    ))


def _maps(
    where: str, layer: Layer, kind: str, before: Shape, shape: Shape
) -> list[tuple[int, LinearMap]]:
    """(delay, map) of what arrives at `layer`."""
    if kind == "input":
        weight = np.full((), number(where, layer, "weight", 64), np.float32)
        return [(0, Scale(factor=weight, in_shape=shape))]
    if kind in ("dense", "dense_rec"):
        return delayed(where, layer, dense(where, layer, "weight", prod(before), prod(shape)))
    if kind not in ("conv", "pool"):
        raise NmcError(where, "a layer of this kind cannot be compiled", SUPPORTED)
    linear = (conv if kind == "conv" else pool)(where, layer, before)
    linear.verify(where)
    if linear.out_shape != shape:
        raise NmcError(where, f"it gives {linear.out_shape}, the file says {shape}")
    return [(0, linear)]


def _port(layers: list[Layer]) -> Shape:
    """Shape of what the first layer takes."""
    first, kind = layers[0], str(layers[0].get("type", ""))
    where = f"layer 0 ({kind})"
    if kind == "input":
        return shape_of(where, first)
    if kind in ("dense", "dense_rec"):
        n_out = prod(shape_of(where, first))
        return dense(where, first, "weight", None, n_out).in_shape
    raise NmcError(where, "the shape of its input is not in the file",
                   "Export the network with its input layer.")
