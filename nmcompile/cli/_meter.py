"""How fast work goes on and how long it takes still, in words that fit the terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from nmcompile.cli._terminal import shortened
from nmcompile.ir.neurons.base import Array

WINDOW_S = 20.0  # over which rates are taken
EVERY_S = 0.25  # between two looks at the clock that are kept
LEAST_BAR, MOST_BAR = 10, 30  # columns
LEAST_RATES = 60  # columns in which rates of layers are told
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
Part = tuple[str, int]  # a text, and its rank: those of high rank are left out first


class Meter:
    """Counts steps and spikes, and tells percent, rates and time left.

    unit    what is counted, in words
    layers  name and neurons (lines) of all inputs and populations, in the network's order; for
            rates of each
    """

    def __init__(
        self, what: str, layers: Sequence[tuple[str, int]] = (), unit: str = "steps of samples"
    ) -> None:
        self.what, self._layers, self._unit = what, layers, unit
        self._begun = time.monotonic()
        self._looks: deque[tuple[float, int, int]] = deque([(self._begun, 0, 0)])
        self._spikes: Array | None = None
        self.done, self.total = 0, 0

    def __call__(self, steps: int, total: int) -> None:
        """Take in that `steps` further steps of samples are done, of `total`."""
        self.done += steps
        self.total = total
        self._look()

    def spiked(self, spikes: Array) -> None:
        """Take in (layers,) how many further spikes each layer sent."""
        self._spikes = spikes if self._spikes is None else self._spikes + spikes

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest takes at the pace of late, None where that is not known."""
        pace = self._pace()[0]
        return (self.total - self.done) / pace if pace else None

    def told(self) -> str:
        """All figures, as a sentence."""
        steps, spikes = self._pace()
        sent = "" if self._spikes is None else f", {counted(spikes)}spikes/s"
        return (f"{100 * self.done / max(1, self.total):.1f} % of {self.total:,} {self._unit}, "
                f"{steps:,.0f}/s{sent}")

    def lines(self, columns: int) -> list[str]:
        """One or two lines of at most so many columns."""
        if not self.total:
            return [line_of(self.what, None, [(duration(self.seconds), 0)], columns)]
        steps, spikes = self._pace()
        parts = [] if self._spikes is None else [(f"{counted(spikes)}spikes/s", 2)]
        parts.append((f"{counted(steps)}{self._unit.split()[0]}/s", 3))
        if self.left_s is not None:
            parts.append((f"{duration(self.left_s)} left", 1))
        first = line_of(self.what, self.done / self.total, parts, columns)
        return [first, *self._rates(columns)]

    def _rates(self, columns: int) -> list[str]:
        """Spikes of a neuron in a step by layer, as many layers as fit."""
        if self._spikes is None or not self.done or columns < LEAST_RATES:
            return []
        told = [f"{name} {spikes / (size * self.done):.2g}" for (name, size), spikes in zip(
            self._layers, self._spikes.tolist(), strict=True)]
        head, shown = "spikes a neuron and step: ", len(told)
        while shown:
            rest = f", {len(told) - shown} more" if shown < len(told) else ""
            line = f"{head}{', '.join(told[:shown])}{rest}"
            if len(line) < columns:
                return [line]
            shown -= 1
        return []

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looks[-1][0] < EVERY_S:
            return
        self._looks.append((now, self.done, self._sent()))
        while len(self._looks) > 2 and now - self._looks[1][0] > WINDOW_S:
            self._looks.popleft()

    def _pace(self) -> tuple[float, float]:
        """Steps of samples and spikes a second of late."""
        (begin, done, sent), now = self._looks[0], time.monotonic()
        lasted = max(now - begin, 1e-9)
        return (self.done - done) / lasted, (self._sent() - sent) / lasted

    def _sent(self) -> int:
        return 0 if self._spikes is None else int(self._spikes.sum())


def line_of(what: str, share: float | None, parts: Sequence[Part], columns: int) -> str:
    """`what` is done, a bar, the percent and `parts` in one line.

    share  that is done, None where it is not known

    A bar is only drawn where room is left, and `parts` are left out from the highest rank on.
    """
    head = shortened(what, max(8, columns // 3))
    kept = [("" if share is None else f"{int(100 * share)} %", 0), *parts]
    while len(kept) > 1 and len(_joined(head, kept)) >= columns:
        kept.remove(max(kept, key=lambda part: part[1]))
    bar = min(MOST_BAR, columns - len(_joined(head, kept)) - 3)
    if share is not None and bar >= LEAST_BAR:
        filled = round(bar * min(1.0, share))
        head = f"{head}  {'━' * filled}{'┄' * (bar - filled)}"
    return _joined(head, kept)


def duration(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def counted(value: float) -> str:
    """A number with three digits and a prefix, ahead of its unit: "1.20 M", "12.0 k", "7.00 "."""
    for factor, prefix in PREFIXES:
        if value >= 0.9995 * factor:
            return f"{value / factor:#.3g}".rstrip(".") + f" {prefix} "
    return f"{value:.0f} "


def _joined(head: str, parts: Sequence[Part]) -> str:
    return "  ".join(filter(None, [head, *(text for text, _ in parts)]))
