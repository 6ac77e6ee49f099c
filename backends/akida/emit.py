"""A compiled network as the layers that BrainChip's akida package builds."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt, prod
from pathlib import Path

import numpy as np
from nmcompile_backends.akida import limits
from nmcompile_backends.akida.akida_script import write_akida
from nmcompile_backends.akida.arithmetic import STEP_UNIT, AkidaNeuron
from nmcompile_backends.akida.geometry import geometry, spread
from nmcompile_backends.akida.layer import AkidaLayer, Kind, Pooling, Shape

from nmcompile.errors import ChipLayerError
from nmcompile.ir import Network, Population
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program

IDENTITY = ".identity"


def write(program: Program, folder: Path) -> dict[str, str]:
    """Write the layers, and the script that builds and runs them."""
    network = program.network
    layers, bits = layers_of(network), network.inputs[0].format.payload_bits
    assert bits is not None
    write_akida(layers, bits - 1, folder)
    added = [layer.name for layer in layers if layer.name.endswith(IDENTITY)]
    told = (f"; {', '.join(added)} is a 1 x 1 convolution that sends what it gets, for AKD1000 "
            "maps no max pooling ahead of a fully connected layer" if added else "")
    return {
        "akida_model.py": "builds the layers with BrainChip's akida package, and runs them",
        "akida_layers.json": f"types and arguments of the layers{told}",
        "akida_layers.npz": "weights, thresholds and steps of the layers",
    }


def layers_of(network: Network) -> tuple[AkidaLayer, ...]:
    """The layers of a network in integers, in their order, named after what they send."""
    layers = list[AkidaLayer]()
    shape = _picture(network)
    for group in _groups(network):
        layer = _layer(network, group, shape)
        pooled = bool(layers) and layers[-1].pooling is Pooling.MAX
        if pooled and layer.kind is Kind.FULLY_CONNECTED and not layers[-1].neuron.at_input:
            layers.append(_identity(layers[-1]))
        layers.append(layer)
        shape = layer.out_shape
        if prod(shape) != group[-1].size:
            raise ChipLayerError(layer.name, f"Akida's layer sends {shape}, the population "
                                 f"{group[-1].shape}", "Report it with the model.")
    for layer in layers:
        layer.verify()
    return tuple(layers)


def _groups(network: Network) -> list[list[Population]]:
    """The populations of each layer: of its depthwise part, its sums and its pooling."""
    groups, held = list[list[Population]](), list[Population]()
    following = (*network.populations[1:], None)
    for population, after in zip(network.populations, following, strict=True):
        held.append(population)
        sums = _neuron(population).sends and not _neuron(population).activation
        if after is None or not (_pools(network, after)
                                 or (sums and not _pools(network, population))):
            groups.append(held)
            held = []
    return groups


def _layer(network: Network, group: list[Population], in_shape: Shape) -> AkidaLayer:
    last = group[-1]
    parts = [p for p in group if not _pools(network, p)]
    links = [network.incoming(p.name)[0] for p in parts]
    main, form = links[-1].map, links[-1].format
    assert form is not None
    pool = _neuron(last) if _pools(network, last) and _neuron(last).pool > 1 else None
    neuron = _neuron(last if pool is not None and pool.adds else parts[-1])
    neuron = replace(
        neuron, pool=1 if pool is None else pool.pool,
        adds=isinstance(main, Dense) or (pool is not None and pool.adds),
        threshold=_by_filter(neuron.threshold, parts[-1], last),
        act_step=_by_filter(neuron.act_step, parts[-1], last))
    layer = AkidaLayer(name=last.name, kind=Kind.FULLY_CONNECTED, in_shape=in_shape,
                       weight=main.weights(), weight_bits=form.bits, neuron=neuron)
    if isinstance(main, Dense):
        return replace(layer, weight=main.weight)
    assert isinstance(main, Conv)
    return _pooled(_convolution(layer, main, links[0].map if len(links) > 1 else None), last.shape)


def _convolution(layer: AkidaLayer, main: Conv, depthwise: object) -> AkidaLayer:
    """`layer` with its kernels in akida's geometry."""
    at_input = layer.neuron.at_input
    if isinstance(depthwise, Conv):
        found = geometry(depthwise, limits.SEPARABLE_WAYS)
        assert found is not None
        return replace(layer, kind=Kind.SEPARABLE, weight=spread(depthwise, found),
                       pointwise=main.weight[:, :, 0, 0], stride=found.stride)
    found = geometry(main, limits.INPUT_WAYS if at_input else limits.WAYS, valid=at_input)
    assert found is not None
    return replace(
        layer, kind=Kind.INPUT_CONVOLUTIONAL if at_input else Kind.CONVOLUTIONAL,
        weight=spread(main, found), stride=found.stride, same=found.same)


def _pooled(layer: AkidaLayer, out_shape: Shape) -> AkidaLayer:
    """`layer` with the pooling that leads to `out_shape`."""
    if layer.neuron.pool == 1:
        return layer
    if layer.neuron.adds:
        return replace(layer, pooling=Pooling.AVERAGE)
    strides = (replace(layer, pooling=Pooling.MAX, pool_size=isqrt(layer.neuron.pool),
                       pool_stride=stride) for stride in (1, 2))
    return next(made for made in strides if made.out_shape == out_shape or made.pool_stride > 1)


def _identity(before: AkidaLayer) -> AkidaLayer:
    """A layer that sends what `before` sends."""
    channels, bits = before.out_shape[0], before.neuron.act_bits
    neuron = AkidaNeuron(
        threshold=np.zeros((), np.int32), act_step=np.full((), STEP_UNIT >> (4 - bits), np.int32),
        act_bits=bits)
    return AkidaLayer(
        name=f"{before.name}{IDENTITY}", kind=Kind.CONVOLUTIONAL, in_shape=before.out_shape,
        weight=np.eye(channels, dtype=np.int8)[:, :, None, None], weight_bits=limits.IDENTITY_BITS,
        neuron=neuron)


def _by_filter(values: Array, population: Population, last: Population) -> Array:
    """Registers of each filter, (filters, 1, 1), of those of `population` or `last`."""
    shape = population.shape if np.broadcast_shapes(
        values.shape, population.shape) == population.shape else last.shape
    full = np.broadcast_to(values, shape).reshape(shape[0], -1)
    assert np.all(full == full[:, :1])
    return np.ascontiguousarray(full[:, :1, None])


def _neuron(population: Population) -> AkidaNeuron:
    assert isinstance(population.neuron, AkidaNeuron)
    return population.neuron


def _pools(network: Network, population: Population) -> bool:
    """Whether a population only pools what the one before it sends."""
    return not isinstance(network.incoming(population.name)[0].map, Conv | Dense)


def _picture(network: Network) -> Shape:
    """The input as (channels, rows, columns)."""
    port = network.inputs[0]
    first = network.outgoing(port.name)[0].map
    if isinstance(first, Conv):
        return first.in_shape
    return (*port.shape, *(1,) * (3 - len(port.shape)))
