"""The network as lava-dl's exchange file, which netx (`lava.lib.dl.netx.hdf5`) loads.

The reader's rules, from lava-dl 0.6.0 (netx/hdf5.py, utils.py, blocks/process.py): layers form a
chain and each synapse takes one step; du = iDecay - 1, dv = vDecay; a bias is in units of 2**6;
the weight exponent is ignored. Shapes are (channels, rows, columns) in the file and (x, y, channel)
in Lava; kernels and strides stand as in torch. A `flatten` layer turns (x, y, channel) back into
C-order, which is how our dense weights count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from nmcompile_backends.loihi.arithmetic import STATE_SHIFT, LoihiNeuron
from nmcompile_backends.loihi.start_gates import gated

from nmcompile.ir import Input, Network, Population, Projection
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons import Reset
from nmcompile.ir.neurons.base import Array

NAME = "network.net"
BIAS_LIMIT = 2**12 - 1  # the mantissa of Lava's LIF (lava-nc proc/lif/models.py, `bias_mant`)
NEVER = 2**17  # a threshold above every 24-bit membrane; netx gives it to layers without a neuron
Chain = list[tuple[Projection, Population]]


class NetError(Exception):
    """Why the format cannot hold the network; names the part that it cannot hold."""


def write_net(network: Network, folder: Path) -> dict[str, str]:
    """Write `network.net`, or give the reason why the network cannot be expressed in it."""
    try:
        chain = _chain(network)
        source = network.inputs[0]
        for (projection, population), before in zip(chain, _shapes(source, chain), strict=True):
            _require_map(projection, before)
            _require_kind(population)
        for projection, population in chain:  # other data may lead to other ones
            _require_weights(projection)
            _require_registers(population)
        description = _description(network, chain)
    except NetError as reason:
        return {NAME: f"not written: {reason}"}
    with h5py.File(folder / NAME, "w") as file:
        _write(file.create_group("layer"), source, chain)
    return {NAME: description}


def _chain(network: Network) -> Chain:
    """Projections and populations from the input on, each with the population it ends in."""
    if len(network.inputs) > 1:
        names = ", ".join(port.name for port in network.inputs)
        raise NetError(f"the network has the inputs {names}, a chain of layers has one")
    chain: Chain = []
    name = network.inputs[0].name
    while outgoing := network.outgoing(name):
        if len(outgoing) > 1:
            names = ", ".join(p.target for p in outgoing)
            raise NetError(f"{name} feeds {names}, a layer of a chain feeds one")
        name = outgoing[0].target
        incoming = network.incoming(name)
        if len(incoming) > 1:
            names = ", ".join(p.source for p in incoming)
            raise NetError(f"{name} is fed by {names}, a layer of a chain by one")
        chain.append((outgoing[0], network.population(name)))
    if left := {p.name for p in network.populations} - {p.name for _, p in chain}:
        raise NetError(f"{min(left)} is not fed by {network.inputs[0].name}")
    return chain


def _shapes(source: Input, chain: Chain) -> list[tuple[int, ...]]:
    """The shape in which Lava holds what enters each layer, as (channels, rows, columns)."""
    first = chain[0][0].map if chain else None
    shapes = [first.in_shape if isinstance(first, Conv) else (source.size,)]
    for projection, population in chain:
        linear = projection.map
        shapes.append(linear.out_shape if isinstance(linear, Conv) else (population.size,))
    return shapes[:-1]


def _require_map(projection: Projection, before: tuple[int, ...]) -> None:
    name, linear = projection.name, projection.map
    if projection.delay != 1:
        raise NetError(f"{name} has a delay of {projection.delay} steps, a layer has 1")
    if not isinstance(linear, Dense | Conv):
        raise NetError(f"{name} is a {linear.kind} map, layers are dense or convolutions")
    if isinstance(linear, Conv) and linear.in_shape != before:
        raise NetError(f"{name} reads a dense layer as an image of {linear.in_shape}")


def _require_weights(projection: Projection) -> None:
    weights = _effective(projection)
    if isinstance(projection.map, Dense):
        _require_dense(projection.name, weights)


def _effective(projection: Projection) -> Array:
    """The weights with their exponent applied; the format has none."""
    assert projection.format is not None
    exponent = projection.format.exponent
    weights = projection.map.weights().astype(np.int64)
    if exponent < 0 and np.any(weights % 2**-exponent):
        raise NetError(f"{projection.name} has the weight exponent {exponent}")
    scaled = weights << exponent if exponent >= 0 else weights >> -exponent
    mixed = scaled.min() < 0 < scaled.max()
    low, high = (-256, 254) if mixed else (-255, 255)
    if scaled.min() < low or scaled.max() > high:
        raise NetError(f"{projection.name} has weights {scaled.min()} to {scaled.max()} "
                            f"after its exponent, a layer holds {low} to {high}")
    return scaled.astype(np.int32)


def _require_dense(name: str, weights: Array) -> None:
    """Weights that netx's own search for weight bits would break or alter.

    It divides by the largest weight, and shifts inhibitory weights up to -256, which Lava's
    synapse then clips to -255.
    """
    low, high = int(weights.min()), int(weights.max())
    if low == high == 0:
        raise NetError(f"{name} has only zero weights, which netx cannot scale")
    if high <= 0 and (-low & (-low - 1)) == 0:
        raise NetError(f"{name} is inhibitory down to {low}, which netx shifts to -256 and "
                            "Lava clips to -255")


def _require_kind(population: Population) -> None:
    if not isinstance(population.neuron, LoihiNeuron):
        raise NetError(f"{population.name} is of the kind {population.neuron.kind}, layers are "
                       "CUBA neurons")
    neuron = _neuron(population)
    if not neuron.silent and neuron.reset is not Reset.ZERO:
        raise NetError(f"{population.name} resets by '{neuron.reset.value}', not to zero")
    if not neuron.silent and neuron.inclusive:
        raise NetError(f"{population.name} spikes at its threshold, layers spike above it")
    if not neuron.silent and neuron.refractory != 1:
        raise NetError(f"{population.name} has {neuron.refractory} refractory steps, not 1")


def _require_registers(population: Population) -> None:
    neuron = _neuron(population)
    for field in ("du", "dv", "threshold"):
        values = getattr(neuron, field)
        if values.min() != values.max():
            raise NetError(f"{population.name} has a {field} for each neuron, a layer has one")
    if np.any(neuron.u_init) or np.any(neuron.v_init):
        raise NetError(f"{population.name} begins with a current or a membrane, which a layer "
                       "cannot")
    bias = neuron.bias_mantissa.astype(np.int64) << neuron.bias_exponent
    if np.any(bias % 2**STATE_SHIFT) or np.any(np.abs(bias) >> STATE_SHIFT > BIAS_LIMIT):
        raise NetError(f"{population.name} has a bias that is no multiple of 64 up to "
                            f"{BIAS_LIMIT * 64}")


def _neuron(population: Population) -> LoihiNeuron:
    assert isinstance(population.neuron, LoihiNeuron)
    return population.neuron


def _description(network: Network, chain: Chain) -> str:
    """What the file is, and the arguments of hdf5.Network that make it the same network."""
    arguments, notes = [], []
    bits = network.inputs[0].format.payload_bits
    if bits:
        arguments.append(f"input_message_bits={bits}")
    if held := gated(network):
        starts = [population.start for _, population in chain]
        if np.any(np.diff(starts) != 1):
            raise NetError(f"{held[0]} has a bias and starts in step "
                                f"{network.population(held[0]).start}; layers start one by one")
        arguments += ["reset_interval=(more than the steps run)", f"reset_offset={starts[0]}"]
        notes.append(f"{', '.join(held)}: their biases act before their start unless the resets "
                     "hold them back")
    if isinstance(chain[0][0].map, Conv):
        notes.append("its input port is (x, y, channel)")
    silent = [population.name for _, population in chain if _neuron(population).silent]
    if silent:
        notes.append(f"{', '.join(silent)}: read v, it never fires")
    call = ", ".join(["net_config='network.net'", *arguments])
    return "; ".join([f"lava-dl network, for netx: hdf5.Network({call})", *notes])


def _write(layers: h5py.Group, source: Input, chain: Chain) -> None:
    first = chain[0][0].map
    shape = first.in_shape if isinstance(first, Conv) else (source.size,)
    _put(layers.create_group("0"), {"type": "input", "shape": shape})
    image = isinstance(first, Conv)
    for projection, population in chain:
        dense = isinstance(projection.map, Dense)
        if dense and image:
            flat = {"type": "flatten", "shape": (projection.map.in_shape)}
            _put(layers.create_group(str(len(layers))), flat)
        image = not dense
        group = layers.create_group(str(len(layers)))
        _put(group, _dense(projection) if dense else _conv(projection))
        _put(group, _bias(projection, population))
        _put(group.create_group("neuron"), _compartments(_neuron(population)))


def _put(group: h5py.Group, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        data = np.array([value], "S10") if name == "type" else np.asarray(value)
        group.create_dataset(name, data=data, track_times=False)


def _dense(projection: Projection) -> dict[str, object]:
    assert isinstance(projection.map, Dense)
    n_out, n_in = projection.map.weight.shape
    return {"type": "dense", "shape": (n_out,), "inFeatures": n_in, "outFeatures": n_out,
            "weight": _effective(projection).reshape(n_out, n_in)}


def _conv(projection: Projection) -> dict[str, object]:
    conv = projection.map
    assert isinstance(conv, Conv)
    return {
        "type": "conv", "shape": conv.out_shape, "inChannels": conv.in_shape[0],
        "outChannels": conv.out_shape[0], "kernelSize": conv.weight.shape[2:],
        "stride": conv.stride, "padding": conv.padding, "dilation": conv.dilation,
        "groups": conv.groups,
        "weight": _effective(projection).reshape(*conv.weight.shape, 1),
    }


def _bias(projection: Projection, population: Population) -> dict[str, object]:
    """One bias for each neuron of a dense layer and each channel of a convolution.

    Where neurons of a channel differ, all of them in (x, y, channel).
    """
    neuron, linear = _neuron(population), projection.map
    if not np.any(neuron.bias_mantissa):
        return {}
    value = (neuron.bias_mantissa.astype(np.int64) << neuron.bias_exponent) >> STATE_SHIFT
    each = np.broadcast_to(value, population.shape).astype(np.int32)
    if isinstance(linear, Dense):
        return {"bias": each.reshape(-1)}
    image = each.reshape(linear.out_shape)
    shared = np.all(image == image[:, :1, :1])
    return {"bias": image[:, 0, 0] if shared else image.transpose(2, 1, 0)}


def _compartments(neuron: LoihiNeuron) -> dict[str, object]:
    threshold = NEVER if neuron.silent else int(neuron.threshold.max())
    return {
        "type": "CUBA", "iDecay": int(neuron.du.max()) + 1, "vDecay": int(neuron.dv.max()),
        "vThMant": threshold, "refDelay": 1, "wgtExp": 0, "gradedSpike": False,
    }
