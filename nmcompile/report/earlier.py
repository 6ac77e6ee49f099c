"""Reports of earlier formats, brought to the present one."""

from __future__ import annotations

from typing import Any


def from_format_1(told: dict[str, Any]) -> dict[str, Any]:
    """A report of format 1 as one of format 2; what is no such report is left as it is.

    Format 1 had the spikes of all inputs among those of the populations, under "inputs", which a
    population of that name took the place of; and it told neither the model's file nor the data.
    """
    if told.get("format") != 1:
        return told
    look = told.get("look")
    if isinstance(look, dict) and isinstance(look.get("steps"), dict):
        look = {**look, "steps": _steps(look["steps"], look.get("layers"))}
    return {**told, "format": 2, "model": None, "data": None, "look": look}


def _steps(steps: dict[str, Any], layers: Any) -> dict[str, Any]:
    spikes = steps.get("spikes")
    if not isinstance(spikes, dict) or not isinstance(layers, list):
        return steps
    if "inputs" in {layer.get("name") for layer in layers if isinstance(layer, dict)}:
        return {**steps, "inputs": None}
    return {**steps, "inputs": spikes.get("inputs"),
            "spikes": {name: counts for name, counts in spikes.items() if name != "inputs"}}
