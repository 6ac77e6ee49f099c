"""SynSense Xylo Audio 2, Audio 3 and IMU: arithmetic, legality, integers, configuration."""

from __future__ import annotations

from nmcompile_backends.xylo.backend import XyloBackend

BACKEND = XyloBackend()
