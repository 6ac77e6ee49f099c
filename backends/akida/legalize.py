"""Find Akida's layers in a traced network: convolutions and what pools them, ahead of levels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import numpy as np
import scipy.sparse
from nmcompile_backends.akida import flow, limits
from nmcompile_backends.akida.arithmetic import ACT_BITS
from nmcompile_backends.akida.geometry import (
    Geometry,
    behind_padding,
    geometry,
    padded,
    ungrouped,
)
from nmcompile_backends.akida.layer import Shape, column_places, picked, window_places
from nmcompile_backends.akida.maxima import Pooled, Window, pooled
from nmcompile_backends.akida.neuron import AkidaActivation

from nmcompile.errors import BoardLimitError, ChipLayerError, NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, SpikeFormat
from nmcompile.ir.maps import Chain, Conv, Dense, LinearMap, Scale
from nmcompile.ir.neurons import Activation
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.legalize.compose import matrix, single
from nmcompile.target import Target

INPUT_BITS = 8  # of what InputConvolutional takes
MOST_AVERAGED = 1024  # places, each of which is a projection of its own
FLAT = 1e-5  # share by which biases of one filter may differ, as float32 makes them


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """A layer in real numbers.

    depthwise  ahead of `linear`, where it is separable
    average    whether the sums of all places are added ahead of the activation
    same       whether the convolution has padding Same, or Valid
    window     of its maximum, None without
    """

    name: str
    target: Population
    linear: Conv | Dense
    depthwise: Conv | None
    average: bool
    window: Window | None
    at_input: bool
    same: bool = True


def legalize(network: Network, target: Target) -> Network:
    """`network` in Akida's layers, or NmcError naming what v1 has not.

    Each layer is a population of its filters, with one ahead of it for the depthwise part of a
    separable layer, and one behind it that takes the maximum or the average of its places.
    """
    if target.board.chips.value != 1:
        raise BoardLimitError(
            target.name, f"{target.board.chips.value} chips; akida maps a model onto "
            "one", "Leave out --chips.")
    port = network.inputs[0]
    layers = list[Found]()
    for stage in flow.stages(network, target.name):
        _add(layers, network, port, stage, pooled(network, stage, target.name))
    _require_sequence(layers)
    populations, projections, source = list[Population](), list[Projection](), port.name
    for layer in layers:
        made = _populations(layer)
        populations += [population for population, _ in made]
        for population, maps in made:
            projections += [
                Projection(source=source, target=population.name, map=linear,
                           current=current if population.currents > 1 else None)
                for current, linear in enumerate(maps)]
            source = population.name
    bits = INPUT_BITS if layers[0].at_input else ACT_BITS[-1]
    form = SpikeFormat(payload_bits=bits + 1, unsigned=True)
    return replace(network, inputs=(replace(port, format=form),),
                   populations=tuple(populations), projections=tuple(projections),
                   outputs=(_output(network.outputs[0], layers[-1]),))


def _add(
    layers: list[Found], network: Network, port: Input, stage: flow.Stage, found: Pooled
) -> None:
    """Put the layer of a stage behind `layers`, or make it the pooling of the last of them."""
    target = stage.target
    if found.window is not None and not found.maps and _passes(target):
        before = layers[-1] if layers else None
        if before is None or before.window is not None or before.average:
            raise ChipLayerError(target.name, "it pools what no convolution of its own gives",
                                 "Put a convolution and its activation ahead of it.")
        layers[-1] = _padded_alike(replace(before, name=target.name, window=found.window))
        return
    layers.append(_layer(port, stage, found))


def _passes(population: Population) -> bool:
    """Whether a population sends values from 0 on as they are."""
    neuron = population.neuron
    return (isinstance(neuron, Activation) and bool(np.all(np.isinf(neuron.high)))
            and not np.any(neuron.step_size) and not np.any(population.bias))


def _layer(port: Input, stage: flow.Stage, found: Pooled) -> Found:
    name, maps = stage.target.name, _without_padding(found.maps)
    average = _averages(maps)
    if average is not None:
        maps = (*maps[: average[0]], average[1])
    depthwise, linear = _split(maps)
    if not isinstance(linear, Conv | Dense):
        linear = _dense(name, linear)
    first = stage.source == port.name
    at_input = first and isinstance(linear, Conv) and depthwise is None and limits.fits_input(
        *_picture(linear)) and average is None
    layer = Found(name=name, target=stage.target, linear=linear, depthwise=depthwise,
                  average=average is not None, window=found.window, at_input=at_input)
    return _within_limits(layer)


def _picture(conv: Conv) -> tuple[int, int, int]:
    channels, rows, columns = conv.in_shape
    return channels, rows, columns


def _without_padding(maps: tuple[LinearMap, ...]) -> tuple[LinearMap, ...]:
    """`maps` with lines of zeros around a picture made part of the convolution behind them."""
    kept = list[LinearMap]()
    for linear in maps:
        lines = padded(kept[-1]) if kept else None
        if isinstance(linear, Conv) and lines is not None:
            kept[-1] = behind_padding(linear, kept[-1].in_shape, lines)
        else:
            kept.append(linear)
    return tuple(kept)


def _averages(maps: tuple[LinearMap, ...]) -> tuple[int, Scale] | None:
    """Where maps end in an average of all places of each channel: its place, and its factors."""
    for place in range(1, len(maps)):
        shape = maps[place].in_shape
        if len(shape) != 3 or prod(shape[1:]) == 1 or prod(maps[-1].out_shape) != shape[0]:
            continue
        rows = scipy.sparse.csr_array(matrix(single(Chain(maps=maps[place:]))))
        rows.eliminate_zeros()
        each = np.repeat(np.arange(shape[0]), prod(shape[1:]))
        if np.all(np.diff(rows.indptr) == 1) and np.array_equal(rows.indices, each):
            factors = rows.data.reshape(shape[0], -1)
            if np.all(factors == factors[:, :1]):
                return place, Scale(factor=factors[:, 0].reshape(-1, 1, 1), in_shape=shape)
    return None


def _split(maps: tuple[LinearMap, ...]) -> tuple[Conv | None, LinearMap]:
    """`maps` as one, or as depthwise kernels and a 1 x 1 convolution behind them."""
    for place in range(1, len(maps)):
        first, second = (single(Chain(maps=part)) for part in (maps[:place], maps[place:]))
        depthwise = (isinstance(first, Conv) and 1 < first.groups == first.in_shape[0]
                     and len(first.weight) == first.groups and max(first.weight.shape[2:]) > 1)
        pointwise = (isinstance(second, Conv) and second.groups == 1
                     and second.weight.shape[2:] == (1, 1) and second.stride == (1, 1)
                     and second.padding == (0, 0))
        if depthwise and pointwise:
            assert isinstance(first, Conv)
            return first, second
    return None, single(Chain(maps=maps))


def _dense(name: str, linear: LinearMap) -> Dense:
    """A map that is no convolution as a fully connected layer."""
    rows = prod(linear.out_shape)
    if len(linear.out_shape) > 1 and rows != linear.out_shape[0]:
        raise ChipLayerError(
            name, "what leads to it is no convolution that Akida v1 has, and no fully "
            "connected layer", "Leave out reshapes and pooling between a convolution "
            "and its activation, or train with padding Same.")
    weight = scipy.sparse.csr_array(matrix(linear)).toarray().T.astype(np.float32)
    return Dense(weight=np.ascontiguousarray(weight), in_shape=linear.in_shape, out_shape=(rows,))


def _within_limits(layer: Found) -> Found:
    """`layer` without groups and in the one kind that holds it; NmcError where none does."""
    name, linear = layer.name, layer.linear
    if isinstance(linear, Dense):
        if layer.average or layer.window is not None:
            raise ChipLayerError(name, "it pools a fully connected layer", "Leave the pooling out.")
        limits.require_features(name, linear.in_shape)
        return layer
    if linear.groups > 1:
        linear = replace(linear, weight=ungrouped(linear.weight, linear.groups), groups=1,
                         grid=None)
    ways = limits.INPUT_WAYS if layer.at_input else limits.WAYS
    kernel = linear
    if layer.depthwise is not None:
        kernel, ways = layer.depthwise, limits.SEPARABLE_WAYS
    found = geometry(kernel, ways, valid=layer.at_input)
    if found is None:
        if prod(linear.out_shape[1:]) == 1 and layer.depthwise is None and layer.window is None:
            return _within_limits(replace(layer, linear=_dense(name, linear)))
        raise _unlike(name, kernel, layer.at_input)
    layer = replace(layer, linear=linear, same=found.same)
    _require_sizes(layer, kernel, found)
    return _padded_alike(layer)


def _require_sizes(layer: Found, kernel: Conv, found: Geometry) -> None:
    """Raise NmcError where the chip has no convolution of the size of `layer`."""
    name, linear = layer.name, layer.linear
    filters, (rows, columns) = len(linear.weight), linear.out_shape[1:]
    limits.require_filters(name, filters)
    if layer.at_input:
        limits.require_input(name, found, kernel.in_shape, filters)
        limits.require_weights(name, "convolution of the input", kernel.weight)
    elif layer.depthwise is not None:
        limits.require_weights(name, "separable convolution", kernel.weight, linear.weight)
    if layer.average:
        if rows * columns > MOST_AVERAGED:
            raise ChipLayerError(name, f"it averages {rows * columns:,} places, "
                                 f"{MOST_AVERAGED:,} are the most", "Pool ahead of it.")
        limits.require_average(name, kernel.in_shape[2], rows)


def _padded_alike(layer: Found) -> Found:
    """`layer`, whose maximum has the padding of its convolution; NmcError where it has not."""
    if layer.window is None:
        return layer
    size, stride, same = layer.window
    shape = layer.linear.out_shape
    theirs, wanted = (window_places(shape, size, stride, way) for way in (layer.same, same))
    if np.array_equal(theirs, wanted):
        return replace(layer, window=(size, stride, layer.same))
    places = f"{shape[1]} x {shape[2]} places"
    if layer.same:
        raise ChipLayerError(layer.name, f"its max pooling leaves out a row or column of {places}; "
                             "AKD1000 pools all of them behind a convolution with padding",
                             "Pool with ceil_mode=True, or where rows and columns are even.")
    raise ChipLayerError(
        layer.name, f"its max pooling takes in part of a window at the edge of {places};"
        " AKD1000 pools whole ones alone behind a convolution without padding",
        "Pool with ceil_mode=False, or where rows and columns are even.")


def _unlike(name: str, conv: Conv, at_input: bool) -> NmcError:
    size = " x ".join(map(str, conv.weight.shape[2:]))
    has = ("kernels of 3, 5 and 7, strides of 1 to 3, padding Same or none" if at_input else
           "kernels of 1, 3, 5 and 7 with a stride of 1, of 3 with a stride of 2, padding Same")
    return ChipLayerError(
        name, f"a kernel of {size} with stride {conv.stride[0]} and padding {conv.padding[0]} on "
        f"{conv.in_shape[1]} x {conv.in_shape[2]} places is none that Akida v1 has: {has}",
        "Same is padding (k - 1) / 2; with a stride of 2 and even sizes, ZeroPad2d((0, 1, 0, 1)) "
        "ahead of a kernel of 3 without padding. "
        "An average ahead of a convolution widens its kernel.")


def _require_sequence(layers: list[Found]) -> None:
    """Refuse pooling that the chip does not have at its place."""
    last = layers[-1]
    limits.require_layers(sum(isinstance(layer.linear, Dense) for layer in layers))
    if last.window is not None:
        raise ChipLayerError(
            last.name, "max pooling is the end of the network, which AKD1000 does not "
            "map", "Put a layer behind it.")
    if last.at_input and not isinstance(last.target.neuron, Activation):
        raise ChipLayerError(
            last.name, "the input layer gives sums without an activation, which AKD1000 "
            "does not map", "Put a layer behind it.")
    for layer, behind in pairwise(layers):
        if layer.window and not layer.at_input and isinstance(behind.linear, Dense):
            limits.require_identity(layer.name, len(layer.linear.weight))
    for layer in layers:
        size, stride, _ = layer.window or (1, 1, True)
        rows, columns = layer.linear.out_shape[1:] if layer.window else (size, size)
        if min(rows, columns) < size:
            raise ChipLayerError(
                layer.name, f"a window of {size} x {size} on {rows} x {columns} places",
                "Leave the pooling out.")
        if layer.at_input and size != stride:
            raise ChipLayerError(
                layer.name, "the input layer's windows overlap; AKD1000 maps strides of "
                "their size alone", "Pool behind another layer.")


def _populations(layer: Found) -> list[tuple[Population, tuple[LinearMap, ...]]]:
    """The populations of a layer, with the maps into each one's currents."""
    target, made = layer.target, list[tuple[Population, tuple[LinearMap, ...]]]()
    neuron = _neuron(layer)
    sums = AkidaActivation(activation=False)
    if layer.depthwise is not None:
        made.append((Population(name=f"{layer.name}.depthwise", shape=layer.depthwise.out_shape,
                                neuron=sums), (layer.depthwise,)))
    shape = layer.linear.out_shape
    if layer.average:
        places = column_places(shape)
        made.append((Population(name=f"{layer.name}.sums", shape=shape, neuron=sums),
                     (layer.linear,)))
        pool = replace(neuron, pool=len(places), adds=True)
        made.append((Population(name=layer.name, shape=target.shape, neuron=pool),
                     _each_place(shape, places, target.shape)))
        return made
    if layer.window is None:
        return [*made, (Population(name=layer.name, shape=target.shape, neuron=neuron),
                        (layer.linear,))]
    places = window_places(shape, *layer.window)
    name = target.name if target.name != layer.name else f"{layer.name}.unpooled"
    made.append((Population(name=name, shape=shape, neuron=neuron), (layer.linear,)))
    made.append((
        Population(name=layer.name, shape=places.shape[1:],
                   neuron=AkidaActivation(activation=False, pool=len(places))),
        _each_place(shape, places, places.shape[1:])))
    return made


