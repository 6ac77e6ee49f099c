"""Fewer routing entries that route every arriving packet as before."""

from __future__ import annotations

import numpy as np

from nmcompile.errors import NmcError
from nmcompile.passes.route.multicast._compress_kernels import compress_chips
from nmcompile.passes.route.multicast.machine import Machine
from nmcompile.passes.route.multicast.tables import Arrivals, Tables


def compress(machine: Machine, arriving: Arrivals) -> Tables:
    """The fewest prefixes that route what arrives at each chip, the longest first.

    Draves, King, Venkatachary and Zill 1999 (Constructing optimal IP routing tables), with two
    freedoms of this router: keys that never arrive may match anything, and a packet that goes
    straight on may match nothing. Raises NmcError where a chip has too few entries.
    """
    bits = np.frexp(~arriving.mask)[1].astype(np.int64)
    start, key, top, route = compress_chips(arriving.start, arriving.key, bits, arriving.route,
                                            arriving.straight)
    made = Tables(start=start, key=key, mask=((-1 << top) & 0xFFFFFFFF).astype(np.uint32),
                  route=route)
    check_room(machine, made)
    return made


def check_room(machine: Machine, made: Tables) -> None:
    """Raise NmcError naming the chip that lacks most entries."""
    missing = made.entries() - machine.entries
    worst = int(np.argmax(missing))
    if missing[worst] > 0:
        raise NmcError(
            machine.name(worst),
            f"needs {made.entries()[worst]} routing entries, it has {machine.entries[worst]}",
            "Use more chips, or let fewer populations reach all cores.")

