"""What NeuroBench counts of a model, counted on its network in real numbers.

Definitions are those of NeuroBench 2.3 (Yik et al., Nature Communications 16, 1545, 2025, "The
neurobench framework"), checked against its own harness in tests/oracles/test_neurobench.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nmcompile.ir import Network, Population, Projection, Trace, run
from nmcompile.ir.maps import Conv, LinearMap, Scale
from nmcompile.ir.neurons import Activation
from nmcompile.ir.neurons.base import Array
from nmcompile.report.structure import links

PARAMETER_BYTES = 4  # float32, as torch stores what it trains
Counts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Synaptic operations of a run, all samples and steps together.

    macs   products of a weight that is not 0 with a value that is not 0, of steps in which some
           sample's value is neither 0 nor 1 nor -1; all others are additions:
    acs    the same of the other steps
    dense  what a program does that skips no 0
    """

    macs: int = 0
    acs: int = 0
    dense: int = 0

    def __add__(self, other: Operations) -> Operations:
        return Operations(macs=self.macs + other.macs, acs=self.acs + other.acs,
                          dense=self.dense + other.dense)


def real_counts(network: Network, inputs: dict[str, Array]) -> Counts:
    """The counts of `network` on `inputs`, a sample's share of each.

    network  as it was traced: a layer of the model is then one link of a map. Of a network whose
             maps are composed, the counts are those of the composed maps
    inputs   name -> (samples, steps, *shape), as in `ir.run`

    parameters           weights of layers, factors and biases; footprint_bytes are 4 of each
    connections          weights of layers, a kernel's at every place at which it is used
    connection_sparsity  share of the weights of layers that are 0
    activation_sparsity  share of 0 in what neurons send, all layers, steps and samples
    effective_macs, effective_acs, dense  see `Operations`
    membrane_updates     neurons whose membrane differs from that of the step before; all in the
                         first step
    steps                of a sample
    layers               the same of each population and what leads to it
    """
    trace = run(network, inputs)
    samples, steps = next(iter(inputs.values())).shape[:2]
    layers = [_layer(network, p, inputs, trace) for p in network.populations]
    weights = [link.weights() for p in network.projections for link in layers_of(p.map)]
    size = sum(w.size for w in weights)
    zeros = size - sum(int(np.count_nonzero(w)) for w in weights)
    parameters = sum(p.map.weights().size - _pooled(p.map) for p in network.projections) + sum(
        _biases(p) for p in network.populations)
    senders = [layer for layer in layers if layer["sent"] is not None]
    silent = sum(layer["silent"] for layer in senders)
    sent = sum(layer["sent"] for layer in senders)
    return {
        "samples": samples,
        "steps": float(steps),
        "neurons": sum(p.size for p in network.populations),
        "states": sum(p.size for p in network.populations if has_membrane(p)),
        "parameters": parameters,
        "footprint_bytes": PARAMETER_BYTES * parameters,
        "connections": sum(layer["connections"] for layer in layers),
        "connection_sparsity": zeros / size if size else 0.0,
        "activation_sparsity": silent / sent if sent else None,
        **{name: sum(layer[name] for layer in layers) / samples for name in PER_SAMPLE},
        "layers": [_told(layer, samples) for layer in layers],
    }


PER_SAMPLE = ("effective_macs", "effective_acs", "dense", "membrane_updates")


def _told(layer: Counts, samples: int) -> Counts:
    sparsity = None if layer["sent"] is None else layer["silent"] / layer["sent"]
    return {"name": layer["name"], "connections": layer["connections"],
            "activation_sparsity": sparsity,
            **{name: layer[name] / samples for name in PER_SAMPLE}}


def _layer(
    network: Network, population: Population, inputs: dict[str, Array], trace: Trace
) -> Counts:
    """Counts of a population and of what leads to it, all samples together."""
    incoming = network.incoming(population.name)
    found = sum((operations(p, _sent(p, inputs, trace)) for p in incoming), Operations())
    spikes = trace.spikes(population.name) if sends(population) else None
    return {
        "name": population.name,
        "connections": sum(connections(p.map) for p in incoming),
        "sent": None if spikes is None else spikes.size,
        "silent": None if spikes is None else spikes.size - int(np.count_nonzero(spikes)),
        "effective_macs": found.macs, "effective_acs": found.acs, "dense": found.dense,
        "membrane_updates": _updates(population, trace),
    }


