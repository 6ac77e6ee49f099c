"""A network as a NIR graph, with `metadata` for what NIR cannot say."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import nir
import numpy as np

from nmcompile.errors import ExportError
from nmcompile.files import replaced_file
from nmcompile.frontends.nir_import.annotations import annotations_of, annotations_of_map
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Chain, Conv, Dense, LinearMap, Scale, Sparse
from nmcompile.ir.neurons import LI, LIF, CubaLI, CubaLIF
from nmcompile.ir.neurons.base import Array

MAX_DENSE = 1 << 26  # weights of a sparse map that is written as a matrix
Shape = tuple[int, ...]


def to_graph(network: Network, dt: float = 1e-4) -> nir.NIRGraph:
    """`network` in NIR's continuous time, to be discretised again in steps of `dt` seconds.

    The graph's metadata holds dt; a node's metadata holds what differs from NIR's own neuron
    (reset, comparator, initial state), an output's its position, that it gives
    membranes, and what steps and neurons count there.
    Raises NmcError for neurons and maps that NIR has not.
    """
    writer = _Writer(dt)
    for port in network.inputs:
        writer.nodes[port.name] = nir.Input(np.array(port.shape))
        writer.shapes[port.name] = port.shape
    for population in network.populations:
        writer.shapes[population.name] = _shape(network, population)
    for population in network.populations:
        bias = writer.neuron(population)
        for index, projection in enumerate(network.incoming(population.name)):
            writer.connect(projection, bias if index == 0 else None)
    for position, output in enumerate(network.outputs):
        name = f"{output.name}_output" if output.name in writer.nodes else output.name
        node = nir.Output(np.array(writer.shapes[output.population]))
        if output.variable == "v" and network.population(output.population).neuron.spiking:
            node.metadata["variable"] = "v"
        for field in ("weights", "offset"):
            if getattr(output, field):
                node.metadata[field] = np.array(getattr(output, field))
        if len(network.outputs) > 1:
            node.metadata["position"] = position  # the first decides
        writer.nodes[name] = node
        writer.edges.append((output.population, name))
    return nir.NIRGraph(nodes=writer.nodes, edges=writer.edges, metadata={"dt": dt},
                        type_check=False)


def write_graph(network: Network, path: Path, dt: float) -> None:
    """Write `network` to `path` as `to_graph` has it."""
    graph = to_graph(network, dt)
    with replaced_file(path) as fresh:
        nir.write(fresh, graph)


def _shape(network: Network, population: Population) -> Shape:
    """What a population has in NIR: (n,) behind a matrix, else its own shape."""
    arriving = [_links(p.map)[-1] for p in network.incoming(population.name)]
    flat = any(isinstance(link, Dense | Sparse) for link in arriving)
    return (population.size,) if flat else population.shape


class _Writer:
    """The nodes and edges of the graph as they come."""

    def __init__(self, dt: float) -> None:
        self.dt = dt
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.shapes: dict[str, Shape] = {}

    def neuron(self, population: Population) -> Array | None:
        """Add the node of `population`; the constant that its input has to bring, if any."""
        neuron, shape = population.neuron, self.shapes[population.name]

        def spread(values: Any) -> Array:
            full = np.broadcast_to(np.asarray(values, np.float64), population.shape)
            return np.ascontiguousarray(full).reshape(shape)

        if not isinstance(neuron, LIF | CubaLIF | LI | CubaLI):
            raise ExportError(population.name, f"NIR has no '{neuron.kind}' neuron")
        bias = spread(population.bias) if np.any(population.bias) else None
        decay = spread(neuron.decay)
        if np.any(decay < 0):
            raise ExportError(population.name, f"NIR has no decay below 0, its own is "
                              f"{decay.min():g}")
        rate = 1 - decay
        fires: dict[str, Any] = {}
        if isinstance(neuron, LIF | CubaLIF):
            fires = {"v_threshold": spread(neuron.threshold), "v_reset": np.zeros(shape)}
        whole = isinstance(neuron, LIF | LI) and np.all(rate == 0)
        if np.any(rate == 0) and not whole:
            raise ExportError(population.name, "NIR has no neuron without leak among others of its "
                              "layer or behind a synaptic current")
        node: Any
        if whole:
            node = nir.IF(r=np.ones(shape), **fires) if fires else nir.I(r=np.ones(shape))
        elif isinstance(neuron, LIF | LI):
            leak = np.zeros(shape) if bias is None else bias / rate
            kind = nir.LIF if fires else nir.LI
            node, bias = kind(tau=self.dt / rate, r=1 / rate, v_leak=leak, **fires), None
        else:
            current = 1 - spread(neuron.current_decay)
            if np.any(current == 0):
                raise ExportError(population.name, "NIR has no synaptic current without decay")
            cuba = nir.CubaLIF if fires else nir.CubaLI
            node = cuba(tau_syn=self.dt / current, tau_mem=self.dt / rate, r=1 / rate,
                        v_leak=spread(neuron.v_bias) / rate, w_in=1 / current, **fires)
        node.metadata = annotations_of(neuron)
        self.nodes[population.name] = node
        return bias

    def connect(self, projection: Projection, bias: Array | None) -> None:
        """Add the nodes of a projection and its edges; `bias` comes with its last map."""
        at, shape = projection.source, self.shapes[projection.source]
        links = _links(projection.map)
        biases, left = _biases(links, bias)
        added = []
        for link, constant in zip(links, biases, strict=True):
            made, shape = self._map(projection.name, link, shape, constant)
            made[-1].metadata = annotations_of_map(link)
            added += made
        if left is not None:
            added.append(_constant(projection.name, left, shape))
        if projection.delay:
            added.append(nir.Delay(np.full(shape, projection.delay * self.dt)))
        for node in added:
            name = f"{projection.source}_{projection.target}_{len(self.nodes)}"
            self.nodes[name] = node
            self.edges.append((at, name))
            at = name
        self.edges.append((at, projection.target))

    def _map(
        self, where: str, link: LinearMap, shape: Shape, bias: Array | None
    ) -> tuple[list[Any], Shape]:
        """The nodes of one map, and the shape behind them."""
        if isinstance(link, Scale):
            factor = np.broadcast_to(link.factor, link.in_shape).reshape(shape)
            return [nir.Scale(np.ascontiguousarray(factor, np.float64))], shape
        if isinstance(link, Conv):
            return self._convolution(where, link, shape, bias)
        weight = link.weight if isinstance(link, Dense) else _matrix(where, link)
        flat = [nir.Flatten({"input": np.array(shape)}, 0, -1)] if len(shape) > 1 else []
        node = nir.Linear(weight) if bias is None else nir.Affine(weight, bias.reshape(-1))
        return [*flat, node], (len(weight),)

    def _convolution(
        self, where: str, link: Conv, shape: Shape, bias: Array | None
    ) -> tuple[list[Any], Shape]:
        line = len(shape) == 2 and link.in_shape == (shape[0], 1, shape[1])
        if shape != link.in_shape and not line:
            raise ExportError(where, f"NIR has no reshape from {shape} to {link.in_shape}")
        out = link.out_shape
        channels = np.zeros(out[0])
        if bias is not None:
            planes = bias.reshape(out[0], -1)
            if np.any(planes != planes[:, :1]):
                raise ExportError(
                    where, "NIR has no convolution whose bias differs within a channel")
            channels = planes[:, 0]
        if line:
            return [nir.Conv1d(
                shape[1], link.weight[:, :, 0], link.stride[1], link.padding[1], link.dilation[1],
                link.groups, channels)], (out[0], out[2])
        return [nir.Conv2d((shape[1], shape[2]), link.weight, link.stride, link.padding,
                           link.dilation, link.groups, channels)], out


def _links(linear: LinearMap) -> tuple[LinearMap, ...]:
    return linear.maps if isinstance(linear, Chain) else (linear,)


def _biases(
    links: tuple[LinearMap, ...], bias: Array | None
) -> tuple[list[Array | None], Array | None]:
    """`bias` behind all `links` as one of the last of them that can bring one, or as it was."""
    placed: list[Array | None] = [None] * len(links)
    whole = bias
    for position in range(len(links) - 1, -1, -1):
        link = links[position]
        if bias is None:
            break
        if not isinstance(link, Scale):
            placed[position], bias = bias, None
        elif np.all(link.factor != 0):
            bias = bias.reshape(link.in_shape) / link.factor
        else:
            break
    return placed, None if bias is None else whole


def _constant(where: str, bias: Array, shape: Shape) -> Any:
    """A node that passes on what arrives, plus `bias`."""
    if len(shape) == 1 and shape[0] ** 2 <= MAX_DENSE:
        return nir.Affine(np.eye(shape[0]), bias.reshape(-1))
    channels = bias.reshape(shape[0], -1)
    if len(shape) != 3 or np.any(channels != channels[:, :1]):
        raise ExportError(where, "NIR has no place for its bias")
    return nir.Conv2d((shape[1], shape[2]), np.ones((shape[0], 1, 1, 1)), (1, 1), (0, 0), (1, 1),
                      shape[0], channels[:, 0])


def _matrix(where: str, link: LinearMap) -> Array:
    if not isinstance(link, Sparse) or prod(link.in_shape) * prod(link.out_shape) > MAX_DENSE:
        raise ExportError(where, "NIR has no sparse weights, and these are too many for a matrix")
    return np.ascontiguousarray(link.matrix().toarray().T)
