"""Passes that put slices on cores."""

from nmcompile.passes.place.allowed import allowed
from nmcompile.passes.place.place import place

__all__ = ["allowed", "place"]
