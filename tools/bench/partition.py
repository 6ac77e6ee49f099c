"""Our hypergraph partitioner beside a preset of Mt-KaHyPar: km1, time and their ratios.

    python tools/bench/partition.py [--pins 10000,100000,1000000] [--families local,pruned]
        [--seeds 1] [--threads 2] [-k 64] [--preset default]

Both run in this process, on the same hypergraphs (tools/bench/hypergraphs.py), one after the other
for each. Ours runs on one thread. Needs the extra `partition`. Exits with 1 where a partition of
ours is more than 5 % worse or takes more than a fifth of the peer's time.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mtkahypar
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from hypergraphs import FAMILIES, Array, Instance

from nmcompile.passes.partition.hypergraph import Hypergraph, cut, km1

IMBALANCE = 0.05


def ours(graph: Hypergraph, k: int, seed: int) -> tuple[Array, float]:
    """The parts and the seconds that `cut` took."""
    begin = time.perf_counter()
    part = cut(graph, k, imbalance=IMBALANCE, seed=seed)
    return part, time.perf_counter() - begin


def theirs(
    peer: Any, graph: Hypergraph, k: int, seed: int, preset: str
) -> tuple[Array, float]:
    """The parts and the seconds that Mt-KaHyPar took, without building its hypergraph."""
    mtkahypar.set_seed(seed)
    context = peer.context_from_preset(getattr(mtkahypar.PresetType, preset))
    context.set_partitioning_parameters(k, IMBALANCE, mtkahypar.Objective.KM1)
    nets = [net.tolist() for net in np.split(graph.pins, graph.start[1:-1])]
    built = peer.create_hypergraph(
        context, graph.n_vertices, graph.n_nets, nets,
        graph.vertex_weight.tolist(), graph.net_weight.tolist(),
    )
    begin = time.perf_counter()
    partitioned = built.partition(context)
    seconds = time.perf_counter() - begin
    return np.array(partitioned.get_partition()), seconds


def measured(graph: Hypergraph, part: Array, k: int) -> float:
    """Km1 of parts that are checked to be in balance."""
    limit = math.ceil((1 + IMBALANCE) * graph.vertex_weight.sum() / k)
    assert np.bincount(part, graph.vertex_weight, k).max() <= limit
    return km1(graph, part, k)


def row(
    peer: Any, instance: Instance, k: int, seeds: int, preset: str
) -> tuple[float, float]:
    """Ratios of km1 and time, means over seeds; prints the figures of an instance."""
    graph = instance.draw()
    cost, seconds = np.zeros((2, seeds)), np.zeros((2, seeds))
    for seed in range(seeds):
        both = ours(graph, k, seed), theirs(peer, graph, k, seed, preset)
        for i, (part, taken) in enumerate(both):
            cost[i, seed], seconds[i, seed] = measured(graph, part, k), taken
    (our_cost, cost_there), (our_time, time_there) = cost.mean(1), seconds.mean(1)
    print(
        f"{instance.name:<26}{graph.n_vertices:>8}{len(graph.pins):>9}{our_cost:>12.0f}"
        f"{cost_there:>12.0f}{our_cost / cost_there:>8.3f}{our_time:>9.3f}{time_there:>9.3f}"
        f"{our_time / time_there:>8.3f}",
        flush=True,
    )
    return our_cost / cost_there, our_time / time_there


def main() -> int:
    """Print the table; 0 where both bounds hold on every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pins", default="10000,100000,1000000")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("-k", type=int, default=64)
    parser.add_argument("--preset", choices=("default", "deterministic"), default="default")
    options = parser.parse_args()
    peer = mtkahypar.initialize(options.threads)
    cut(Instance(family="small-world", pins=2000).draw(), 4)  # compiles, or loads what was
    print(f"Mt-KaHyPar {version('mtkahypar')} {options.preset}, {options.threads} threads; "
          f"k {options.k}")
    print(f"{'':<26}{'vertices':>8}{'pins':>9}{'km1':>12}{'theirs':>12}{'ratio':>8}"
          f"{'s':>9}{'theirs':>9}{'ratio':>8}")
    ratios = np.array([
        row(peer, Instance(family=family, pins=int(pins)), options.k, options.seeds,
            options.preset.upper())
        for pins in options.pins.split(",")
        for family in FAMILIES
        if any(family.startswith(name) for name in options.families.split(","))
    ])
    means = np.exp(np.log(ratios).mean(0))
    print(f"geometric means: km1 {means[0]:.3f}, time {means[1]:.3f}")
    return int(bool(np.any(ratios > [1.05, 0.2])))


if __name__ == "__main__":
    sys.exit(main())
