"""IBM TrueNorth: the deterministic neuron in its own integers, and weights on its crossbar."""

from __future__ import annotations

from nmcompile_backends.truenorth.backend import TrueNorthBackend

BACKEND = TrueNorthBackend()
