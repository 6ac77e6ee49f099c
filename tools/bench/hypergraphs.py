"""Hypergraphs of spiking networks to cut: one net a neuron, of it and all its targets.

A net weighs the spikes that its neuron sends during a sample, drawn log-normally, as rates of
cortical neurons are distributed (Buzsaki and Mizuseki, Nature Reviews Neuroscience 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nmcompile.passes.partition.hypergraph import Hypergraph

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A family of networks, drawn at the size nearest to `pins`."""

    family: str
    pins: int
    seed: int = 0

    @property
    def name(self) -> str:
        """The family and the number of pins in thousands."""
        return f"{self.family}-{self.pins // 1000}k"

    def draw(self) -> Hypergraph:
        """The hypergraph, the same for the same fields."""
        rng = np.random.default_rng((self.seed, self.pins, sorted(FAMILIES).index(self.family)))
        n, source, target = FAMILIES[self.family](rng, self.pins)
        return _source_centred(rng, n, source, target)


def _source_centred(rng: np.random.Generator, n: int, source: Array, target: Array) -> Hypergraph:
    edges = np.unique(source.astype(np.int64) * n + target)
    edges = edges[edges // n != edges % n]
    senders = np.unique(edges // n)
    pins = np.unique(np.concatenate([edges, senders * (n + 1)]))
    start = np.searchsorted(pins // n, np.append(senders, n))
    spikes = 1 + np.exp(rng.normal(3.0, 1.0, len(senders))).astype(np.int64)
    return Hypergraph(
        start=start.astype(np.int64),
        pins=(pins % n).astype(np.int32),
        net_weight=spikes,
        vertex_weight=np.ones(n, np.int64),
    )


def _fan_out(rng: np.random.Generator, n: int) -> Array:
    """Indices of sources, each repeated by a fan-out of 10 to 50 (30 on average)."""
    return np.repeat(np.arange(n), rng.integers(10, 51, n))


def _nearby(rng: np.random.Generator, source: Array, side: int, spread: float) -> Array:
    """For each source on a square of `side` neurons, one at a Gaussian distance from it."""
    offset = rng.normal(0.0, spread, (2, len(source))).round().astype(np.int64)
    row, column = source // side + offset[0], source % side + offset[1]
    return np.clip(row, 0, side - 1) * side + np.clip(column, 0, side - 1)


def local_recurrent(rng: np.random.Generator, pins: int) -> tuple[int, Array, Array]:
    """One sheet whose neurons reach others at a Gaussian distance of 4 neurons."""
    side = max(8, round((pins / 30) ** 0.5))
    source = _fan_out(rng, side * side)
    return side * side, source, _nearby(rng, source, side, 4.0)


def local_feedforward(rng: np.random.Generator, pins: int) -> tuple[int, Array, Array]:
    """Six sheets, each reaching the next at a Gaussian distance of 3 neurons."""
    sheets = 6
    side = max(5, round((pins / 25 / sheets) ** 0.5))
    sheet = side * side
    source = _fan_out(rng, sheet * (sheets - 1))
    near = _nearby(rng, source % sheet, side, 3.0)
    return sheet * sheets, source, (source // sheet + 1) * sheet + near


def small_world(rng: np.random.Generator, pins: int) -> tuple[int, Array, Array]:
    """A ring of neurons that reach their 20 nearest, a tenth rewired (Watts and Strogatz 1998)."""
    n = max(64, pins // 21)
    source = np.repeat(np.arange(n), 20)
    near = np.tile(np.concatenate([np.arange(-10, 0), np.arange(1, 11)]), n)
    rewired = rng.random(len(source)) < 0.1
    return n, source, np.where(rewired, rng.integers(0, n, len(source)), (source + near) % n)


def pruned_dense(rng: np.random.Generator, pins: int) -> tuple[int, Array, Array]:
    """Layers all connected, of which a tenth of the synapses remains, at random."""
    layers = 5
    width = max(20, round((pins / 0.1 / (layers - 1)) ** 0.5))
    row, column = np.divmod(np.flatnonzero(rng.random(width * width * (layers - 1)) < 0.1), width)
    return width * layers, row, (row // width + 1) * width + column


def power_law(rng: np.random.Generator, pins: int) -> tuple[int, Array, Array]:
    """Fan-outs from a power law of exponent 2.2; half the targets near on a ring, half popular."""
    n = max(64, pins // 24)
    fan_out = np.minimum(8 * (1 + rng.pareto(1.2, n)), n / 4).astype(np.int64)
    source = np.repeat(np.arange(n), fan_out)
    reach = 2 * fan_out[source] + 2
    near = (source + np.round(rng.uniform(-1, 1, len(source)) * reach).astype(np.int64)) % n
    popular = (n * rng.random(len(source)) ** 2).astype(np.int64)
    popular = np.random.default_rng(1).permutation(n)[popular]
    return n, source, np.where(rng.random(len(source)) < 0.5, near, popular)


FAMILIES: dict[str, Callable[[np.random.Generator, int], tuple[int, Array, Array]]] = {
    "local-feedforward": local_feedforward,
    "local-recurrent": local_recurrent,
    "small-world": small_world,
    "pruned-dense": pruned_dense,
    "power-law": power_law,
}
