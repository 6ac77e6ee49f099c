"""Compile trained spiking neural networks to neuromorphic chips.

import nmcompile as nmc
compiled = nmc.compile(model, target="loihi2", sample=x)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_API = ("AudioOptions", "Coding", "EventOptions", "NmcError", "check", "compare", "compile", "load",
        "quantize", "read_build", "read_data", "simulate", "validate", "write_build")

__all__ = ["__version__", *_API]  # noqa: PLE0604


def __dir__() -> list[str]:
    """The names of the package, functions that are not imported yet among them."""
    return sorted({*globals(), *_API})


def __getattr__(name: str) -> Any:
    """The functions of `nmcompile.api`, imported when first used."""
    if name not in _API:
        raise AttributeError(f"module 'nmcompile' has no attribute '{name}'")
    return getattr(import_module("nmcompile.api"), name)
