"""Values of a network that TrueNorth's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator

from nmcompile_backends.truenorth import encode
from nmcompile_backends.truenorth.arithmetic import LEAK_LIMIT, THRESHOLD_LIMIT

from nmcompile.backend import Layer, Misfit
from nmcompile.misfits import Room, without_factor
from nmcompile.target import Target


def misfits(layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
    """Membranes that keep a share of themselves, and what the weights' scale cannot reach."""
    return without_factor(layer, target, steps, lambda largest: Room(
        coarsest=1 / largest, threshold=THRESHOLD_LIMIT - 1, bias=LEAK_LIMIT,
        finest=lambda changed: encode.natural_scale(changed, target)))
