"""Gathers frames into blocks that are worth a timing model's while."""

from __future__ import annotations

import numpy as np

from nmcompile.mapping import Frames

BLOCK = 1 << 15  # spikes, or frames, after which a block is handed on


class Collector:
    """Frames of one batch."""

    def __init__(self) -> None:
        self._parts: list[Frames] = []
        self._held = 0

    def add(self, frames: Frames) -> None:
        """Add the next steps."""
        self._parts.append(frames)
        self._held += max(len(frames.sender), len(frames))

    @property
    def full(self) -> bool:
        """Whether it is time to take what is there."""
        return self._held >= BLOCK

    def take(self) -> Frames:
        """What has been gathered; begins anew."""
        parts, self._parts, self._held = self._parts, [], 0
        if len(parts) == 1:
            return parts[0]
        ends = np.cumsum([0, *(part.start[-1] for part in parts)])
        starts = [part.start[:-1] + end for part, end in zip(parts, ends, strict=False)]
        return Frames(
            samples=parts[0].samples, start=np.concatenate([*starts, ends[-1:]]),
            sender=np.concatenate([part.sender for part in parts]),
            payload=np.concatenate([part.payload for part in parts]))
