"""The rows of the conformance table: what a library's users write, one model each."""

from helpers.conformance.rows import Row

# Modules of this package, each with ROWS, and the packages that they import.
TABLES = {
    "norse": ("norse",), "rockpool": ("rockpool",), "sinabs": ("sinabs",),
    "snntorch": ("snntorch",), "spikingjelly": ("spikingjelly",),
    "lava_dl": ("lava",), "affine": ("snntorch", "spikingjelly"),
    "artificial": ("snntorch",), "handwritten": (), "brevitas": ("brevitas", "snntorch", "spikingjelly"),
    "exporters": ("sinabs", "snntorch"), "delays": ("DCLS", "spikingjelly"),
    "networks": ("norse", "sinabs", "snntorch", "spikingjelly"),
}

__all__ = ["TABLES", "Row"]