def _each_place(shape: Shape, places: Array, out: Shape) -> tuple[LinearMap, ...]:
    return tuple(picked(shape, row, out) for row in places)


def _neuron(layer: Found) -> AkidaActivation:
    """What the layer does with its sums, without pooling."""
    population = layer.target
    neuron = population.neuron
    adds = isinstance(layer.linear, Dense)
    if not isinstance(neuron, Activation):
        return AkidaActivation(activation=False, sends=False, adds=adds)
    if np.ptp(neuron.step_size) or (np.any(neuron.step_size) and np.ptp(neuron.high)):
        raise ChipLayerError(
            population.name, "its levels differ from channel to channel; an Akida layer "
            "sends one kind", "Train with one scale for each activation.")
    return AkidaActivation(
        offset=_by_filter(population, "bias", population.bias),
        high=_by_filter(population, "upper bound", neuron.high),
        step_size=np.full((), neuron.step_size.max(), np.float32), adds=adds,
        at_input=layer.at_input)


def _by_filter(population: Population, what: str, values: Array) -> Array:
    """`values` of each filter, (filters, 1, ...); NmcError where they differ in its places."""
    full = np.broadcast_to(values, population.shape).reshape(population.shape[0], -1)
    finite = full[np.isfinite(full).all(axis=1)]
    away = float(np.ptp(finite, axis=1).max(initial=0.0))
    if away > FLAT * max(1.0, float(np.abs(finite).max(initial=0.0))):
        raise ChipLayerError(
            population.name, f"its {what} differs from place to place; an Akida filter has one",
            "A constant that is added ahead of a padded convolution does that: normalise data "
            "outside of the model.")
    return full[:, 0].reshape(-1, *[1] * (len(population.shape) - 1)).astype(np.float32)


def _output(port: Output, last: Found) -> Output:
    """The output with the last layer's bias as its offset: sums have none on the chip."""
    if port.variable != "v":
        return port
    bias = np.broadcast_to(last.target.bias, last.target.shape).reshape(-1)
    return replace(port, offset=tuple((bias + np.array(port.offset or 0.0)).tolist()))
