"""SynSense DYNAP-CNN / Speck2f: event-driven integer arithmetic, memory limits, configuration."""

from __future__ import annotations

from nmcompile_backends.speck.backend import SpeckBackend

BACKEND = SpeckBackend()
