"""Networks for the comparison with sPyNNaker, as arrays that both sides read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray
ALL_TO_ALL, ONE_TO_ONE, PROBABILITY, ROWS = range(4)

# Potjans and Diesmann 2014, tables 1 and 5: populations L2/3E, L2/3I, L4E ... L6I of the cortical
# microcircuit, and connection probabilities, rows are targets.
MICROCIRCUIT = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
PROBABILITIES = (
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)


@dataclass(frozen=True, kw_only=True)
class Net:
    """Populations by size, and projections (pre, post, kind, probability or rows).

    rows  projection number -> (synapses, 2) source and target of each synapse
    """

    sizes: list[int]
    inputs: list[bool]
    projections: list[tuple[int, int, int, float]]
    rows: dict[int, Array] = field(default_factory=dict)

    def save(self, path: str) -> None:
        """Write the arrays that tools/oracles/spinnaker_mapping.py reads."""
        pre, post, kind, probability = zip(*self.projections, strict=True)
        rows = {f"rows{i}": r for i, r in self.rows.items()}
        np.savez(path, sizes=self.sizes, inputs=self.inputs, pre=pre, post=post, kind=kind,
                 probability=probability, **rows)


def balanced() -> Net:
    """1,000 neurons: excitation and inhibition at random, as in Vogels and Abbott, and noise."""
    links = [(pre, post, PROBABILITY, 0.1) for pre in (0, 1) for post in (0, 1)]
    links += [(2, 0, ONE_TO_ONE, 0.0), (3, 1, ONE_TO_ONE, 0.0)]
    return Net(sizes=[800, 200, 800, 200], inputs=[False, False, True, True], projections=links)


def layered() -> Net:
    """10,000 neurons: an input and layers of 1,000 that see a window of the layer before.

    Every third layer is seen by all of the next, and all layers inhibit themselves at random.
    """
    random = np.random.default_rng(10)
    n, layers = 1000, 10
    links: list[tuple[int, int, int, float]] = []
    rows = {}
    for layer in range(layers):
        if layer % 3 == 2:
            links.append((layer, layer + 1, ALL_TO_ALL, 0.0))
        else:
            rows[len(links)] = _window(random, n, fan_in=20, width=100)
            links.append((layer, layer + 1, ROWS, 0.0))
        links.append((layer + 1, layer + 1, PROBABILITY, 0.02))
    return Net(sizes=[n] * (layers + 1), inputs=[True] + [False] * layers, projections=links,
               rows=rows)


def microcircuit() -> Net:
    """50,000 neurons: the cortical microcircuit at 65 % of its size, and noise to each."""
    scale = 50000 / sum(MICROCIRCUIT)
    sizes = [round(n * scale) for n in MICROCIRCUIT]
    links = [
        (pre, post, PROBABILITY, PROBABILITIES[post][pre])
        for pre in range(8) for post in range(8) if PROBABILITIES[post][pre] > 0
    ]
    links += [(8 + i, i, ONE_TO_ONE, 0.0) for i in range(8)]
    return Net(sizes=2 * sizes, inputs=[False] * 8 + [True] * 8, projections=links)


def hot() -> Net:
    """One population of 1,000 that reaches all of 32 others of 600, which form a chain."""
    random = np.random.default_rng(32)
    links: list[tuple[int, int, int, float]] = [(0, i, PROBABILITY, 0.1) for i in range(1, 33)]
    rows = {}
    for i in range(1, 32):
        rows[len(links)] = _window(random, 600, fan_in=10, width=60)
        links.append((i, i + 1, ROWS, 0.0))
    return Net(sizes=[1000] + [600] * 32, inputs=[True] + [False] * 32, projections=links,
               rows=rows)


def _window(random: np.random.Generator, n: int, fan_in: int, width: int) -> Array:
    """Synapses of `n` targets with `fan_in` sources each, at most `width` / 2 away."""
    target = np.repeat(np.arange(n), fan_in)
    source = target + random.integers(-width // 2, width // 2 + 1, n * fan_in)
    rows = np.unique(np.stack([np.clip(source, 0, n - 1), target], axis=1), axis=0)
    return np.asfortranarray(rows)


NETWORKS: dict[str, Callable[[], Net]] = {
    "balanced 1k": balanced, "layered 10k": layered, "microcircuit 50k": microcircuit,
    "hot fan-out 20k": hot,
}
