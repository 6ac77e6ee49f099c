"""Where nodes may stand, and where they stand before they are arranged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from nmcompile.errors import PlacementError
from nmcompile.ir.neurons.base import Array
from nmcompile.target import Target
from nmcompile.target.topology import nearest_chips

Rule = tuple[Array, Array]  # who, by number, and (n_cores,) bool of the cores they may stand on


def legal_cores(
    target: Target, usable: Array, n: int, rules: Sequence[Rule]
) -> tuple[Array, Array]:
    """Group (n,) int32 of each node and the cores (groups, n_cores) bool on which it may stand.

    Nodes without a rule are group 0: they stand on the first chips whose usable cores hold all.
    A node under several rules keeps them all. Raises NmcError where there are too few cores.
    """
    line = snake(target)
    line = line[usable[line]]
    if n > len(line):
        raise PlacementError(
            "network", f"needs {n:,} cores, {target.name} has {len(line):,} that may be "
            "used", "Use a target with more chips, or make its largest layers smaller.")
    bound = np.zeros((n + 1, len(rules)), bool)  # the last row is a node without a rule
    for i, (nodes, _) in enumerate(rules):
        bound[nodes, i] = True
    kinds, group = np.unique(bound, axis=0, return_inverse=True)
    chip = np.arange(target.n_cores) // target.cores_per_chip
    legal = np.tile(usable, (len(kinds), 1))
    legal[0] &= np.isin(chip, chip[line[:n]])
    for i, (_, cores) in enumerate(rules):
        legal[kinds[:, i]] &= cores
    return group.reshape(-1)[:n].astype(np.int32), legal


def first_cores(target: Target, group: Array, legal: Array) -> Array:
    """(n,) a legal core for each node: those under a rule are matched first, the rest in line.

    Raises NmcError where rules leave too few cores.
    """
    core = np.full(len(group), -1, np.int32)
    bound = np.flatnonzero(group)
    if len(bound):
        choices = scipy.sparse.csr_array(legal[group[bound]].astype(np.int8))
        core[bound] = maximum_bipartite_matching(choices, perm_type="column")
    if np.any(core[bound] < 0):
        raise PlacementError(
            "network", f"{len(bound):,} of its slices may stand on some cores only, "
            "which are too few for them", "Allow them more cores.")
    left = legal[0].copy()
    left[core[bound]] = False
    line, rest = snake(target), np.flatnonzero(group == 0)
    core[rest] = line[left[line]][: len(rest)]
    return core


def snake(target: Target) -> Array:
    """All cores along a boustrophedon through the tiles of one chip after the other.

    Chips with routers come by their hops from the first.
    """
    core = np.arange(target.n_cores, dtype=np.int32)
    if target.router is not None:
        return core.reshape(-1, target.cores_per_chip)[nearest_chips(target.router)].reshape(-1)
    chip, inside = np.divmod(core, target.cores_per_chip)
    per_tile, height = target.board.cores_per_tile.value, target.board.mesh_height.value
    column, rest = np.divmod(inside, per_tile * height)
    row = rest // per_tile
    row = np.where(column % 2, height - 1 - row, row)
    tile = row * target.board.mesh_width.value + column
    return (chip * target.cores_per_chip + tile * per_tile + rest % per_tile).astype(np.int32)
