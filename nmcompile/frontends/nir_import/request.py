"""From a NIR graph to a network in discrete time."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import nir
import numpy as np

from nmcompile.errors import DamagedFileError, NetworkError, ParameterError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.nir_import.annotations import annotated
from nmcompile.frontends.nir_import.graph import Graph, Signal, flat_graph
from nmcompile.frontends.nir_import.neurons import NEURONS, SPIKING, discretise
from nmcompile.frontends.nir_import.read import LARGEST, read_graph, require_numbers
from nmcompile.frontends.port_sample import port_sample
from nmcompile.ir import Input, Network, Output, Population, Projection, verify
from nmcompile.ir.filters import with_filters
from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.neurons import LI
from nmcompile.ir.neurons.base import Array

SHORTEST = 1e-12  # s
DT = 1e-4  # s; snnTorch's and Norse's exporters and the NIR paper (Pedersen et al. 2024)


def load_request(request: Request) -> Traced:
    """The network of a NIR file or graph, and the sample or random spikes as its input."""
    graph: Any = request.model if request.path is None else read_graph(request.path)
    require_numbers(graph)
    network = network_of(graph)
    values, note = port_sample(request, network.inputs)
    return Traced(network=replace(network, notes=(*network.notes, *note)), inputs=values,
                  expected={})


def network_of(graph: nir.NIRGraph) -> Network:
    """`graph` as a network: populations for its neurons, chains of maps between them.

    A connection that closes a loop gets a delay of one step: its spikes arrive in the next.
    """
    flat, (dt, note) = flat_graph(graph), _dt(graph)
    inputs = [name for name, node in flat.nodes.items()
              if isinstance(node, nir.Input) and not flat.before[name]]
    neurons = [name for name, node in flat.nodes.items() if isinstance(node, NEURONS)]
    signals = {name: flat.arriving(name, dt) for name in neurons}
    parts = {name: _population(name, flat, signals[name], dt) for name in neurons}
    outputs, readouts = _outputs(flat, dt)
    for name, signal in readouts.items():
        signals[name], parts[name] = signal, _readout(name, signal)
    backward = _closing(inputs, signals)
    projections = tuple(
        Projection(source=source, target=name, map=_map(maps, parts, source, flat, dt),
                   delay=max(delay, int((source, name) in backward)))
        for name in parts for source, delay, maps in _paths(name, signals[name], parts)
    )
    network = Network(
        inputs=tuple(Input(name=name, shape=flat.shape(name, dt)) for name in inputs),
        populations=tuple(part for part, _ in parts.values()), projections=projections,
        outputs=outputs, dt=dt, notes=(note, *_of_resets(flat)),
    )
    return verify(with_filters(network))


def _of_resets(flat: Graph) -> tuple[str, ...]:
    """What to say of resets where no node's metadata tells them."""
    told = any(isinstance(node.metadata, dict) and "reset" in node.metadata
               for node in flat.nodes.values())
    return () if told else ("NIR has no soft reset: spikes reset to v_reset",)


Part = tuple[Population, Array | None]  # a population and the gain of what arrives at it


def _population(name: str, flat: Graph, signal: Signal, dt: float) -> Part:
    shape = flat.shape(name, dt)
    if prod(shape) != prod(signal.shape):
        raise ParameterError(name, f"its parameters have shape {shape}, its input {signal.shape}")
    found = discretise(name, flat.nodes[name], dt)
    gain = np.broadcast_to(found.gain, shape)
    bias = signal.bias.reshape(shape) * gain + np.broadcast_to(found.bias, shape)
    constant = bias.astype(np.float32) if np.any(bias) else np.zeros((), np.float32)
    neuron = annotated(name, found.neuron, flat.nodes[name].metadata)
    population = Population(name=name, shape=shape, neuron=neuron, bias=constant)
    return population, None if np.all(gain == 1) else gain.astype(np.float32)


def _readout(name: str, signal: Signal) -> Part:
    """A population without memory for what the graph gives without a neuron."""
    neuron = LI(decay=np.zeros((), np.float32))
    bias = signal.bias.reshape(signal.shape).astype(np.float32)
    return Population(name=name, shape=signal.shape, neuron=neuron, bias=bias), None


def _paths(
    name: str, signal: Signal, parts: dict[str, Part]
) -> list[tuple[str, int, tuple[LinearMap, ...]]]:
    population, gain = parts[name]
    last = () if gain is None else (Scale(factor=gain, in_shape=population.shape),)
    return [(source, delay, (*maps, *last)) for source, delay, maps in signal.paths]


