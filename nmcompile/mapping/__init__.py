"""What a placed network is: slices, axons, the Program and its file."""

from nmcompile.mapping.mapping import Axons, Box, Mapping, Program, Slices, view

__all__ = ["Axons", "Box", "Mapping", "Program", "Slices", "view"]
