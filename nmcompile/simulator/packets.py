"""The packets of a program: on a mesh in dimension order, or through routers that copy them."""

from __future__ import annotations

from typing import Literal

from nmcompile.mapping import Program, Timing
from nmcompile.simulator.cycle import CycleTiming
from nmcompile.simulator.fast import FastTiming
from nmcompile.simulator.multicast import MulticastTiming, expected_multicast
from nmcompile.simulator.traffic import Expected, expected_on_mesh

Mode = Literal["cycle", "fast"]


def fast_timing(program: Program) -> Timing:
    """The time of the steps of `program` from counts alone."""
    return FastTiming(program) if program.target.router is None else MulticastTiming(program)


def timing_of(program: Program, mode: Mode) -> tuple[Timing, Mode]:
    """The time of the steps of `program`, and the mode that it is of.

    Packets meet ("cycle") where the target describes its network; elsewhere counts alone are told.
    """
    if mode == "cycle" and program.target.network is not None:
        return CycleTiming(program), "cycle"
    return fast_timing(program), "fast"


def expected_traffic(program: Program) -> Expected:
    """What the spikes of a step cost on average, at the rates that the mapping was made for."""
    expected = expected_on_mesh if program.target.router is None else expected_multicast
    return expected(program)
