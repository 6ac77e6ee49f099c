"""What keeps a core busy from one tick of its timer to the next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TickWork:
    """Seconds, unless said otherwise.

    tick      from one tick to the next
    timer     of a tick ahead of all updates
    update    of a compartment; `spike` more where its neuron fires
    burst     of beginning to take packets; those that come while a core takes others need none
    receive   of a packet
    lookup    of finding its row; `halving` more for each halving of the table of sources
    row       of a row besides its synapses, `event` of each of these
    line      from one spike of an input to the next: they come one by one from the tick on
    buffer    packets that wait for a core at most, more are lost
    """

    tick: float
    timer: float
    update: float
    spike: float
    burst: float
    receive: float
    lookup: float
    halving: float
    row: float
    event: float
    line: float
    buffer: int
