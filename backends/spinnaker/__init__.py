"""SpiNNaker 1 as sPyNNaker 7.4.1 programs it: arithmetic, legality, integers, configuration."""

from __future__ import annotations

from nmcompile_backends.spinnaker.backend import SpinnakerBackend

BACKEND = SpinnakerBackend()
