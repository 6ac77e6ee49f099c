"""Small Loihi programs, written out and drawn at random, with mappings made without the passes."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import scipy.sparse
from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.relay import LoihiRelay
from nmcompile_backends.loihi.sigma_delta import LoihiSigmaDelta

from helpers.networks import every_step
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
from nmcompile.ir.maps import Conv, Dense, Sparse, from_matrix
from nmcompile.mapping import Axons, Mapping, Program, Slices, view
from nmcompile.target import Target, load_target

Shape = tuple[int, ...]


def neuron(
    du: int = 4095, dv: int = 400, threshold: int = 60, bias: int | np.ndarray = 0, **more: object
) -> LoihiNeuron:
    """A neuron of scalar registers; `bias` is its mantissa."""

    def register(value: object) -> np.ndarray:
        return np.asarray(value, np.int32)

    return LoihiNeuron(
        du=register(du),
        dv=register(dv),
        threshold=register(threshold),
        bias_mantissa=register(bias),
        **more,
    )


def weights(
    rng: np.random.Generator, shape: Shape, sign: str = "mixed", bits: int = 8
) -> np.ndarray:
    """Random mantissas that `sign` and `bits` can hold."""
    limit = 2**bits
    if sign == "mixed":
        return (2 * rng.integers(-limit // 2, limit // 2, shape)).astype(np.int16)
    positive = rng.integers(0, limit, shape).astype(np.int16)
    return positive if sign == "excitatory" else -positive


def dense(weight: np.ndarray) -> Dense:
    return Dense(weight=weight, in_shape=(weight.shape[1],), out_shape=(weight.shape[0],))


def sparse(rng: np.random.Generator, n_in: int, n_out: int) -> Sparse:
    chosen = rng.random((n_in, n_out)) < 0.4
    matrix = weights(rng, (n_in, n_out)) * chosen
    return from_matrix(scipy.sparse.csr_array(matrix), (n_in,), (n_out,))


def projection(
    source: str,
    target: str,
    linear: Dense | Conv | Sparse,
    delay: int = 1,
    exponent: int = 0,
    sign: str = "mixed",
    bits: int = 8,
) -> Projection:
    return Projection(
        source=source,
        target=target,
        map=linear,
        delay=delay,
        format=SynapseFormat(bits=bits, exponent=exponent, sign=sign),
    )


def network(
    ports: tuple[Input, ...],
    populations: tuple[Population, ...],
    projections: tuple[Projection, ...],
) -> Network:
    """A verified network whose output is its last population."""
    return verify(
        Network(
            inputs=ports,
            populations=populations,
            projections=projections,
            outputs=(Output(name="out", population=populations[-1].name),),
        )
    )


def port(shape: Shape, payload_bits: int = 0, name: str = "in") -> Input:
    return Input(name=name, shape=shape, format=SpikeFormat(payload_bits=payload_bits))


def relayed(seed: int) -> Network:
    """Two layers, a relay of one and the input and a relay of that, dense and convolutional."""
    rng = np.random.default_rng(seed)
    zero, image = np.zeros((), np.int32), (2, 4, 5)
    kernel = Conv(weight=weights(rng, (2, 2, 3, 3)), in_shape=image, padding=(1, 1))

    def layer(name: str, shape: Shape, relays: bool, start: int) -> Population:
        model = LoihiRelay() if relays else neuron(
            dv=int(rng.integers(0, 2000)), threshold=int(rng.integers(60, 300)))
        return Population(name=name, shape=shape, neuron=model, bias=zero, start=start)

    return network(
        (port(image),),
        (layer("a", image, False, 1), layer("sum", image, True, 2), layer("b", image, False, 3),
         layer("again", image, True, 4), layer("out", (7,), False, 5)),
        (projection("in", "a", kernel, exponent=-2),
         projection("in", "sum", kernel, delay=2, exponent=int(rng.integers(-2, 1))),
         projection("a", "sum", replace(kernel, weight=weights(rng, (2, 2, 3, 3)))),
         projection("sum", "b", sparse(rng, 40, 40), exponent=-6),
         projection("sum", "again", sparse(rng, 40, 40), delay=2, exponent=-7),
         projection("b", "again", kernel, exponent=-1),
         projection("again", "out", dense(weights(rng, (7, 40))), exponent=-8)))


def parted(seed: int) -> Network:
    """Projections of every kind from parts of a source, which a relay adds up for a neuron."""
    rng = np.random.default_rng(seed)
    zero, image = np.zeros((), np.int32), (4, 3, 3)
    kernel = Conv(weight=weights(rng, (4, 2, 3, 3)), in_shape=(2, 3, 3), padding=(1, 1))
    parts = ((kernel, (9, 27)), (dense(weights(rng, (36, 20))), (3, 23)),
             (sparse(rng, 11, 36), (25, 36)))
    ones = Conv(weight=np.ones((4, 1, 1, 1), np.int16), in_shape=image, groups=4)
    models = {"a": neuron(threshold=300), "sum": LoihiRelay(), "b": neuron(threshold=120)}
    return network(
        (port(image),),
        tuple(Population(name=name, shape=image, neuron=model, bias=zero, start=start)
              for start, (name, model) in enumerate(models.items(), 1)),
        (*(replace(projection(source, target, linear, delay, exponent=-1), sources=sources)
           for linear, sources in parts
           for source, target, delay in (("in", "a", 1), ("in", "sum", 2), ("a", "sum", 1))),
         projection("sum", "b", ones, sign="excitatory", exponent=1)))


def telling(seed: int) -> Network:
    """An encoder of payloads and layers of sigma-delta neurons.

    Of each four seeds, two have a threshold and a bias for each neuron, and two plain encoders.
    """
    rng = np.random.default_rng(seed)
    zero, image = np.zeros((), np.int32), (2, 4, 5)
    kernel = Conv(weight=weights(rng, (2, 2, 3, 3)), in_shape=image, padding=(1, 1))

    def layer(name: str, shape: Shape, start: int, **fields: object) -> Population:
        each, biased = ((), 0) if seed % 4 > 1 else (shape, 9000)
        values = {"threshold": rng.integers(0, 4000, each).astype(np.int32),
                  "offset": rng.integers(-biased, biased + 1, each).astype(np.int32)}
        return Population(name=name, shape=shape, bias=zero, start=start,
                          neuron=LoihiSigmaDelta(**{**values, **fields}))

    encoder = {"rectified": False, "accumulates": False, "shift": 6}
    if seed % 2:
        level = 64 * int(rng.integers(1, 9))
        encoder |= {"offset": zero, "threshold": np.full((), level, np.int32)}
    return network(
        (port(image, 9),),
        (layer("encoder", image, 1, **encoder), layer("a", image, 2), layer("b", (6,), 3),
         layer("out", (4,), 4, rectified=False)),
        (projection("in", "encoder", sparse(rng, 40, 40), exponent=-5),
         projection("encoder", "a", kernel, exponent=-2),
         projection("encoder", "b", dense(weights(rng, (6, 40))), delay=2, exponent=-3),
         projection("a", "b", dense(weights(rng, (6, 40))), exponent=-3),
         projection("b", "out", dense(weights(rng, (4, 6))))))


def payloads(
    net: Network, steps: int, rng: np.random.Generator, samples: int = 1, density: float = 0.4
) -> dict[str, np.ndarray]:
    """Random spikes or payloads, (samples, steps, *shape) for each input."""
    sent = {}
    for entry in net.inputs:
        limit, shape = entry.format.limit, (samples, steps, *entry.shape)
        low = -limit if entry.format.payload_bits else 1
        values = rng.integers(low, limit + 1, shape)
        sent[entry.name] = (values * (rng.random(shape) < density)).astype(np.int32)
    return sent


def program(net: Network, target: str = "loihi2", cut: int = 1, rng_seed: int = 0) -> Program:
    """`net` with every population cut into up to `cut` slices along each axis.

    Slices lie on shuffled cores of two chips at most; two slices may share one.
    """
    rng = np.random.default_rng(rng_seed)
    boxes = [(i, *box) for i, p in enumerate(net.populations) for box in _boxes(p.shape, cut)]
    index, low, high = (np.array(column, np.int32) for column in zip(*boxes, strict=True))
    cores = (
        5 * rng.integers(0, max(len(boxes) * 3 // 4, 1), len(boxes))
        if cut > 1
        else (np.arange(len(boxes)))
    )
    slices = Slices(population=index, low=low, high=high, core=np.asarray(cores, np.int32))
    axons = tuple(_axons(net, p, slices) for p in net.projections)
    chip = load_target(target)
    latency = {p.name: p.start for p in net.populations}
    return Program(
        network=net,
        mapping=Mapping(slices=slices, axons=axons, rates=every_step(net)),
        target=small(chip),
        latency=latency,
    )


def small(target: Target) -> Target:
    """`target` as a board of 8 chips of 2 x 2 tiles, so that few slices span several chips."""
    board = target.board
    values = {"chips": 8, "mesh_width": 2, "mesh_height": 2}
    changed = {k: getattr(board, k).model_copy(update={"value": v}) for k, v in values.items()}
    return target.model_copy(update={"board": board.model_copy(update=changed)})


def _boxes(shape: Shape, cut: int) -> list[tuple[list[int], list[int]]]:
    edges = [np.linspace(0, n, min(cut, n) + 1).round().astype(int) for n in view(shape)]
    parts = np.ndindex(*(len(edge) - 1 for edge in edges))
    return [
        (
            [int(e[i]) for e, i in zip(edges, part, strict=True)],
            [int(e[i + 1]) for e, i in zip(edges, part, strict=True)],
        )
        for part in parts
    ]


def _axons(net: Network, entry: Projection, slices: Slices) -> Axons:
    """Axons from the map's connection matrix, one source after the other."""
    index = [p.name for p in net.populations].index(entry.target)
    shape = view(net.populations[index].shape)
    owner = np.full(shape, -1)
    for i in np.flatnonzero(slices.population == index):
        (a, b, c), (d, e, f) = slices.low[i], slices.high[i]
        owner[a:d, b:e, c:f] = i
    owner, counts = owner.reshape(-1), []
    start, ends, first, order = [0], [], [], []
    for synapses, targets in _connections(entry.map):
        for i in np.unique(owner[targets]):
            mine = owner[targets] == i
            ends.append(i)
            counts.append(mine.sum())
            first.append(len(order))
            order.extend(synapses[mine])
        start.append(len(ends))
    plain = not isinstance(entry.map, Sparse)
    none = np.zeros(0, np.int64)
    size = prod(net.shape_of(entry.source))
    first_source, end = entry.sources or (0, size)
    return Axons(
        start=np.pad(np.array(start, np.int64), (first_source, size - end), "edge"),
        slice=np.array(ends, np.int32),
        synapses=np.array(counts, np.int32),
        first=none if plain else np.array(first, np.int64),
        order=none if plain else np.array(order, np.int64),
    )


def _connections(linear: Dense | Conv | Sparse) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each source the numbers of its synapses (of a sparse map) and their targets."""
    if isinstance(linear, Sparse):
        ranges = [np.arange(a, b) for a, b in zip(linear.start, linear.start[1:], strict=False)]
        return [(r, linear.target[r]) for r in ranges]
    ones = linear.with_weights(np.ones(linear.weights().shape, np.int64))
    rows = ones.apply(np.eye(int(np.prod(linear.in_shape)), dtype=np.int64))
    return [(np.flatnonzero(row), np.flatnonzero(row)) for row in rows]
