"""Grow a multicast tree from each source slice to its targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nmcompile.errors import RouteError
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.multicast.demand import Demand
from nmcompile.mapping.multicast.machine import Machine
from nmcompile.passes.route.multicast._tree_kernels import grow


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """One tree for each source slice, empty where it has no target; the first node is its chip.

    start  (s+1,) int64   nodes of source i are start[i]:start[i+1]
    chip   (n,) int32     chip of each node
    link   (n,) int8      link that the packet travels on its way in, LOCAL at its source
    route  (n,) uint32    bits 0 to 5 links out, bit 6 + p core p
    """

    start: Array
    chip: Array
    link: Array
    route: Array

    def hops(self) -> Array:
        """(s,) links that one packet of each source crosses."""
        return np.maximum(np.diff(self.start) - 1, 0)

    def straight(self) -> Array:
        """(n,) where the chip would send the packet the same way without an entry."""
        return self.route == np.left_shift(1, self.link, dtype=np.int64)


def trees(machine: Machine, demand: Demand) -> Trees:
    """The tree of each source slice, over living chips and links alone.

    A tree takes up its nearest missing target by a shortest path until it has all (Takahashi and
    Matsuyama 1980, An approximate solution for the Steiner problem in graphs: at most twice the
    fewest links where links work both ways). As in Navaridas et al. 2015 (SpiNNaker: Enhanced
    multicast routing) a target joins the nearest part of the tree; here distances are those over
    the links that work, so dead parts need no repair. Of equal paths the straighter one is taken,
    which needs fewer entries. Raises NmcError where a target cannot be reached or a core is dead.
    """
    _check_cores(machine, demand)
    start, chip, link, route, lost = grow(machine.neighbour, demand.chip, demand.start,
                                          demand.target, demand.cores)
    if lost >= 0:
        source = int(np.searchsorted(demand.start, lost, "right")) - 1
        there = machine.name(demand.target[lost])
        raise RouteError(machine.name(demand.chip[source]), f"no living links lead to {there}",
                         "Place the slices on chips that are connected.")
    return Trees(start=start, chip=chip, link=link, route=route)


def _check_cores(machine: Machine, demand: Demand) -> None:
    dead = demand.cores & ~machine.cores[demand.target]
    if dead.any():
        at = int(np.flatnonzero(dead)[0])
        core = int(dead[at]).bit_length() - 1
        raise RouteError(machine.name(demand.target[at]), f"core {core} is dead or the monitor's",
                         "Place no slice there.")


