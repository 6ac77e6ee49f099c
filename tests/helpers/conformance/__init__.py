"""The rows of the conformance table: what a library's users write, one model each."""

from helpers.conformance.rows import Row

LIBRARIES = ("norse", "rockpool", "sinabs", "snntorch", "spikingjelly")  # modules of this package, each with ROWS

__all__ = ["LIBRARIES", "Row"]
