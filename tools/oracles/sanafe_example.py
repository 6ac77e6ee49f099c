"""SANA-FE's DVS-gesture example as a program of ours, on the cores that its tutorial takes.

Its data are `example.npz`, which `sanafe_dvs.py` records: kernels, thresholds, and a bias for each
neuron of the first layer. SANA-FE's tiles are numbered along y, ours along x. The fourth layer is
cut inside of channels, so that the map into it is written out as single synapses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from nmcompile.ir import Input, Network, Population, Projection, SynapseFormat
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.mapping import Mapping, Program, Slices
from nmcompile.passes.route import route
from nmcompile.target import Target, load_target

SHAPES = ((1, 32, 32), (16, 15, 15), (32, 13, 13), (64, 11, 11), (11, 9, 9), (11,))
CORES = (1, 4, 16, 16, 4, 1)  # of each layer
ROWS, COLUMNS, PER_TILE = 4, 8, 4
ORDERED = 4  # the layer cut inside of channels
NONE = np.zeros((), np.int32)


def example(path: Path, target: Target | None = None) -> Program:
    """The example; its input has one line, which reaches nothing."""
    data = dict(np.load(path))
    network, slices = _network(data), _slices()
    neurons = sum(node.size for node in network.nodes)
    return Program(
        network=network, target=target or load_target("loihi1_sanafe"),
        mapping=Mapping(slices=slices, axons=route(network, slices),
                        rates=np.zeros(neurons, np.float32)),
        latency={p.name: 0 for p in network.populations})


def no_input(steps: int) -> dict[str, np.ndarray]:
    """What its input sends."""
    return {"none": np.zeros((1, steps, 1), np.int32)}


def _network(data: dict[str, np.ndarray]) -> Network:
    names = [f"layer_{i}" for i in range(len(SHAPES))]
    maps: list[Conv | Dense | Sparse] = [
        Conv(weight=data[f"conv{i}"].transpose(3, 2, 0, 1).astype(np.int32),
             in_shape=SHAPES[i - 1], stride=(2, 2) if i == 1 else (1, 1))
        for i in range(1, 5)]
    maps[ORDERED - 1] = _single_synapses(maps[ORDERED - 1])
    maps.append(Dense(weight=np.ascontiguousarray(data["dense1"].T).astype(np.int32),
                      in_shape=SHAPES[4], out_shape=SHAPES[5]))
    return Network(
        inputs=(Input(name="none", shape=(1,)),), outputs=(),
        populations=tuple(
            Population(name=name, shape=shape, neuron=_neuron(data, i), bias=NONE)
            for i, (name, shape) in enumerate(zip(names, SHAPES, strict=True))),
        projections=tuple(
            Projection(source=source, target=target, map=linear, delay=1,
                       format=SynapseFormat(bits=10))
            for source, target, linear in zip(names, names[1:], maps, strict=False)))


def _neuron(data: dict[str, np.ndarray], layer: int) -> LoihiNeuron:
    """`LoihiLifModel` with SANA-FE's defaults: u lasts a step, v does not leak, reset to zero."""
    bias = data["inputs"].reshape(SHAPES[0]).astype(np.int32) if layer == 0 else NONE
    return LoihiNeuron(
        du=np.array(4095, np.int32), dv=NONE, bias_mantissa=bias, bias_exponent=6,
        threshold=np.array(data["thresholds"][layer], np.int32))


def _single_synapses(conv: Conv) -> Sparse:
    (c_out, c_in, height, width), (_, rows, columns) = conv.weight.shape, conv.in_shape
    _, out_rows, out_columns = conv.out_shape
    o, c, dy, dx, y, x = np.indices((c_out, c_in, height, width, out_rows, out_columns)).reshape(
        6, -1)
    source = (c * rows + y + dy) * columns + x + dx
    target = (o * out_rows + y) * out_columns + x
    order = np.lexsort((target, source))
    return Sparse(
        start=np.searchsorted(source[order], np.arange(c_in * rows * columns + 1)),
        target=target[order].astype(np.int32), weight=conv.weight[o, c, dy, dx][order],
        in_shape=conv.in_shape, out_shape=conv.out_shape)


def _slices() -> Slices:
    """Each layer in runs of equally many neurons, the last taking what remains."""
    parts, used = [], 0
    for layer, (shape, cores) in enumerate(zip(SHAPES, CORES, strict=True)):
        size, plane = int(np.prod(shape)), int(np.prod(shape[1:])) if len(shape) == 3 else 1
        for k in range(cores):
            first, end = k * (size // cores), size if k == cores - 1 else (k + 1) * (size // cores)
            box = ((0, 0, first), (1, 1, end))
            if layer != ORDERED and len(shape) == 3:
                box = ((first // plane, 0, 0), (end // plane, *shape[1:]))
            parts.append((layer, *box, _core(used + k)))
        used += cores
    layer, low, high, core = (np.array(part, np.int32) for part in zip(*parts, strict=True))
    size = int(np.prod(SHAPES[ORDERED]))
    return Slices(population=layer, low=low, high=high, core=core,
                  orders={str(ORDERED): np.arange(size, dtype=np.int32)})


def _core(number: int) -> int:
    """Our number of SANA-FE's core `number`."""
    column, row = divmod(number // PER_TILE, ROWS)
    return (row * COLUMNS + column) * PER_TILE + number % PER_TILE
