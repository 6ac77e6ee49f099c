"""Random layers and networks of Akida v1, and the IR's networks of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from nmcompile_backends.akida.arithmetic import (
    HALF,
    INPUT_HALF,
    INPUT_STEP_LIMIT,
    STEP_LIMIT,
    AkidaNeuron,
)
from nmcompile_backends.akida.layer import WEIGHT_LIMITS, AkidaLayer, Kind, Pooling

from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    SpikeFormat,
    SynapseFormat,
    verify,
)

Rng = np.random.Generator
Shape = tuple[int, ...]
INNER = (Kind.FULLY_CONNECTED, Kind.CONVOLUTIONAL, Kind.SEPARABLE)


def pixels(rng: Rng, shape: Shape, bits: int, samples: int = 3) -> np.ndarray:
    """Unsigned values of `bits`, (samples, *shape), a third of them 0."""
    values = rng.integers(0, 2**bits, (samples, *shape))
    return (values * (rng.random(values.shape) < 0.67)).astype(np.uint8)


def random_layer(rng: Rng, name: str, kind: Kind, given: np.ndarray, last: bool) -> AkidaLayer:
    """A layer for the values `given` (samples, *shape), which decide its thresholds and steps."""
    in_shape = given.shape[1:]
    bits = 8 if kind is Kind.INPUT_CONVOLUTIONAL else int(rng.choice([1, 2, 4]))
    options: dict[str, object] = {}
    if kind is Kind.FULLY_CONNECTED:
        weight = _weights(rng, (int(rng.integers(1, 30)), int(np.prod(in_shape))), bits)
    else:
        weight, options = _convolution(rng, kind, in_shape, bits)
    neuron = AkidaNeuron(
        threshold=np.zeros((), np.int32), act_step=np.full((), 16, np.int32),
        act_bits=int(rng.choice([1, 2, 4])), activation=not last or bool(rng.random() < 0.5),
        at_input=kind is Kind.INPUT_CONVOLUTIONAL)
    layer = AkidaLayer(name=name, kind=kind, in_shape=in_shape, weight=weight, weight_bits=bits,
                       neuron=neuron, **options)
    pool, adds = layer.window()
    layer = replace(layer, neuron=replace(neuron, pool=pool, adds=adds))
    return _spread(rng, layer, given)


def random_layers(seed: int, first: Kind, depth: int) -> tuple[tuple[AkidaLayer, ...], np.ndarray]:
    """A chain of `depth` layers, of which the first is a `first`, and values for it."""
    rng = np.random.default_rng(seed)
    from_image = first is Kind.INPUT_CONVOLUTIONAL
    channels = int(rng.choice([1, 3]) if from_image else rng.integers(1, 7))
    shape = (channels, *(int(n) for n in rng.integers(7, 15, 2)))
    values = given = pixels(rng, shape, 8 if from_image else int(rng.choice([1, 2, 4])))
    layers: list[AkidaLayer] = []
    for index in range(depth):
        kind = first if index == 0 else INNER[int(rng.integers(1, 3))]
        if index and (index == depth - 1 or min(given.shape[2:]) < 7):
            kind = Kind.FULLY_CONNECTED
        layers.append(random_layer(rng, f"layer{index}", kind, given, index == depth - 1))
        if index < depth - 1:
            given = sent(layers[-1], given).astype(np.uint8)
    return tuple(layers), values


def sent(layer: AkidaLayer, given: np.ndarray) -> np.ndarray:
    """What `layer` sends for `given`, by the IR's map and the readable step."""
    state = layer.neuron.initial_state((len(given), *layer.out_shape))
    return layer.neuron.step(state, _currents(layer, given))[1]


def as_network(layers: tuple[AkidaLayer, ...]) -> Network:
    """The layers as a Network whose steps are samples of their own."""
    names = ["in", *(layer.name for layer in layers)]
    for layer in layers:
        layer.verify()
    return verify(Network(
        inputs=(Input(name="in", shape=layers[0].in_shape, format=SpikeFormat(payload_bits=9)),),
        populations=tuple(Population(name=layer.name, shape=layer.out_shape, neuron=layer.neuron,
                                     bias=layer.bias()) for layer in layers),
        projections=tuple(
            Projection(source=source, target=layer.name, map=layer.linear(),
                       format=SynapseFormat(bits=layer.weight_bits))
            for source, layer in zip(names, layers, strict=False)),
        outputs=(Output(name="out", population=names[-1]),)))


def _weights(rng: Rng, shape: Shape, bits: int) -> np.ndarray:
    limit = WEIGHT_LIMITS[bits]
    return rng.integers(0 if bits == 1 else -limit, limit + 1, shape).astype(np.int8)


def _convolution(
    rng: Rng, kind: Kind, in_shape: Shape, bits: int
) -> tuple[np.ndarray, dict[str, object]]:
    size = int(rng.choice([1, 3, 5, 7] if kind is not Kind.SEPARABLE else [3, 5, 7]))
    filters = int(rng.integers(1, 9))
    options: dict[str, object] = {
        "same": bool(rng.random() < 0.6),
        "stride": 2 if size > 1 and rng.random() < 0.4 else 1,
        "pooling": list(Pooling)[int(rng.integers(3))],
    }
    if options["stride"] == 2 or (not options["same"] and min(in_shape[1:]) < size + 3):
        options["pooling"] = Pooling.NONE
    if options["pooling"] is Pooling.MAX:
        options["pool_size"] = int(rng.integers(2, 4))
        options["pool_stride"] = int(rng.integers(1, 3))
    if kind is Kind.INPUT_CONVOLUTIONAL:
        options["padding"] = int(rng.integers(0, 256))
    if kind is Kind.SEPARABLE:
        options["pointwise"] = _weights(rng, (filters, in_shape[0]), bits)
        return _weights(rng, (in_shape[0], 1, size, size), bits), options
    return _weights(rng, (filters, in_shape[0], size, size), bits), options


def _currents(layer: AkidaLayer, given: np.ndarray) -> np.ndarray:
    sums = layer.linear().apply(given.reshape(len(given), -1).astype(np.int64))
    axis = (layer.neuron.pool,) if layer.neuron.pool > 1 else ()
    return sums.reshape(len(given), *axis, *layer.out_shape) + layer.bias()


def _spread(rng: Rng, layer: AkidaLayer, given: np.ndarray) -> AkidaLayer:
    """`layer` with thresholds and steps that use all levels for the values `given`."""
    currents, inner = _currents(layer, given), not layer.neuron.at_input
    half, steps = (HALF, STEP_LIMIT) if inner else (INPUT_HALF, INPUT_STEP_LIMIT)
    reach = float(np.abs(currents).max()) + 1
    channels = (layer.out_shape[0], 1, 1)
    step = rng.uniform(0.1, 1.5, channels) * 16 * reach / 2**4
    neuron = replace(
        layer.neuron,
        threshold=np.clip(rng.uniform(-reach, reach, channels) / 2, -half, half - 1).astype(
            np.int32),
        act_step=np.clip(step, 1, steps).astype(np.int32))
    return replace(layer, neuron=neuron)
