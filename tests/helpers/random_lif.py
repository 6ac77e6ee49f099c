"""Random networks of plain LIF neurons that reach the ends of Loihi's registers."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from helpers.loihi_programs import dense, network, neuron, port, projection, sparse, weights
from helpers.random_loihi import SIGNS, calm, random_conv
from nmcompile.ir import Network, Population, Projection
from nmcompile.ir.maps import Conv

LIMIT = 2**23 - 1


def lif_network(seed: int, payload_bits: tuple[int, ...] = (0, 9)) -> Network:
    """Three populations with neurons that Lava's own LIF runs, with loops and delays up to 63.

    No current can wrap twice in one step: three projections of at most 2**16 units end in each.
    """
    rng = np.random.default_rng(seed)
    entry = random_conv(rng)
    sizes = {"first": entry.out_shape, "second": (int(rng.integers(2, 9)),),
             "third": (int(rng.integers(2, 9)),)}
    layers = tuple(Population(name=name, shape=shape, neuron=edge_neuron(rng, shape),
                              bias=np.zeros((), np.int32)) for name, shape in sizes.items())
    shapes = {"in": entry.in_shape, **sizes}
    links = [_conv(rng, entry), _link(rng, shapes, "first", "second"),
             _link(rng, shapes, "second", "third"), _link(rng, shapes, "third", "second"),
             _link(rng, shapes, "in", "third"), _link(rng, shapes, "third", "third")]
    bits = int(rng.choice(payload_bits))
    return calm(network((port(entry.in_shape, bits),), layers, tuple(links)))


def edge_neuron(rng: np.random.Generator, shape: tuple[int, ...], **more: object) -> LoihiNeuron:
    """Registers at their ends as often as between them; bias and first states for each neuron."""
    exponent = int(rng.integers(0, 8))
    loud, full = rng.random() < 0.5, rng.random() < 0.3
    start = LIMIT if full else 2**12
    return neuron(
        du=int(rng.choice([-1, 0, 4095, rng.integers(0, 4096)])),
        dv=int(rng.choice([0, 4095, rng.integers(0, 4096)])),
        threshold=int(rng.choice([0, 131071, rng.integers(0, 131072), rng.integers(1, 999)])),
        bias=rng.choice([-4095, 0, 4095, int(rng.integers(-4095, 4096))], shape) if loud else 0,
        bias_exponent=exponent,
        u_init=rng.integers(-start, start + 1, shape).astype(np.int32),
        v_init=rng.integers(-start, start + 1, shape).astype(np.int32), **more)


def _conv(rng: np.random.Generator, conv: Conv) -> Projection:
    """A convolution, half of them as Lava has it: no exponent and one step of delay."""
    sign, plain = str(rng.choice(SIGNS)), rng.random() < 0.5
    filled = conv.with_weights(weights(rng, conv.weights().shape, sign))
    return projection("in", "first", filled, 1 if plain else _delay(rng),
                      0 if plain else int(rng.integers(-8, 8)), sign)


def _link(rng: np.random.Generator, shapes: dict[str, tuple[int, ...]], source: str, target: str
          ) -> Projection:
    """Dense or sparse weights of any format; where the exponent is high, few of them."""
    sign, bits = str(rng.choice(SIGNS)), int(rng.integers(1, 9))
    n_in, n_out = prod(shapes[source]), prod(shapes[target])
    linear = sparse(rng, n_in, n_out) if rng.random() < 0.4 else dense(
        np.zeros((n_out, n_in), np.int16))
    linear = replace(linear, in_shape=shapes[source], out_shape=shapes[target])
    exponent = int(rng.integers(-8, 8))
    values = weights(rng, linear.weights().shape, sign, bits)
    few = exponent + bits > 9
    values = values * (rng.random(values.shape) < (2 / n_in if few else 1))
    return projection(source, target, linear.with_weights(values.astype(np.int16)), _delay(rng),
                      exponent, sign, bits)


def _delay(rng: np.random.Generator) -> int:
    return int(rng.choice([1, 2, 63, rng.integers(1, 64)]))
