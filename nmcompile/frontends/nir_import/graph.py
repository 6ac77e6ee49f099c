"""The nodes and edges of a NIR graph, subgraphs opened, and the signals between its neurons."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import nir
import numpy as np
import scipy.sparse

from nmcompile.errors import ModelSizeError, NetworkError, ParameterError, UnsupportedLayerError
from nmcompile.frontends.nir_import.maps import Shape, require_size, step_of
from nmcompile.frontends.nir_import.neurons import NEURONS
from nmcompile.ir.maps import Dense, LinearMap, Scale, from_matrix
from nmcompile.ir.neurons.base import Array

MAX_CHAIN = 100  # nodes from one neuron to the next
MAX_PATHS = 4096  # from neurons and inputs to one node
SUPPORTED = ("Affine, Linear, Scale, Conv1d, Conv2d, SumPool2d, AvgPool2d, Flatten, Delay, "
             "Threshold, IF, I, LIF, LI, CubaLIF, CubaLI and subgraphs of them are supported.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """What arrives at a node: paths (source, delay in steps, maps) and a constant, flat."""

    shape: Shape
    paths: tuple[tuple[str, int, tuple[LinearMap, ...]], ...]
    bias: Array


@dataclass(eq=False)
class Graph:
    """A flat NIR graph: name -> node, and the names before each node, sorted."""

    nodes: dict[str, Any] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)
    _signals: dict[str, Signal] = field(default_factory=dict)

    def arriving(self, name: str, dt: float, trail: tuple[str, ...] = ()) -> Signal:
        """The sum of what the nodes before `name` send to it."""
        if len(trail) > MAX_CHAIN:
            raise ModelSizeError(
                name, f"more than {MAX_CHAIN} nodes stand in a row without a neuron")
        signals = [self._leaving(source, dt, (*trail, name)) for source in self.before[name]]
        if not signals:
            raise NetworkError(name, "nothing is connected to it")
        if len({signal.bias.size for signal in signals}) > 1:
            raise NetworkError(name, "its inputs have shapes "
                               + ", ".join(str(s.shape) for s in signals))
        if sum(len(signal.paths) for signal in signals) > MAX_PATHS:
            raise ModelSizeError(name, f"more than {MAX_PATHS:,} paths without a neuron lead to it")
        return Signal(shape=signals[0].shape, bias=sum((s.bias for s in signals[1:]),
                                                       signals[0].bias),
                      paths=tuple(path for signal in signals for path in signal.paths))

    def _leaving(self, name: str, dt: float, trail: tuple[str, ...]) -> Signal:
        if name not in self._signals:
            self._signals[name] = self._computed(name, dt, trail)
        return self._signals[name]

    def _computed(self, name: str, dt: float, trail: tuple[str, ...]) -> Signal:
        node = self.nodes[name]
        if isinstance(node, NEURONS) or not self.before[name]:
            shape = self.shape(name, dt, trail)
            return Signal(shape=shape, paths=((name, 0, ()),), bias=np.zeros(int(np.prod(shape))))
        if name in trail:
            raise NetworkError(name, "a loop without a neuron cannot be compiled")
        signal = self.arriving(name, dt, trail)
        step = step_of(name, node, signal.shape)
        if step is None:
            raise UnsupportedLayerError(
                name, f"a NIR {type(node).__name__} cannot be compiled", SUPPORTED)
        require_size(name, step.shape)
        if isinstance(node, nir.Delay):
            return _delayed(name, node, dt, signal)
        links = () if step.map is None else (step.map,)
        if step.map is not None:
            step.map.verify(name)
        bias = signal.bias if step.map is None else step.map.apply(signal.bias[None])[0]
        return Signal(
            shape=step.shape, bias=bias if step.bias is None else bias + step.bias,
            paths=tuple((source, lag, (*maps, *links))
                        for source, lag, maps in signal.paths),
        )

    def shape(self, name: str, dt: float, trail: tuple[str, ...] = ()) -> Shape:
        """Shape of a neuron or an input; a neuron of scalar parameters has its input's."""
        node = self.nodes[name]
        if isinstance(node, nir.Input):
            return _declared_shape(name, node)
        own = tuple(np.shape(node.threshold if isinstance(node, nir.Threshold) else node.r))
        if int(np.prod(own)) > 1 or name in trail:
            return own or (1,)
        for source in self.before[name]:
            if source not in trail:
                return self._leaving(source, dt, (*trail, name)).shape
        return own or (1,)


