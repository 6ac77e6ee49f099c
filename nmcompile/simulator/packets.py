"""The packets of a program: on a mesh in dimension order, or through routers that copy them."""

from __future__ import annotations

from typing import Protocol

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Program
from nmcompile.simulator.multicast import MulticastTraffic, expected_multicast
from nmcompile.simulator.traffic import Expected, Tally, Traffic, expected_on_mesh


class Counter(Protocol):
    """Counts packets step by step."""

    def tally(self, spikes: dict[str, Array], samples: int) -> Tally:
        """Counts for the spikes that all sources send in one step, (samples, n) int32 each."""


def traffic_of(program: Program) -> Counter:
    """What counts the packets of `program`."""
    return Traffic(program) if program.target.router is None else MulticastTraffic(program)


def expected_traffic(program: Program) -> Expected:
    """What the spikes of a step cost on average, at the rates that the mapping was made for."""
    expected = expected_on_mesh if program.target.router is None else expected_multicast
    return expected(program)
