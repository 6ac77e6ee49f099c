"""The constants of a target that a model of time takes, as plain data and in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from nmcompile.report.certainty import OF_TIME
from nmcompile.report.energy import range_of
from nmcompile.report.units import si
from nmcompile.simulator import UNKNOWN
from nmcompile.target import Constant, Target


def time_constants(target: Target, timing: str) -> list[dict[str, Any]]:
    """Value, source and range of each constant that enters times of the model `timing`.

    value  a number, text, or points as the target file has them
    """
    tables = OF_TIME.get(timing, ("time_s",))
    return [{"constant": name, "value": _value(constant.value), "unit": constant.unit,
             "known_as": constant.kind, "source": constant.source, "spread": constant.spread,
             "range": _range(constant)}
            for name, constant in target.constants().items() if name.partition(".")[0] in tables]


def _value(value: object) -> float | str | list[list[float]]:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, list | tuple):
        return str(value)
    return np.array(value, np.float64).reshape(len(value), -1).tolist()


def _range(constant: Constant[object]) -> dict[str, float] | None:
    value = constant.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return range_of(*(value * np.array(constant.ratios or UNKNOWN)))


def value_words(row: dict[str, Any]) -> str:
    """The value of a constant with its unit; of points each with its own."""
    value, unit = row["value"], row["unit"]
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return si(value, unit)
    at, _, of = unit.strip("[]").rpartition(", ")
    return ", ".join(f"{point[0]:g} {at}: {si(point[-1], of)}" if len(point) > 1 else
                     si(point[0], of) for point in value if point)