def _declared_shape(name: str, node: nir.Input) -> Shape:
    extents = np.atleast_1d(next(iter((node.input_type or {}).values()), ()))
    if extents.ndim != 1 or extents.dtype.kind not in "iuf" or np.any(extents % 1 != 0):
        raise ParameterError(name, "its shape is no list of whole numbers")
    shape = tuple(int(extent) for extent in extents)
    require_size(name, shape)
    return shape


def flat_graph(graph: nir.NIRGraph) -> Graph:
    """`graph` with the nodes of its subgraphs under their path, "rnn.lif"."""
    flat = Graph()
    _add(flat, graph, "")
    for name in flat.nodes:
        flat.before[name] = sorted(set(flat.before.get(name, [])))
    return flat


def _add(flat: Graph, graph: nir.NIRGraph, prefix: str) -> None:
    for name, node in sorted(graph.nodes.items()):
        if isinstance(node, nir.NIRGraph):
            _add(flat, node, f"{prefix}{name}.")
        else:
            flat.nodes[prefix + name] = node
    for source, target in graph.edges:
        if not {source, target} <= set(graph.nodes):
            raise NetworkError(prefix.rstrip(".") or "NIR graph",
                               f"its edge {source} -> {target} has an end that does not exist")
        start = _end(graph, source, prefix, nir.Output)
        end = _end(graph, target, prefix, nir.Input)
        flat.before.setdefault(end, []).append(start)


def _end(graph: nir.NIRGraph, name: str, prefix: str, port: type) -> str:
    """The flat name of an edge's end; of a subgraph, that of its one port."""
    if name not in graph.nodes:
        raise NetworkError(
            prefix + name, "an edge of the graph ends at this node, which is missing")
    node = graph.nodes[name]
    if not isinstance(node, nir.NIRGraph):
        return prefix + name
    ports = [inner for inner, part in node.nodes.items() if isinstance(part, port)]
    if len(ports) != 1:
        raise UnsupportedLayerError(
            prefix + name, f"a subgraph with {len(ports)} {port.__name__} nodes cannot "
            "be compiled")
    return f"{prefix}{name}.{ports[0]}"


def _delayed(name: str, node: nir.Delay, dt: float, signal: Signal) -> Signal:
    """`signal` later: one path for each delay that there is, over the elements that have it."""
    steps = np.asarray(node.delay, np.float64) / dt
    whole = np.rint(steps)
    if np.any(np.abs(steps - whole) > 1e-3) or np.any(whole < 0):
        raise UnsupportedLayerError(
            name, f"delays of {steps.min():g} to {steps.max():g} steps of {dt:g} s "
            "cannot be compiled", "Use whole numbers of steps.")
    different = np.unique(whole)
    if len(different) == 1:
        return replace(signal, paths=tuple((source, lag + int(different[0]), maps)
                                           for source, lag, maps in signal.paths))
    if whole.size != signal.bias.size or len(different) * len(signal.paths) > MAX_PATHS:
        raise ParameterError(
            name, f"{whole.size} delays of {len(different)} lengths do not fit its "
            f"input {signal.shape}")
    paths = []
    for delay in different:
        kept = (whole == delay).reshape(-1)
        paths += [(source, lag + int(delay), _only(maps, kept, signal.shape))
                  for source, lag, maps in signal.paths]
    return replace(signal, paths=tuple(paths))


def _only(maps: tuple[LinearMap, ...], kept: Array, shape: Shape) -> tuple[LinearMap, ...]:
    """`maps` to the elements that are `kept` alone; of a matrix, their synapses alone."""
    if not maps or not isinstance(maps[-1], Dense):
        return (*maps, Scale(factor=kept.astype(np.float32).reshape(shape), in_shape=shape))
    dense, rows = maps[-1], np.flatnonzero(kept)
    weight = dense.weight[rows]
    targets, sources = np.nonzero(weight)
    synapses = scipy.sparse.coo_array((weight[targets, sources], (sources, rows[targets])),
                                      shape=dense.weight.T.shape)
    return (*maps[:-1], from_matrix(synapses, dense.in_shape, dense.out_shape))
