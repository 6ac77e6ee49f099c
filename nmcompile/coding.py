"""How values become what an input sends: what the user asks for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from nmcompile.errors import EncodingError, OptionError, OptionsError

Encoding = Literal["direct", "rate", "latency", "delta", "send-on-delta"]
ENCODINGS: tuple[Encoding, ...] = ("direct", "rate", "latency", "delta", "send-on-delta")
OF_CHANGES = ("delta", "send-on-delta")
TRACED = 16  # samples, at most, of other data that a model is traced on
OFF = ("channel", "drop", "negative")


@dataclass(frozen=True, kw_only=True)
class Coding:
    """What values (samples, ...) or series (samples, steps, ...) are sent as.

    how        "direct": the value in every step; "rate": a spike with the value as its
               probability, of a series with that of the step; "latency": one spike, the earlier
               the larger the value; "delta", "send-on-delta": see
               `encode.changes`; None: direct
    gain       that values are multiplied by first
    threshold  latency: values below it send nothing, and 0 does not either; delta and
               send-on-delta: the change that is sent (None: 0.1)
    off        of delta and send-on-delta, where falling values go: "channel": (2, ...), off ahead
               of on; "drop": nowhere; "negative": a spike of -1

    Raises NmcError for what is no such thing.
    """

    how: Encoding | None = None
    gain: float = 1.0
    threshold: float | None = None
    off: str = "channel"

    def __post_init__(self) -> None:
        if self.how not in (None, *ENCODINGS):
            raise OptionError(
                "--encode", f"is '{self.how}'", f"Take one of {', '.join(ENCODINGS)}.")
        if not 0 < self.gain < float("inf"):
            raise OptionError("--gain", f"is {self.gain:g}, expected a number above 0")
        if self.off not in OFF:
            raise OptionError("--off", f"is '{self.off}'", f"Take one of {', '.join(OFF)}.")
        if self.off != OFF[0] and not self.of_changes:
            raise OptionsError("--off", "is for --encode delta and send-on-delta", "Leave it out.")
        if self.threshold is None:
            return
        if self.how not in ("latency", *OF_CHANGES):
            raise OptionsError(
                "--threshold", "is for --encode latency, delta and send-on-delta",
                "Leave it out.")
        least = "from 0 to 1" if self.how == "latency" else "above 0"
        if not (0 <= self.threshold <= 1 if self.how == "latency"
                else 0 < self.threshold < float("inf")):
            raise OptionError("--threshold", f"is {self.threshold:g}, expected {least}")

    @property
    def of_changes(self) -> bool:
        """Whether spikes tell of changes, so that a series is needed."""
        return self.how in OF_CHANGES

    @property
    def told(self) -> str | None:
        """What is asked for, in words; None where values are sent as they are."""
        asked = [f"{f.name} {getattr(self, f.name)}" for f in fields(self)[1:]
                 if getattr(self, f.name) != f.default]
        return ", ".join([self.how or "direct", *asked]) if self.how or asked else None

    def taken(self, shape: tuple[int, ...], where: str) -> tuple[int, ...]:
        """Shape of the values that become `shape` in a step; NmcError where there is none."""
        if not self.of_changes or self.off != "channel":
            return shape
        if len(shape) > 1 and shape[0] == 2:
            return shape[1:]
        if shape[0] % 2:
            raise EncodingError(
                where, f"the network takes {shape[0]} values a step, which are no pairs "
                "of off and on", "Add --off drop or --off negative.")
        return shape[0] // 2, *shape[1:]


def coding_of(encoding: Encoding | Coding | None) -> Coding:
    """The coding that a name means, or that is one."""
    return encoding if isinstance(encoding, Coding) else Coding(how=encoding)
