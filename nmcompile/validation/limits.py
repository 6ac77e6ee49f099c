"""What a laboratory's CI lets pass: `--fail-above`."""

from __future__ import annotations

from typing import Any

from nmcompile.errors import NmcError, unknown_name

WHERE = "--fail-above"
NAMES = {
    "spikes": "share of spikes that differ, of those that either side sent, at worst population",
    "count": "mean difference of the number of spikes of a train",
    "van-rossum": "mean van Rossum distance of a train",
    "victor-purpura": "mean Victor-Purpura distance of a train",
    "states": "largest difference of a state, in the chip's units",
    "decisions": "share of samples that are decided otherwise",
    "accuracy": "accuracy lost against the reference",
}


def parse_limits(texts: tuple[str, ...]) -> dict[str, float]:
    """Limits by name: `0.01` is `spikes=0.01`; lists with commas, and several of them, add up."""
    limits: dict[str, float] = {}
    for item in filter(None, (part.strip() for text in texts for part in text.split(","))):
        name, equals, value = (part.strip() for part in item.rpartition("="))
        name = name if equals else "spikes"
        if name not in NAMES:
            raise unknown_name(WHERE, name, NAMES)
        if name in limits:
            raise NmcError(WHERE, f"{name} is given twice")
        try:
            limits[name] = float(value)
        except ValueError:
            limits[name] = -1.0
        if not 0 <= limits[name] < float("inf"):
            raise NmcError(WHERE, f"{name} is '{value}', expected a number from 0",
                           "Give for example --fail-above spikes=0.01,van-rossum=0.5.")
    return limits


def judged(limits: dict[str, float], values: dict[str, float | None]) -> list[dict[str, Any]]:
    """Each limit with its value; NmcError for one whose value the run does not tell."""
    found = []
    for name, limit in limits.items():
        value = values[name]
        if value is None:
            raise NmcError(f"{WHERE} {name}", "cannot be told of this run: the device, the "
                           "reference or the data lack what it needs (for spikes, those of an "
                           "output)", f"It is the {NAMES[name]}.")
        found.append({"name": name, "value": value, "limit": limit, "exceeded": not value <= limit})
    return found
