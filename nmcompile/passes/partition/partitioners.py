"""Who cuts hypergraphs: our own partitioner, Mt-KaHyPar, or the better of both."""

from __future__ import annotations

import math
import os
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np

from nmcompile.errors import PackageError
from nmcompile.ir.neurons.base import Array
from nmcompile.passes.partition.blocks import Cutter, own_cutter
from nmcompile.passes.partition.hypergraph import Hypergraph, km1
from nmcompile.passes.partition.hypergraph.cut import level_of

OWN, PEER, BEST = "own", "mt-kahypar", "auto"
PARTITIONERS = (OWN, PEER, BEST)
TOLD = "irregular populations are cut "  # begins the note of a build
LARGEST = 2**30  # of the sum of weights of vertices, which Mt-KaHyPar adds up in 32 bits
ALONE = Lock()  # its seed is the process's, and it has threads of its own


def cutter(partitioner: str) -> Cutter:
    """The function that cuts as `partitioner`, one of PARTITIONERS, says, with seed 0.

    own         ours alone
    mt-kahypar  Mt-KaHyPar alone, with its deterministic preset
    auto        both, of which the parts of lower km1 are taken, ours where they are equal

    The same hypergraph gives the same parts: of our own on any machine, of the others with the
    same version of Mt-KaHyPar. Raises NmcError where that is asked for and not installed.
    """
    if partitioner == OWN:
        return own_cutter
    if find_spec("mtkahypar") is None:
        raise PackageError("partitioner", f"is '{partitioner}', and Mt-KaHyPar is not installed",
                           "pip install '.[partition]' in nmcompile's folder, or take own.")
    return _peer if partitioner == PEER else _better


def told_of(partitioner: str) -> tuple[str, ...]:
    """What a build notes of a partitioner: nothing of our own, of others the version."""
    if partitioner == OWN:
        return ()
    said = "" if partitioner == PEER else "ours or, where its km1 is lower, "
    return (f"{TOLD}by {said}Mt-KaHyPar {version('mtkahypar')} (deterministic preset)",)


def _better(graph: Hypergraph, k: int, imbalance: float) -> Array | None:
    found = [made(graph, k, imbalance) for made in (own_cutter, _peer)]
    return min((part for part in found if part is not None),
               key=lambda part: km1(graph, part, k), default=None)


def _peer(graph: Hypergraph, k: int, imbalance: float) -> Array | None:
    """The parts of Mt-KaHyPar 1.7 (Gottesbueren et al., ALENEX 2022); None if out of balance."""
    import mtkahypar

    total = int(graph.vertex_weight.sum())
    limit = math.ceil((1 + imbalance) * total / k)
    unit = max(1, -(-total // LARGEST))
    level, weight = level_of(graph), -(-graph.vertex_weight // unit)
    nets = [pins.tolist() for pins in np.split(level.pins, level.start[1:])[: len(level.weight)]]
    with ALONE:
        peer = _library()
        context = peer.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
        room = (limit // unit + 0.5) / -(-int(weight.sum()) // k) - 1
        context.set_partitioning_parameters(k, max(room, 0.0), mtkahypar.Objective.KM1)
        mtkahypar.set_seed(0)
        built = peer.create_hypergraph(context, graph.n_vertices, len(nets), nets,
                                       weight.tolist(), level.weight.tolist())
        part = np.array(built.partition(context).get_partition(), np.int32)
    return part if np.bincount(part, graph.vertex_weight, k).max() <= limit else None


@cache
def _library() -> Any:
    """Mt-KaHyPar with a thread for each processor, on whose number no cut depends."""
    import mtkahypar

    return mtkahypar.initialize(os.cpu_count() or 1)
