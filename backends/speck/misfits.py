"""Values of a network that Speck's registers cannot hold even nearly."""

from __future__ import annotations

from collections.abc import Iterator

from nmcompile_backends.speck import encode
from nmcompile_backends.speck.cores import STATE_MAX

from nmcompile.backend import Layer, Misfit
from nmcompile.misfits import Room, without_factor
from nmcompile.target import Target


def misfits(layer: Layer, target: Target, steps: int) -> Iterator[Misfit]:
    """Membranes that keep a share of themselves, and what the weights' scale cannot reach."""
    return without_factor(layer, target, steps, lambda largest: Room(
        coarsest=1 / largest, threshold=STATE_MAX, bias=STATE_MAX, finest=encode.natural_scale))
