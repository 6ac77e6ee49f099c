"""Put the nodes of a traffic graph on the cores of a board: flat arrays in, flat arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse

from nmcompile.ir.neurons.base import Array
from nmcompile.passes.place._link_kernels import relieve, send_all
from nmcompile.passes.place._place_kernels import descend, energy_of, wander
from nmcompile.passes.place.board import Board
from nmcompile.target.topology import INPUT_TILE

FIRST_ROUNDS = 5  # of the descent ahead of threshold accepting
ROUNDS = 60  # of the one behind it; ends earlier when nothing helps
SMALL = 64  # tiles of a board that a descent searches whole
RADIUS = 2  # tiles around a node's best place that it searches on a larger one
STAGES = 16  # of falling thresholds
TRIALS = 2_500_000  # swaps tried in all stages, but no more than MOST for each node in a stage
MOST = 200
HOT, COLD = 1.0, 0.002  # of a node's mean energy: what a swap may cost in the first, last stage
PARTNERS = 64  # of a node, those with most packets, that decide where it stands
RELIEFS = 40  # changes made for the busiest link, at most
RELIEF_WORK = 3 * 10**9  # links counted for that


@dataclass(frozen=True, kw_only=True, eq=False)
class Nodes:
    """What is placed: the traffic between nodes, and where each may stand.

    packets  (n + 1, n + 1) CSR, packets in a step from row to column; the last is the input port
    group    (n,) int32
    legal    (groups, n_cores) bool: on which cores the nodes of a group may stand
    busy_s   seconds in a step of the node that receives most; links that take less wait for it
    """

    packets: scipy.sparse.csr_array
    group: Array
    legal: Array
    busy_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of a placement: joules of all hops in a step, and seconds of the busiest link."""

    energy_j: float
    link_s: float


def arrange(nodes: Nodes, board: Board, chip: Array, core: Array, seed: int = 0) -> Array:
    """(n,) core of each node: least energy of hops, plus `board.busy_w` while cores wait for links.

    chip  (n_cores,) chip of each core
    core  (n,) where the nodes stand at first, legally and each by itself

    First nodes change chips while that saves crossings, each chip being one place, unless chips
    have one tile each. Then pairs
    swap and nodes move under falling thresholds (Dueck and Scheuer 1990), the way that they may go
    shrinking as in VPR (Betz and Rose 1997), and descend to where neither helps. Last, nodes
    that use the busiest link move while that pays. Same arguments, same bytes.
    """
    core = core.astype(np.int32)
    held = board.cores >= 0
    several = np.count_nonzero(held.any(axis=2)) > len(np.unique(chip[board.cores[held]]))
    if several and len(np.unique(chip[core])) > 1:
        coarse = board.by_chip(chip)
        core = _settle(nodes, coarse, core, seed, reach=1)
    core = _settle(nodes, board, core, seed, reach=max(board.cores.shape[:2]))
    return _relieve(nodes, board, core)


def cost_of(nodes: Nodes, board: Board, core: Array) -> Cost:
    """What a placement costs, counted packet by packet; loads are those of straight ways."""
    place, load = _places(board, core), np.zeros(len(board.link_s))
    packets = (nodes.packets.indptr, nodes.packets.indices, nodes.packets.data)
    send_all(*packets, place, len(board.x), load)
    return Cost(energy_j=energy_of(*packets, board.x, board.y, board.table, place),
                link_s=float((load * board.link_s).max(initial=0)))


def _settle(nodes: Nodes, board: Board, core: Array, seed: int, reach: int) -> Array:
    core, place, node = core.copy(), _places(board, core), _standing(nodes, core)
    traffic = heaviest(_symmetric(nodes.packets), PARTNERS)
    tiles = board.cores.shape[0] * board.cores.shape[1]
    radius = max(board.cores.shape[:2]) if tiles <= SMALL else RADIUS
    common = (traffic.indptr, traffic.indices, traffic.data, board.cores, board.x, board.y,
              board.table, nodes.group, nodes.legal, place, core, node)
    descend(*common, radius, FIRST_ROUNDS)
    wander(*common, _stages(traffic, board, place, reach), seed)
    descend(*common, radius, ROUNDS)
    return core


def _stages(traffic: scipy.sparse.csr_array, board: Board, place: Array, reach: int) -> Array:
    """(stages, 3): how much a swap may cost, how far it may reach, how often it is tried."""
    source = np.repeat(np.arange(len(place)), np.diff(traffic.indptr))
    a, b = place[source], place[traffic.indices]
    joules = np.abs(board.x[a[:, 0]] - board.x[b[:, 0]])
    joules = joules + np.abs(board.y[a[:, 1]] - board.y[b[:, 1]])
    each = float((traffic.data * joules).sum()) / len(place)
    fall = np.arange(STAGES) / (STAGES - 1)
    limit = each * HOT * (COLD / HOT) ** fall
    far = np.maximum(1, np.round(min(reach, 8) * (1 - fall)))
    tries = np.full(STAGES, min(MOST, -(-TRIALS // (STAGES * len(place)))))
    return np.stack([limit, far, tries], axis=1)


def _relieve(nodes: Nodes, board: Board, core: Array) -> Array:
    if board.busy_w == 0:
        return core
    core, place, node = core.copy(), _places(board, core), _standing(nodes, core)
    traffic, back = _symmetric(nodes.packets), scipy.sparse.csr_array(nodes.packets.T)
    tiles = board.cores.shape[0] * board.cores.shape[1]
    radius = max(board.cores.shape[:2]) if tiles <= SMALL else RADIUS
    relieve(traffic.indptr, traffic.indices, traffic.data, board.cores, board.x, board.y,
            board.table, nodes.group, nodes.legal, place, core, node,
            nodes.packets.indptr, nodes.packets.indices, nodes.packets.data,
            back.indptr, back.indices, back.data, board.link_s, nodes.busy_s, board.busy_w,
            radius, RELIEFS, RELIEF_WORK)
    return core


def _symmetric(packets: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Packets between two nodes, both ways, without those of a node to itself."""
    both = scipy.sparse.coo_array(packets + packets.T)
    apart = both.row != both.col
    pairs = (both.data[apart], (both.row[apart], both.col[apart]))
    result = scipy.sparse.csr_array(scipy.sparse.coo_array(pairs, shape=packets.shape))
    result.sort_indices()
    return result


def heaviest(traffic: scipy.sparse.csr_array, partners: int) -> scipy.sparse.csr_array:
    """Symmetric `traffic` without pairs that neither has among its `partners` with most packets.

    All of it where nodes have no more than `partners` on average.
    """
    n = traffic.shape[0]
    degree = np.diff(traffic.indptr)
    if degree.mean() <= partners:
        return traffic
    row = np.repeat(np.arange(n), degree)
    order = np.lexsort((-traffic.data, row))
    rank = np.empty(len(row), np.int64)
    rank[order] = np.arange(len(row)) - np.repeat(traffic.indptr[:-1], degree)
    kept = scipy.sparse.csr_array((rank < partners, traffic.indices, traffic.indptr), traffic.shape)
    kept = kept + kept.T
    result = scipy.sparse.csr_array(traffic.multiply(kept))
    result.eliminate_zeros()
    result.sort_indices()
    return result


def _places(board: Board, core: Array) -> Array:
    """(n + 1, 2) int32 column and row of each node, the port last."""
    return np.concatenate([board.tile_of()[core], np.array([INPUT_TILE], np.int32)])


def _standing(nodes: Nodes, core: Array) -> Array:
    node = np.full(nodes.legal.shape[1], -1, np.int32)
    node[core] = np.arange(len(core), dtype=np.int32)
    return node
