"""What a placed network is: slices, axons, the Program and its file."""

from nmcompile.mapping.frames import Costs, FrameError, Frames, Timing
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

__all__ = [
    "Axons", "Box", "Costs", "Faults", "FrameError", "Frames", "Mapping", "Program", "Slices",
    "Timing", "rates_by_name", "view",
]