def sends(population: Population) -> bool:
    """Whether a population is a layer of activations: not a readout, nor a sum handed on."""
    neuron = population.neuron
    return neuron.spiking and not (isinstance(neuron, Activation) and neuron.is_identity())


def has_membrane(population: Population) -> bool:
    """Whether the neurons of a population keep a membrane from step to step."""
    neuron = population.neuron
    return ("v" in neuron.state_names and not isinstance(neuron, Activation)
            and bool(np.any(getattr(neuron, "decay", 1))))


def _updates(population: Population, trace: Trace) -> int:
    if not has_membrane(population):
        return 0
    v = trace.records[population.name]["v"]
    return v[:, 0].size + int(np.count_nonzero(v[:, 1:] != v[:, :-1]))


def _sent(projection: Projection, inputs: dict[str, Array], trace: Trace) -> Array:
    """(samples, steps, n) what reaches the map of `projection` in each step; 0 before anything."""
    source = inputs[projection.source] if projection.source in inputs else trace.spikes(
        projection.source)
    samples, steps = source.shape[:2]
    flat = source.reshape(samples, steps, -1)
    taken = projection.taken(flat.reshape(samples * steps, -1)).reshape(samples, steps, -1)
    if projection.delay == 0:
        return taken
    late = np.zeros_like(taken)
    late[:, projection.delay:] = taken[:, : max(0, steps - projection.delay)]
    return late


def operations(projection: Projection, values: Array) -> Operations:
    """What the layers of a projection do with `values` (samples, steps, n)."""
    samples, steps = values.shape[:2]
    chain, found = links(projection.map), Operations()
    for place, link in enumerate(chain):
        if is_layer(link):
            found += _of_link(link, values)
        if any(map(is_layer, chain[place + 1 :])):
            values = link.apply(values.reshape(samples * steps, -1)).reshape(samples, steps, -1)
    return found


def _of_link(link: LinearMap, values: Array) -> Operations:
    """Since a map is linear, what its ones make of the numbers of values that are not 0."""
    real = np.any((values != 0) & (np.abs(values) != 1), axis=(0, 2))
    active = np.count_nonzero(values, axis=0)
    each = link.with_weights((link.weights() != 0).astype(np.float64))
    macs, acs = (int(each.apply(active[chosen].sum(axis=0, dtype=np.float64)[None]).sum())
                 for chosen in (real, ~real))
    return Operations(macs=macs, acs=acs, dense=prod(values.shape[:2]) * _connections(link))


def connections(linear: LinearMap) -> int:
    """Weights of the layers of a map, a kernel's at every place at which it is used."""
    return sum(map(_connections, layers_of(linear)))


def _connections(link: LinearMap) -> int:
    ones = link.with_weights(np.ones(link.weights().size))
    return int(ones.apply(np.ones((1, prod(link.in_shape)))).sum())


def layers_of(linear: LinearMap) -> Iterator[LinearMap]:
    """The links of a map that NeuroBench counts: not the factors of norms, nor pooling."""
    return (link for link in links(linear) if is_layer(link))


def is_layer(link: LinearMap) -> bool:
    """Whether a link has weights of its own for its connections."""
    return not isinstance(link, Scale) and not is_pool(link)


def is_pool(link: LinearMap) -> bool:
    """Whether a link adds up each channel by itself with one weight for all, as pooling does."""
    return (isinstance(link, Conv) and link.groups == link.in_shape[0] == len(link.weight)
            and prod(link.weight.shape[2:]) > 1
            and bool(np.all(link.weight == link.weight.flat[0])))


def _pooled(linear: LinearMap) -> int:
    return sum(link.weights().size for link in links(linear) if is_pool(link))


def _biases(population: Population) -> int:
    """Biases of a layer: one for a channel where all of its places have the same."""
    bias = population.bias
    if not np.any(bias):
        return 0
    whole = np.broadcast_to(bias, population.current_shape)
    if whole.ndim == 3 and np.all(whole == whole[:, :1, :1]):
        return len(whole)
    return int(whole.size)
