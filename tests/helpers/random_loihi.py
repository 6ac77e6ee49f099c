"""Random networks over all that a Loihi program may hold."""

from __future__ import annotations

import numpy as np

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


def _link(rng: np.random.Generator, source: str, target: str, linear: object,
          first_delay: int = 1) -> Projection:
    """A projection of `linear` with new weights in a random format."""
    sign, bits = str(rng.choice(SIGNS, p=[0.6, 0.3, 0.1])), int(rng.choice([8, 8, 8, 5]))
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
        threshold=rng.integers(20, 900, shape) if each else int(rng.integers(20, 900)),
        bias=rng.integers(-4095, 4096, shape) if rng.random() < 0.5 else 0,
        bias_exponent=int(rng.integers(0, 4)), refractory=int(rng.choice([1, 1, 2, 5])),
        reset=reset, subtract_late=bool(rng.random() < 0.5),
        silent=bool(name == "readout" and rng.random() < 0.5),
    )
    return Population(name=name, shape=shape, neuron=values, start=start,
                      bias=np.zeros((), np.int32))
