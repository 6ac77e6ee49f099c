"""Random networks of Speck cores, and events for them."""

import numpy as np
from nmcompile_backends.speck.arithmetic import TICK
from nmcompile_backends.speck.cores import Destination, SpeckCore, SpeckNetwork


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
    cores = tuple(_with(c, sources[i]) for i, c in enumerate(made))
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


def _with(made, destinations):
    from dataclasses import replace

    return replace(made, destinations=tuple(destinations))