def _map(
    maps: tuple[LinearMap, ...], parts: dict[str, Part], source: str, flat: Graph, dt: float
) -> LinearMap:
    if maps:
        return maps[0] if len(maps) == 1 else Chain(maps=maps)
    shape = parts[source][0].shape if source in parts else flat.shape(source, dt)
    return Scale(factor=np.ones((), np.float32), in_shape=shape)


def _outputs(flat: Graph, dt: float) -> tuple[tuple[Output, ...], dict[str, Signal]]:
    """Output ports, and the signals that leave the graph without passing a neuron."""
    outputs, readouts = [], {}
    after = {source for sources in flat.before.values() for source in sources}
    ends = [name for name, node in flat.nodes.items()
            if isinstance(node, nir.Output) and name not in after]
    for name in sorted(ends, key=lambda name: (_position(flat.nodes[name]), name)):
        signal = flat.arriving(name, dt)
        direct = [source for source, _, maps in signal.paths
                  if not maps and isinstance(flat.nodes[source], NEURONS)]
        if len(direct) == len(signal.paths):
            outputs += [_output(flat, name, source) for source in direct]
        else:
            readouts[f"{name}_sum"] = signal
            outputs.append(Output(name=name, population=f"{name}_sum", variable="v"))
    if not outputs:
        raise NetworkError("NIR graph", "it has no Output node that is connected to something")
    return tuple(outputs), readouts


def _position(node: nir.Output) -> float:
    """Where an output stands among the others, if its metadata says."""
    said = np.asarray(node.metadata.get("position", 0) if isinstance(node.metadata, dict) else 0)
    return float(said.reshape(-1)[0]) if said.size == 1 and said.dtype.kind in "iu" else 0.0


def _output(flat: Graph, name: str, source: str) -> Output:
    metadata = flat.nodes[name].metadata
    of_membrane = isinstance(metadata, dict) and str(metadata.get("variable", "")) == "v"
    spiking = isinstance(flat.nodes[source], SPIKING) and not of_membrane
    return Output(name=name, population=source, variable="spikes" if spiking else "v",
                  weights=_listed(name, metadata, "weights"),
                  offset=_listed(name, metadata, "offset"))


def _listed(name: str, metadata: object, field: str) -> tuple[float, ...]:
    """Numbers of an output's metadata, none where it has none."""
    found = np.asarray(metadata.get(field, ()) if isinstance(metadata, dict) else ())
    if found.size and (found.ndim != 1 or found.dtype.kind not in "iuf"
                       or not np.all(np.abs(found) <= LARGEST)):
        raise DamagedFileError(name, f"its metadata says no {field} of use")
    return tuple(map(float, found))


def _closing(inputs: list[str], signals: dict[str, Signal]) -> set[tuple[str, str]]:
    """Connections without delay that close a loop, met depth first from the inputs."""
    after: dict[str, list[str]] = {}
    for target, signal in signals.items():
        for source, delay, _ in signal.paths:
            if delay == 0:
                after.setdefault(source, []).append(target)
    closing: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in (*inputs, *sorted(signals)):
        if root not in done:
            closing |= _closing_from(root, after, done)
    return closing


def _closing_from(
    root: str, after: dict[str, list[str]], done: set[str]
) -> set[tuple[str, str]]:
    """Edges back to an open node, in a depth-first walk from `root`; adds to `done`."""
    closing = set()
    open_nodes = {root: sorted(after.get(root, ()))}
    while open_nodes:
        name, rest = next(reversed(open_nodes.items()))
        if not rest:
            done.add(name)
            del open_nodes[name]
        elif (target := rest.pop(0)) in open_nodes:
            closing.add((name, target))
        elif target not in done:
            open_nodes[target] = sorted(after.get(target, ()))
    return closing


def _dt(graph: nir.NIRGraph) -> tuple[float, str]:
    found = (graph.metadata or {}).get("dt")
    if found is None:
        return DT, f"NIR has no time step: dt = {DT:g} s, the exporters' value; forward Euler"
    said = np.asarray(found)
    dt = float(said.flat[0]) if said.size == 1 and said.dtype.kind in "fiu" else 0.0
    if not SHORTEST <= dt < 1:
        raise ParameterError(
            "NIR graph", f"its metadata does not say a dt of {SHORTEST:g} to 1 s",
            "Write the time step in seconds into its metadata as 'dt'.")
    return dt, f"dt = {dt:g} s from the graph's metadata; forward Euler"
