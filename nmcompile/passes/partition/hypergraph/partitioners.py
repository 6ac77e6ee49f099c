"""Who cuts hypergraphs: our own partitioner, Mt-KaHyPar, or the better of both."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.hypergraph.cut import cut, level_of
from nmcompile.passes.partition.hypergraph.hypergraph import Hypergraph, km1

OWN, PEER, BEST = "own", "mt-kahypar", "auto"
PARTITIONERS = (OWN, PEER, BEST)
TOLD = "irregular populations are cut "  # begins the note of a build
ONE_AT_A_TIME = Lock()  # Mt-KaHyPar has threads of its own
LARGEST = 2**30  # of the sum of weights of vertices, which Mt-KaHyPar adds up in 32 bits

Cutter = Callable[[Hypergraph, int, float], Array]  # a hypergraph, parts, and their imbalance


def cutter(partitioner: str) -> Cutter:
    """The function that cuts as `partitioner`, one of PARTITIONERS, says; as `cut` with seed 0.

    own         ours alone
    mt-kahypar  Mt-KaHyPar alone, with its deterministic preset
    auto        both, of which the parts of lower km1 are taken, ours where they are equal

    The same hypergraph gives the same parts: of our own on any machine, of the others with the
    same version of Mt-KaHyPar. Raises NmcError where that is asked for and not installed.
    """
    if partitioner == OWN:
        return _own
    if find_spec("mtkahypar") is None:
        raise NmcError("partitioner", f"is '{partitioner}', and Mt-KaHyPar is not installed",
                       "pip install 'nmcompile[partition]', or take own.")
    return _peer if partitioner == PEER else _better


def told_of(partitioner: str) -> tuple[str, ...]:
    """What a build notes of a partitioner: nothing of our own, of others the version."""
    if partitioner == OWN:
        return ()
    said = "" if partitioner == PEER else "ours or, where its km1 is lower, "
    return (f"{TOLD}by {said}Mt-KaHyPar {version('mtkahypar')} (deterministic preset)",)


def _own(graph: Hypergraph, k: int, imbalance: float) -> Array:
    return cut(graph, k, imbalance=imbalance)


def _better(graph: Hypergraph, k: int, imbalance: float) -> Array:
    found = []
    for made in (_own, _peer):
        try:
            found.append(made(graph, k, imbalance))
        except NmcError as error:
            refused = error
    if not found:
        raise refused
    return min(found, key=lambda part: km1(graph, part, k))


def _peer(graph: Hypergraph, k: int, imbalance: float) -> Array:
    """The parts of Mt-KaHyPar 1.7 (Gottesbueren et al., ALENEX 2022), checked to be in balance."""
    import mtkahypar

    total = int(graph.vertex_weight.sum())
    limit = math.ceil((1 + imbalance) * total / k)
    unit = max(1, -(-total // LARGEST))
    level, weight = level_of(graph), -(-graph.vertex_weight // unit)
    nets = [pins.tolist() for pins in np.split(level.pins, level.start[1:])[: len(level.weight)]]
    room = (limit // unit + 0.5) / -(-int(weight.sum()) // k) - 1
    with ONE_AT_A_TIME:
        peer = _library()
        context = peer.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
        context.set_partitioning_parameters(k, max(room, 0.0), mtkahypar.Objective.KM1)
        mtkahypar.set_seed(0)
        built = peer.create_hypergraph(context, graph.n_vertices, len(nets), nets,
                                       weight.tolist(), level.weight.tolist())
        part = np.array(built.partition(context).get_partition(), np.int32)
    heaviest = int(np.bincount(part, graph.vertex_weight, k).max())
    if heaviest > limit:
        raise NmcError("hypergraph", f"Mt-KaHyPar makes a part of {heaviest:,}, a part may weigh "
                       f"{limit:,}", "Allow more imbalance or more parts.")
    return part


@cache
def _library() -> Any:
    """Mt-KaHyPar with a thread for each processor, on whose number no cut depends."""
    import mtkahypar

    return mtkahypar.initialize(os.cpu_count() or 1)
