"""What a placed network is: slices, axons, the Program and its file."""

from nmcompile.mapping.frames import Costs, Coupled, Disturb, FrameError, Frames, Log, Timing
from nmcompile.mapping.mapping import (
    Axons,
    Box,
    Faults,
    Mapping,
    Program,
    Slices,
    rates_by_name,
    view,
)
from nmcompile.mapping.tick_work import TickWork

__all__ = [
    "Axons", "Box", "Costs", "Coupled", "Disturb", "Faults", "FrameError", "Frames", "Log",
    "Mapping", "Program", "Slices", "TickWork", "Timing", "rates_by_name", "view",
]
