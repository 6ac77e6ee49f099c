"""Intel Loihi 1 and 2: integer arithmetic, legality, synapse packing and configuration files."""

from __future__ import annotations

from nmcompile_backends.loihi.backend import LoihiBackend

BACKEND = LoihiBackend()
