"""The packets of a program: on a mesh in dimension order, or through routers that copy them."""

from __future__ import annotations

from nmcompile.mapping import Program, Timing
from nmcompile.simulator.cycle import CycleTiming
from nmcompile.simulator.fast import FastTiming
from nmcompile.simulator.multicast import MulticastTiming, expected_multicast
from nmcompile.simulator.traffic import Expected, expected_on_mesh


def fast_timing(program: Program) -> Timing:
    """The time of the steps of `program` from counts alone."""
    return FastTiming(program) if program.target.router is None else MulticastTiming(program)


def cycle_timing(program: Program) -> Timing:
    """The time of steps in which packets meet; from counts alone where a target has no network."""
    return CycleTiming(program) if program.target.network is not None else fast_timing(program)


TIMINGS = {"cycle": cycle_timing, "fast": fast_timing}


def expected_traffic(program: Program) -> Expected:
    """What the spikes of a step cost on average, at the rates that the mapping was made for."""
    expected = expected_on_mesh if program.target.router is None else expected_multicast
    return expected(program)
