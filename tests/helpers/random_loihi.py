"""Random networks over all that a Loihi program may hold."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from helpers.loihi_programs import dense, network, neuron, port, projection, sparse, weights
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons import Reset

SIGNS = ("mixed", "excitatory", "inhibitory")


def random_network(seed: int) -> Network:
    """A convolution, a dense and a sparse layer, recurrence, mixed resets, delays and formats."""
    rng = np.random.default_rng(seed)
    conv = random_conv(rng)
    payload_bits = int(rng.choice([0, 0, 9]))
    layers = [_population(rng, "conv", conv.out_shape, 1), _population(rng, "hidden", (9,), 2),
              _population(rng, "readout", (3, 2), 3)]
    n = layers[0].size
    links = [
        _link(rng, "in", "conv", conv, first_delay=1),
        _link(rng, "conv", "hidden", dense(np.zeros((9, n), np.int16)), first_delay=1),
        _link(rng, "hidden", "readout", sparse(rng, 9, 6)),
        _link(rng, "hidden", "hidden", sparse(rng, 9, 9)),
        _link(rng, "conv", "readout", dense(np.zeros((6, n), np.int16)), first_delay=2),
        _link(rng, "readout", "hidden", dense(np.zeros((9, 6), np.int16))),
    ]
    kept = [link for i, link in enumerate(links) if i < 3 or rng.random() < 0.5]
    return network((port(conv.in_shape, payload_bits),), tuple(layers), tuple(kept))


def random_chain(seed: int) -> Network:
    """Two convolutions and two dense layers with biases, as netx runs them."""
    rng = np.random.default_rng(seed)
    first, second = random_conv(rng), random_conv(rng)
    second = replace(second, in_shape=first.out_shape, groups=1, dilation=(1, 1), weight=np.zeros(
        (3, first.out_shape[0], 2, 2), np.int16))
    maps = [first, second, dense(np.zeros((8, prod(second.out_shape)), np.int16)),
            dense(np.zeros((4, 8), np.int16))]
    shapes = [first.out_shape, second.out_shape, (8,), (4,)]
    names = ["in", "conv1", "conv2", "fc", "out"]
    links = [projection(a, b, m.with_weights(weights(rng, m.weights().shape, sign)), sign=sign)
             for a, b, m, sign in zip(names, names[1:], maps, rng.choice(SIGNS[:2], 4),
                                      strict=False)]
    layers = [
        Population(name=name, shape=shape, start=i + 1, bias=np.zeros((), np.int32),
                   neuron=_chain_neuron(rng, shape, silent=bool(i == 3 and rng.random() < 0.5)))
        for i, (name, shape) in enumerate(zip(names[1:], shapes, strict=True))]
    bits = int(rng.choice([0, 4]))
    return network((port(first.in_shape, bits),), tuple(layers), tuple(links))


def _chain_neuron(rng: np.random.Generator, shape: tuple[int, ...], silent: bool) -> LoihiNeuron:
    each = [(), shape, (shape[0], 1, 1) if len(shape) == 3 else shape][int(rng.integers(0, 3))]
    return neuron(
        du=int(rng.integers(0, 4096)), dv=int(rng.integers(0, 4096)),
        threshold=int(rng.integers(200, 1200)), bias=rng.integers(-200, 300, each) * 8,
        bias_exponent=3, silent=silent,
    )


def calm(net: Network) -> Network:
    """`net` with exponents so low that no current can wrap twice in one step.

    Lava's LIF wraps u once, by subtracting 2**24 (lava-nc 0.10 proc/lif/models.py).
    """
    limit = {entry.name: entry.format.limit for entry in net.inputs}
    links = tuple(replace(link, format=replace(link.format, exponent=_calm_exponent(
        link, limit.get(link.source, 1)))) for link in net.projections)
    return replace(net, projections=links)


def _calm_exponent(link: Projection, limit: int) -> int:
    sizes = link.map.with_weights(np.abs(link.map.weights().astype(np.int64)))
    most = int(sizes.apply(np.full((1, int(np.prod(link.map.in_shape))), limit)).max())
    return min(link.format.exponent, 16 - most.bit_length())


def random_conv(rng: np.random.Generator) -> Conv:
    """A small convolution with any stride, padding, dilation and groups."""
    groups = int(rng.choice([1, 1, 2]))
    c_in, c_out = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
    return Conv(
        weight=np.zeros((c_out, c_in // groups, *kernel), np.int16),
        in_shape=(c_in, *(int(n) for n in rng.integers(5, 8, 2))),
        stride=tuple(int(s) for s in rng.integers(1, 3, 2)),
        padding=tuple(int(p) for p in rng.integers(0, 2, 2)),
        dilation=tuple(int(d) for d in rng.integers(1, 3, 2)), groups=groups,
    )


def _current(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A current to begin with: none, one for all, or one for each neuron."""
    each = shape if rng.random() < 0.5 else ()
    return (rng.integers(-999, 9999, each) * (rng.random() < 0.5)).astype(np.int32)


def _link(rng: np.random.Generator, source: str, target: str, linear: object,
          first_delay: int = 1) -> Projection:
    """A projection of `linear` with new weights in a random format."""
    sign, bits = str(rng.choice(SIGNS, p=[0.6, 0.3, 0.1])), int(rng.choice([8, 8, 8, 5]))
    sign = "excitatory" if source == "in" and sign == "inhibitory" else sign
    filled = linear.with_weights(weights(rng, linear.weights().shape, sign, bits))
    exponent = int(rng.integers(-3, 3)) + 8 - bits
    delay = first_delay + int(rng.choice([0, 0, 1, 4]))
    return projection(source, target, filled, delay, exponent, sign, bits)


def _population(rng: np.random.Generator, name: str, shape: tuple[int, ...], start: int
                ) -> Population:
    reset = rng.choice([Reset.ZERO, Reset.ZERO, Reset.NONE, Reset.SUBTRACT])
    each = rng.random() < 0.3
    values = neuron(
        du=int(rng.choice([4095, rng.integers(0, 4096)])), dv=int(rng.integers(0, 4096)),
        threshold=rng.integers(20, 400, shape) if each else int(rng.integers(20, 400)),
        bias=rng.integers(-4095, 4096, shape) if rng.random() < 0.5 else 0,
        bias_exponent=int(rng.integers(0, 4)), refractory=int(rng.choice([1, 1, 2, 5])),
        reset=reset, subtract_late=bool(rng.random() < 0.5),
        inclusive=bool(rng.spawn(1)[0].random() < 0.4),
        silent=bool(name == "readout" and rng.random() < 0.5),
        u_init=_current(rng.spawn(1)[0], shape), v_init=_current(rng.spawn(1)[0], shape),
    )
    return Population(name=name, shape=shape, neuron=values, start=start,
                      bias=np.zeros((), np.int32))
