"""SpiNNaker 2 as py-spinnaker2 programs it: arithmetic, legality, numbers, configuration."""

from __future__ import annotations

from nmcompile_backends.spinnaker2.backend import Spinnaker2Backend

BACKEND = Spinnaker2Backend()
