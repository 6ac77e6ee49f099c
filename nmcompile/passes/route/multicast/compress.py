"""Fewer routing entries that route every arriving packet as before."""

from __future__ import annotations

import numpy as np

from nmcompile.mapping.capacity import CapacityError
from nmcompile.mapping.multicast.machine import Machine
from nmcompile.mapping.multicast.routing import Tables
from nmcompile.passes.route.multicast._compress_kernels import compress_chips
from nmcompile.passes.route.multicast.tables import Arrivals


def compress(machine: Machine, arriving: Arrivals) -> Tables:
    """A short table for each chip, in which order counts.

    First the fewest prefixes, the longest first (Draves, King, Venkatachary and Zill 1999,
    Constructing optimal IP routing tables), with two freedoms of this router: keys that never
    arrive may match anything, and a packet that goes straight on may match nothing. Where a route
    still has several entries, pairs merge into one wider entry, which may cover keys of others as
    long as entries before it catch them (after Mundy, Heathcote and Garside 2016, On-chip
    order-exploiting routing table minimization for a multicast supercomputer network); a merge
    is taken only if every arriving block is still routed as before. Raises CapacityError where a
    chip has too few entries.
    """
    start, key, mask, route = compress_chips(arriving.start, arriving.key, arriving.mask,
                                             arriving.route, arriving.straight)
    made = Tables(start=start, key=key, mask=mask, route=route)
    check_room(machine, made)
    return made


def check_room(machine: Machine, made: Tables) -> None:
    """Raise CapacityError naming the chip that lacks most entries."""
    missing = made.entries() - machine.entries
    worst = int(np.argmax(missing))
    if missing[worst] > 0:
        raise CapacityError(
            "", "router entries", f"{machine.name(worst)} needs {made.entries()[worst]:,} routing "
            f"entries, it has {machine.entries[worst]:,}",
            "Use more chips, or let fewer populations reach all cores.")

