"""Gathers what is sent step by step into frames."""

from __future__ import annotations

import numpy as np

from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Frames

BLOCK = 1 << 20  # spikes, or frames, after which a block is handed on


class Collector:
    """Frames of one batch."""

    def __init__(self, network: Network, samples: int) -> None:
        self._names = [node.name for node in network.nodes]
        self._samples = samples
        self._parts: list[tuple[Array, Array, Array]] = []
        self._spikes = 0

    def add(self, sent: dict[str, Array]) -> None:
        """Add a step, (samples, n) int32 of every input and population."""
        values = np.concatenate([sent[name] for name in self._names], axis=1)
        sample, sender = np.nonzero(values)
        count = np.bincount(sample, minlength=self._samples)
        self._parts.append((count, sender.astype(np.int32), values[sample, sender]))
        self._spikes += len(sender)

    @property
    def full(self) -> bool:
        """Whether it is time to take what is there."""
        return max(self._spikes, len(self._parts) * self._samples) >= BLOCK

    def take(self) -> Frames:
        """What has been gathered; begins anew."""
        count, sender, payload = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        self._parts, self._spikes = [], 0
        return Frames(samples=self._samples, start=np.concatenate([[0], np.cumsum(count)]),
                      sender=sender, payload=payload)
