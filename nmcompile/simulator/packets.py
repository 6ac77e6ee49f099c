"""The packets of a program: on a mesh in dimension order, or through routers that copy them."""

from __future__ import annotations

from collections.abc import Callable

from nmcompile.mapping import Program, Timing
from nmcompile.simulator.cycle import CycleTiming
from nmcompile.simulator.fast import FastTiming
from nmcompile.simulator.multicast import MulticastTiming, expected_multicast
from nmcompile.simulator.traffic import Expected, expected_on_mesh


def fast_timing(program: Program) -> Timing:
    """The time of the steps of `program` from counts alone."""
    return FastTiming(program) if program.target.router is None else MulticastTiming(program)


def cycle_timing(program: Program) -> Timing:
    """The time of the steps of `program` where packets meet, if its target says what they pass.

    Where it does not, as for chips that are one tile, counts alone tell the time.
    """
    return fast_timing(program) if program.target.network is None else CycleTiming(program)


TIMINGS: dict[str, Callable[[Program], Timing]] = {"cycle": cycle_timing, "fast": fast_timing}


def expected_traffic(program: Program) -> Expected:
    """What the spikes of a step cost on average, at the rates that the mapping was made for."""
    expected = expected_on_mesh if program.target.router is None else expected_multicast
    return expected(program)
