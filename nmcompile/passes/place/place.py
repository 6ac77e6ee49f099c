"""Put every slice on a core so that spikes travel few hops and no link is a bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from nmcompile.errors import NmcError
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Axons, Slices
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.passes.place.arrange import Nodes, arrange
from nmcompile.passes.place.board import board_of
from nmcompile.target import Target

Rule = tuple[Array, Array]  # numbers of slices, and (n_cores,) bool of the cores they may stand on


def place(  # noqa: PLR0913 - what may be left out is by keyword
    network: Network,
    slices: Slices,
    axons: tuple[Axons, ...],
    target: Target,
    rates: dict[str, Array],
    *,
    free: Array | None = None,
    allowed: Sequence[Rule] = (),
    together: Array | None = None,
) -> Slices:
    """`slices` with one core each, or all on the one core that a board has.

    rates     name of input or population -> (n,) mean spikes of each neuron in a step
    free      (n_cores,) bool, cores that may be used; default: all
    allowed   rules for some slices; a slice under several keeps them all
    together  (s,) int, slices of one number share a core; default: each slice has its own

    Slices start in the network's order along a line that snakes through the tiles of one chip
    after the other, as few chips as hold them; `arrange` then lowers the cost. Raises NmcError
    where there are too few cores.
    """
    if target.n_cores == 1:
        return replace(slices, core=np.zeros(len(slices), np.int32))
    usable = np.ones(target.n_cores, bool) if free is None else free
    node = np.arange(len(slices)) if together is None else np.unique(together, return_inverse=True)[1]
    n = int(node.max()) + 1
    group, legal = _legal(target, usable, node, n, allowed)
    first = _first_cores(target, group, legal)
    packets, busy_s = _traffic(network, slices, axons, target, rates, node)
    nodes = Nodes(packets=packets, group=group, legal=legal, busy_s=busy_s)
    chip = np.arange(target.n_cores) // target.cores_per_chip
    return replace(slices, core=arrange(nodes, board_of(target, usable), chip, first)[node])


def _legal(
    target: Target, usable: Array, node: Array, n: int, allowed: Sequence[Rule]
) -> tuple[Array, Array]:
    """Group of each of the `n` nodes and where it may stand; those without a rule are group 0."""
    line = _snake(target)
    line = line[usable[line]]
    if n > len(line):
        raise NmcError("network", f"needs {n:,} cores, {target.name} has {len(line):,} that may be "
                       "used", "Use a target with more chips, or make its largest layers smaller.")
    chips = np.arange(target.n_cores) // target.cores_per_chip
    masks = [usable & (chips <= chips[line[:n]].max())]
    rules = np.zeros((len(allowed), n), bool)
    for i, (numbers, _) in enumerate(allowed):
        rules[i, node[np.asarray(numbers)]] = True
    kinds, group = np.unique(rules.T, axis=0, return_inverse=True)
    group, found = group.reshape(-1), {}
    for i, kind in enumerate(kinds):
        if kind.any():
            found[i] = len(masks)
            masks.append(np.logical_and.reduce([usable, *(allowed[k][1] for k in np.flatnonzero(kind))]))
        else:
            found[i] = 0
    return np.array([found[i] for i in group], np.int32), np.stack(masks)


def _first_cores(target: Target, group: Array, legal: Array) -> Array:
    """A legal core for each node: those under a rule are matched first, the rest stand in line."""
    core = np.full(len(group), -1, np.int32)
    bound = np.flatnonzero(group)
    if len(bound):
        core[bound] = maximum_bipartite_matching(
            scipy.sparse.csr_array(legal[group[bound]].astype(np.int8)), perm_type="column")
        if np.any(core[bound] < 0):
            raise NmcError("network", f"{len(bound):,} of its slices may stand on some cores only, "
                           "which are too few", "Allow them more cores.")
    line = _snake(target)
    open_ = legal[0].copy()
    open_[core[bound]] = False
    rest = np.flatnonzero(group == 0)
    core[rest] = line[open_[line]][: len(rest)]
    return core


def _snake(target: Target) -> Array:
    """All cores along a boustrophedon through the tiles of one chip after the other."""
    core = np.arange(target.n_cores)
    chip, inside = np.divmod(core, target.cores_per_chip)
    per_tile, height = target.board.cores_per_tile.value, target.board.mesh_height.value
    column, rest = np.divmod(inside, per_tile * height)
    row = rest // per_tile
    row = np.where(column % 2, height - 1 - row, row)
    tile = row * target.board.mesh_width.value + column
    return (chip * target.cores_per_chip + tile * per_tile + rest % per_tile).astype(np.int32)


def _traffic(  # noqa: PLR0913
    network: Network,
    slices: Slices,
    axons: tuple[Axons, ...],
    target: Target,
    rates: dict[str, Array],
    node: Array,
) -> tuple[scipy.sparse.csr_array, float]:
    """Packets in a step from node to node, the last being the input port; the busiest's seconds."""
    index = {p.name: i for i, p in enumerate(network.populations)}
    n, cost = int(node.max()) + 1, target.time_s
    total, busy = scipy.sparse.csr_array((n + 1, n + 1)), np.zeros(n)
    for projection, axon in zip(network.projections, axons, strict=True):
        rate = rates[projection.source].reshape(-1)
        owner = (
            node[slice_of_neurons(network, slices, index[projection.source])]
            if projection.source in index
            else np.full(len(rate), n)
        )
        counts, to = np.diff(axon.start), node[axon.slice]
        packets = np.repeat(rate, counts)
        pairs = (packets, (np.repeat(owner, counts), to))
        total = total + scipy.sparse.csr_array(scipy.sparse.coo_array(pairs, shape=total.shape))
        seconds = cost.packet_in.value + axon.synapses * cost.synaptic_event.value
        busy += np.bincount(to, packets * seconds, n)
    total.eliminate_zeros()
    return scipy.sparse.csr_array(total), float(busy.max(initial=0.0))
