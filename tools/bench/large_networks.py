"""Networks of Loihi neurons, built without a model, to measure how mapping grows."""

from __future__ import annotations

import numpy as np
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from nmcompile.ir import Input, Network, Output, Population, Projection, SpikeFormat, SynapseFormat
from nmcompile.ir.maps import Conv, Dense, Sparse
from nmcompile.ir.maps.base import LinearMap

EIGHT_BITS = SynapseFormat(bits=8)
# Simonyan and Zisserman 2015, arXiv 1409.1556, configuration D: channels, and poolings of 2.
VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool",
         512, 512, 512, "pool")
VGG16_DENSE = (4096, 4096, 1000)
# Bojarski et al. 2016, arXiv 1604.07316, as lava-dl's PilotNet: channels, kernel, stride, padding.
PILOTNET = ((24, 3, 2, 0), (36, 3, 2, 0), (64, 3, 2, 0), (64, 3, 2, 0), (64, 3, 1, 1))
PILOTNET_DENSE = (100, 50, 10, 1)


class Builder:
    """Layers one behind the other."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.shape, self.rng = shape, np.random.default_rng(seed)
        self.port = Input(name="input", shape=shape, format=SpikeFormat(payload_bits=0))
        self.last, self.populations, self.projections = "input", [], []

    def weights(self, *shape: int) -> np.ndarray:
        """Random weights of 8 bits."""
        return self.rng.integers(-100, 101, shape, np.int8)

    def add(self, linear: LinearMap) -> None:
        """A layer behind the last."""
        name = f"layer{len(self.populations) + 1}"
        zero = np.zeros((), np.int32)
        neuron = LoihiNeuron(du=zero + 4095, dv=zero + 200, threshold=zero + 500,
                             bias_mantissa=zero)
        self.populations.append(Population(
            name=name, shape=linear.out_shape, neuron=neuron, bias=zero,
            start=len(self.populations) + 1))
        self.projections.append(Projection(source=self.last, target=name, map=linear, delay=1,
                                           format=EIGHT_BITS))
        self.last, self.shape = name, linear.out_shape

    def conv(self, channels: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> None:
        """A convolution."""
        self.add(Conv(weight=self.weights(channels, self.shape[0], kernel, kernel),
                      in_shape=self.shape, stride=(stride, stride), padding=(padding, padding)))

    def pool(self, extent: int) -> None:
        """Pooling of neighbours."""
        channels = self.shape[0]
        self.add(Conv(weight=np.full((channels, 1, extent, extent), 32, np.int8),
                      in_shape=self.shape, stride=(extent, extent), groups=channels))

    def dense(self, n: int) -> None:
        """A dense layer of `n` neurons."""
        size = int(np.prod(self.shape))
        self.add(Dense(weight=self.weights(n, size), in_shape=self.shape, out_shape=(n,)))

    def build(self) -> Network:
        """The network."""
        return Network(inputs=(self.port,), populations=tuple(self.populations),
                       projections=tuple(self.projections),
                       outputs=(Output(name="output", population=self.last),))


def vgg16(seed: int = 0) -> Network:
    """VGG-16 for pictures of 224 x 224; its first dense layer has 25,088 inputs to a neuron."""
    layers = Builder((3, 224, 224), seed)
    for channels in VGG16:
        if channels == "pool":
            layers.pool(2)
        else:
            layers.conv(int(channels))
    for n in VGG16_DENSE:
        layers.dense(n)
    return layers.build()


def pilotnet(seed: int = 0) -> Network:
    """PilotNet for pictures of 200 x 66."""
    layers = Builder((3, 66, 200), seed)
    for options in PILOTNET:
        layers.conv(*options)
    for n in PILOTNET_DENSE:
        layers.dense(n)
    return layers.build()


def structured(neurons: int, seed: int = 0) -> Network:
    """8 convolutions of 128 channels, about `neurons` in all: each has 1,152 synapses."""
    side = round((neurons / 8 / 128) ** 0.5)
    layers = Builder((128, side, side), seed)
    for _ in range(8):
        layers.conv(128)
    return layers.build()


def irregular(neurons: int, fan_out: int = 100, seed: int = 0) -> Network:
    """One recurrent population; neurons on a square reach others nearby, a tenth anywhere."""
    rng = np.random.default_rng(seed)
    side = round(neurons**0.5)
    n = side * side
    source = np.repeat(np.arange(n), fan_out)
    reach = rng.normal(0, 6, (2, n * fan_out)).round().astype(np.int64)
    y, x = np.divmod(source, side)
    target = (y + reach[0]) % side * side + (x + reach[1]) % side
    far = rng.random(n * fan_out) < 0.1
    target[far] = rng.integers(0, n, np.count_nonzero(far))
    names = rng.permutation(n)  # numbers say nothing of places
    source, target = names[source], names[target]
    order = np.lexsort((target, source))
    linear = Sparse(start=np.arange(0, n * fan_out + 1, fan_out),
                    target=target[order].astype(np.int32),
                    weight=rng.integers(-100, 101, n * fan_out, np.int8), in_shape=(n,),
                    out_shape=(n,))
    layers = Builder((n,), seed)
    layers.add(Sparse(start=np.arange(n + 1), target=np.arange(n, dtype=np.int32),
                      weight=np.full(n, 100, np.int8), in_shape=(n,), out_shape=(n,)))
    layers.projections.append(Projection(source="layer1", target="layer1", map=linear, delay=1,
                                         format=EIGHT_BITS))
    return layers.build()
