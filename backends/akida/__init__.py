"""BrainChip Akida v1: the arithmetic of its layers, and files for the akida package."""

from __future__ import annotations

from nmcompile_backends.akida.backend import AkidaBackend

BACKEND = AkidaBackend()
