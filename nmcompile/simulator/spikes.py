"""Who spiked in the last steps, as lists: what delivery and the timing models go by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from nmcompile.ir.neurons.base import Array
from nmcompile.mapping import Frames
from nmcompile.simulator import _spike_kernels as kernels

Run = Callable[[list[Callable[[], None]]], None]


class Spikes:
    """What one input or population sends in a window of steps, for some samples of a batch.

    A frame is one step of one sample; frames lie step by step. Those of frame i of the window are
    start[i]:start[i + 1] of `source` (rising) and `payload`. Steps that are older than any delay
    are forgotten, and the memory is used again.
    """

    def __init__(self, samples: int, size: int, delays: int, steps: int) -> None:
        """Lines or neurons of the node, its longest delay, and the most steps that are added."""
        self._samples, self._delays = samples, delays
        self._marks = np.zeros(-(-size // kernels.WORD) * kernels.WORD, np.uint8)
        self._start = np.zeros((delays + steps) * samples + 1, np.int64)
        self._first, self._frames = 0, 0  # step of the first frame; how many there are
        self.source, self.payload = np.empty(0, np.int32), np.empty(0, np.int32)

    def add(self, values: Array, steps: int) -> None:
        """Add the next `steps` steps; those that `values` does not have are silent.

        values  (up to `steps`, samples, n) integers, in C order
        """
        rows = values.reshape(-1, values.shape[2])
        here, added = self._frames, len(rows)
        start = self._start[here : here + added + 1]
        self._reserve(int(start[0]) + rows.size)
        kernels.fill(rows, self._marks, self._marks.view(np.uint64), start, self.source,
                     self.payload)
        self._frames += steps * self._samples
        self._start[here + added + 1 : self._frames + 1] = start[added]

    def frames(self, step: int, steps: int) -> Array:
        """`start` of the frames of `steps` steps from `step` on, which are still known."""
        first = (step - self._first) * self._samples
        return self._start[first : first + steps * self._samples + 1]

    def forget(self) -> None:
        """Keep of what was added only the steps that may still arrive."""
        gone = max(0, self._frames // self._samples - self._delays)
        start = self._start[gone * self._samples : self._frames + 1]
        low, high = int(start[0]), int(start[-1])
        self._first += gone
        self._frames -= gone * self._samples
        for kept in (self.source, self.payload):
            kept[: high - low] = kept[low:high]
        self._start[: self._frames + 1] = start - low

    def _reserve(self, n: int) -> None:
        if n > len(self.source):
            larger = np.empty((2, n + n // 2), np.int32)
            held = int(self._start[self._frames])
            larger[0, :held], larger[1, :held] = self.source[:held], self.payload[:held]
            self.source, self.payload = larger


Lane = tuple[int, int, list[Spikes]]  # number of its first sample, samples, what each node sends


def gathered(
    lanes: list[Lane], sizes: list[int], samples: int, window: tuple[int, int], run: Run
) -> Frames:
    """What all lanes of a batch of `samples` sent in a window: its first step, and how many.

    sizes  lines or neurons of each node
    run    makes calls, each for one lane, in any order or at once
    """
    start = np.zeros(window[1] * samples + 1, np.int64)
    run([partial(_add_lengths, lane, samples, window, start) for lane in lanes])
    np.cumsum(start, out=start)
    sender, payload = np.empty((2, int(start[-1])), np.int32)
    at, offsets = start[:-1].copy(), np.cumsum([0, *sizes])
    run([partial(_gather, lane, samples, window, offsets, (at, sender, payload))
         for lane in lanes])
    return Frames(samples=samples, start=start, sender=sender, payload=payload)


def _add_lengths(lane: Lane, samples: int, window: tuple[int, int], start: Array) -> None:
    first, own, sent = lane
    for spikes in sent:
        kernels.add_lengths(spikes.frames(*window), own, first, samples, start)


def _gather(
    lane: Lane, samples: int, window: tuple[int, int], offsets: Array,
    into: tuple[Array, Array, Array]
) -> None:
    first, own, sent = lane
    for spikes, offset in zip(sent, offsets, strict=False):
        kernels.gather(spikes.frames(*window), spikes.source, spikes.payload, own, first, samples,
                       offset, *into)
