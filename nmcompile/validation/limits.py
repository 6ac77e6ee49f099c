"""What a laboratory's CI lets pass: `--fail-above`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nmcompile.errors import MetricError, OptionError, unknown_name

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


def parse_limits(
    texts: tuple[str, ...], names: Mapping[str, str] = NAMES, default: str = "spikes"
) -> dict[str, float]:
    """Limits by name: `0.01` is `spikes=0.01`; lists with commas, and several of them, add up.

    names    name -> what it limits; default  the one that is meant where none is given
    """
    limits: dict[str, float] = {}
    for item in filter(None, (part.strip() for text in texts for part in text.split(","))):
        name, equals, value = (part.strip() for part in item.rpartition("="))
        name = name if equals else default
        if name not in names:
            raise unknown_name(WHERE, name, names)
        if name in limits:
            raise OptionError(WHERE, f"{name} is given twice")
        try:
            limits[name] = float(value)
        except ValueError:
            limits[name] = -1.0
        if not 0 <= limits[name] < float("inf"):
            raise OptionError(WHERE, f"{name} is '{value}', expected a number from 0",
                              f"Give for example --fail-above {default}=0.01.")
    return limits


def judged(
    limits: Mapping[str, float], values: Mapping[str, float | str | None]
) -> list[dict[str, Any]]:
    """Each limit with its value; NmcError for one whose value the run does not tell.

    values  by name; text says why there is none
    """
    found = []
    for name, limit in limits.items():
        value = values[name]
        if value is None or isinstance(value, str):
            raise MetricError(
                f"{WHERE} {name}", f"cannot be told of this run: {value or 'no value'}",
                f"It is the {NAMES[name]}.")
        found.append({"name": name, "value": value, "limit": limit, "exceeded": not value <= limit})
    return found
