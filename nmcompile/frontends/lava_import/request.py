"""From the layers of a `.net` file to a network."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from nmcompile.errors import DamagedFileError, ModelFileError, SampleError, UnsupportedLayerError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.lava_import.layers import average, conv, delayed, dense, pool, shape_of
from nmcompile.frontends.lava_import.neurons import PARTS, Shape, bias_of, neuron_of, number
from nmcompile.frontends.lava_import.read import Layer, read_layers
from nmcompile.frontends.port_sample import port_sample
from nmcompile.ir import Input, Network, Output, Population, Projection, verify
from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.neurons import LI
from nmcompile.ir.neurons.lif import zero

SUPPORTED = "input, flatten, dense, dense_rec, conv, pool and average are supported."
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
    chain = _Layers(_port(layers))
    for index, layer in enumerate(layers):
        kind = str(layer.get("type", ""))
        if kind != "flatten" and (kind != "input" or "neuron" in layer):
            chain.add(f"layer {index} ({kind})", f"{kind}_{index}", layer)
    if chain.mean is not None:
        chain.read_out("average")
    if not chain.populations:
        raise ModelFileError("network", "none of its layers has neurons", SUPPORTED)
    return verify(Network(
        inputs=(Input(name=PORT, shape=chain.port),), populations=tuple(chain.populations),
        projections=tuple(chain.projections), outputs=(chain.output(),),
    ))


class _Layers:
    """The network so far: what the next layer takes from, and its shape.

    mean  an average that stands between `source` and the next layer
    """

    def __init__(self, port: Shape) -> None:
        self.port = self.before = port
        self.source = PORT
        self.mean: LinearMap | None = None
        self.populations: list[Population] = []
        self.projections: list[Projection] = []

    def add(self, where: str, name: str, layer: Layer) -> None:
        """Put `layer` behind the others."""
        kind, shape = str(layer.get("type", "")), shape_of(where, layer)
        if kind == "average":
            if self.mean is not None:
                raise UnsupportedLayerError(where, "it averages means")
            self.mean, self.before = average(where, layer, self.before), (prod(shape),)
            return
        neuron = neuron_of(where, layer, shape)
        arriving = kind == "input" and not neuron.graded
        population = Population(name=name, shape=shape, neuron=neuron,
                                bias=bias_of(where, layer, shape) if arriving else zero())
        maps = _maps(where, layer, kind, self.before, shape)
        currents = prod(population.current_shape)
        for steps, linear in maps:
            if prod(linear.out_shape) != currents:
                raise UnsupportedLayerError(where, "complex weights and resonators belong together")
            self.projections.append(Projection(
                source=self.source, target=name, map=self._arriving(linear), delay=steps))
        if kind == "dense_rec":
            if currents != prod(shape) or neuron.graded:
                raise UnsupportedLayerError(
                    where, "recurrent layers of anything but CUBA cannot be compiled")
            back = dense(where, layer, "weight_rec", prod(shape), prod(shape))
            self.projections.append(Projection(source=name, target=name, map=back, delay=1))
        self.populations.append(population)
        self.source, self.before, self.mean = name, shape, None

    def _arriving(self, linear: LinearMap) -> LinearMap:
        """`linear` behind the mean and, for graded spikes, in their unit times that of weights."""
        links = [linear] if self.mean is None else [self.mean, linear]
        if self.populations and self.populations[-1].neuron.graded:
            links.append(Scale(factor=PARTS, in_shape=linear.out_shape))
        return links[0] if len(links) == 1 else Chain(maps=tuple(links))

    def read_out(self, name: str) -> None:
        """Make the mean at the end the membrane of integrators without memory."""
        assert self.mean is not None
        self.populations.append(Population(
            name=name, shape=self.mean.out_shape, neuron=LI(decay=np.zeros((), np.float32))))
        self.projections.append(Projection(source=self.source, target=name, map=self.mean))
        self.source = name

    def output(self) -> Output:
        """Spikes of the last layer, or the membranes of integrators."""
        last = self.populations[-1]
        return Output(name=last.name, population=last.name,
                      variable="spikes" if last.neuron.spiking else "v")


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
        raise UnsupportedLayerError(where, "a layer of this kind cannot be compiled", SUPPORTED)
    linear = (conv if kind == "conv" else pool)(where, layer, before)
    linear.verify(where)
    if linear.out_shape not in (shape, (2 * shape[0], *shape[1:])):
        raise DamagedFileError(where, f"it gives {linear.out_shape}, the file says {shape}")
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
    raise SampleError(where, "the shape of its input is not in the file",
                      "Export the network with its input layer.")
