"""Random networks of Speck cores, and events for them."""

from copy import copy
from dataclasses import replace

import numpy as np
from nmcompile_backends.speck.arithmetic import TICK
from nmcompile_backends.speck.cores import Destination, SpeckCore, SpeckNetwork
from nmcompile_backends.speck.neuron import SpeckNeuron

from nmcompile.ir import Input, Network, Output, Population, Projection, SynapseFormat, verify
from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons import Reset


def core(rng, in_shape, features, kernel=3, **registers):
    """A core of random weights; registers that are not given are drawn."""
    largest = int(rng.choice([3, 30, 127]))
    drawn = {
        "weight": rng.integers(-largest - 1, largest + 1,
                               (features, in_shape[0], kernel, kernel)).astype(np.int8),
        "threshold_high": int(rng.integers(1, 4 * largest)),
        "threshold_low": -int(rng.integers(1, 5 * largest)),
        "return_to_zero": bool(rng.integers(2)),
        "stride": (int(rng.choice([1, 2])), int(rng.choice([1, 2]))),
        "padding": (int(rng.integers(0, 3)), int(rng.integers(0, 3))),
    }
    return SpeckCore(in_shape=in_shape, **(drawn | registers))


def graph(rng, merging, **registers):
    """A chain of cores, or cores of which several may send to the same one."""
    pooling, shape = int(rng.choice([1, 2, 4])), (int(rng.integers(1, 4)), 9, 8)
    made = [core(rng, shape, int(rng.integers(1, 5)), int(rng.integers(1, 4)), **registers)]
    sources = {0: []}
    for index in range(1, int(rng.integers(2, 5))):
        source = index - 1
        out = made[source].out_shape
        ways = sources[source]
        pool = int(rng.choice([p for p in (1, 2, 4) if min(out[1:]) >= p]))
        ways.append(Destination(index, pool))
        shape = (out[0], out[1] // pool, out[2] // pool)
        if merging and source > 0 and len(sources[source - 1]) < 2:
            sources[source - 1].append(Destination(index, 1))
            before = made[source - 1].out_shape
            shape = (max(out[0], before[0]), max(shape[1], before[1]), max(shape[2], before[2]))
        kernel = int(rng.integers(1, 1 + min(3, *shape[1:])))
        made.append(core(rng, shape, int(rng.integers(1, 5)), kernel, **registers))
        sources[index] = []
    cores = tuple(replace(c, destinations=tuple(sources[i])) for i, c in enumerate(made))
    return SpeckNetwork(cores=cores, inputs=(Destination(0, pooling),))


def events(rng, network, n, tick_rate=0.0):
    """`n` input events within reach of the first core, some of them ticks of the slow clock."""
    first, pooling = network.inputs[0]
    channels, height, width = network.cores[first].in_shape
    given = rng.integers(0, (channels, height * pooling, width * pooling), (n, 3))
    given[rng.random(n) < tick_rate, 0] = TICK
    return given


def torch_layers(rng, shape, neurons):
    """Modules of a chain of convolutions that `neurons()` follow, and the pooling behind each."""
    from sinabs.layers import SumPool2d
    from torch import nn

    parts, poolings, n = [], [], int(rng.integers(1, 4))
    for index in range(n):
        kernel = int(rng.integers(1, 1 + min(4, *shape[1:])))
        conv = nn.Conv2d(shape[0], int(rng.integers(2, 7)), kernel, stride=int(rng.integers(1, 3)),
                         padding=int(rng.integers(0, 2)), bias=False)
        conv.weight.data *= 3
        pool = int(rng.choice([1, 2])) if index < n - 1 else 1
        size = [(e + 2 * conv.padding[0] - kernel) // conv.stride[0] + 1 for e in shape[1:]]
        pool = pool if min(size) >= pool else 1
        parts += [conv, neurons(), *([SumPool2d(pool)] if pool > 1 else [])]
        poolings.append(pool)
        shape = (conv.out_channels, *(extent // pool for extent in size))
    return parts, poolings


def in_steps(network, inputs, steps):
    """The cores as a Network of time steps, and the events of each of `steps` as its input."""
    first, pooling = network.inputs[0]
    channels, height, width = network.cores[first].in_shape
    shape = (channels, height * pooling, width * pooling)
    frames = np.zeros((int(steps.max()) + 1, *shape), np.int32)
    np.add.at(frames, (steps, *inputs.T), 1)
    ways = [("in", shape, network.inputs[0])]
    ways += [(f"core {i}", core.out_shape, d)
             for i, core in enumerate(network.cores) for d in core.destinations]
    return verify(Network(
        inputs=(Input(name="in", shape=shape),),
        populations=tuple(_population(f"core {i}", core) for i, core in enumerate(network.cores)),
        projections=tuple(Projection(
            source=source, target=f"core {way.core}", format=SynapseFormat(bits=8),
            map=_Pooled(network.cores[way.core], size, way.pooling)) for source, size, way in ways),
        outputs=(Output(name="out", population="core 0"),),
    )), {"in": frames[None]}


def step_counts(found, index, core, steps):
    """Spikes of a core in each step: (steps, features, y, x)."""
    counts = np.zeros((int(steps.max()) + 1, *core.out_shape), int)
    mine = found.events[found.events[:, 1] == index]
    np.add.at(counts, (steps[mine[:, 0]], *mine[:, 2:].T), 1)
    return counts


def _population(name, core):
    return Population(name=name, shape=core.out_shape, bias=np.zeros((), np.int32),
                      neuron=SpeckNeuron(
                          threshold=np.array(core.threshold_high), v_init=core.initial,
                          v_min=np.array(core.threshold_low),
                          reset=Reset.ZERO if core.return_to_zero else Reset.SUBTRACT))


class _Pooled:
    """A core's convolution behind the address shift, which may cut or widen the source's planes."""

    kind = "pooled"

    def __init__(self, core, source, pooling):
        self.conv = Conv(weight=core.weight.astype(np.int32), in_shape=core.in_shape,
                         stride=core.stride, padding=core.padding)
        self.in_shape, self.out_shape, self.pooling = source, self.conv.out_shape, pooling

    def verify(self, name):
        self.conv.verify(name)

    def weights(self):
        return self.conv.weights()

    def with_weights(self, values):
        other = copy(self)
        other.conv = self.conv.with_weights(values)
        return other

    def apply(self, x):
        planes = np.zeros((len(x), *self.conv.in_shape), x.dtype)
        height, width = self.conv.in_shape[1:]
        for sample, c, y, x_at in np.argwhere(x.reshape(-1, *self.in_shape)):
            row, column = y // self.pooling, x_at // self.pooling
            if row < height and column < width:
                planes[sample, c, row, column] += x.reshape(-1, *self.in_shape)[sample, c, y, x_at]
        return self.conv.apply(planes.reshape(len(x), -1))
