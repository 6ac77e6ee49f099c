"""Options that several verbs have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nmcompile.errors import NmcError

Verb = Callable[..., Any]


def model_options(verb: Verb) -> Verb:
    """The options of a verb that reads a model for its figures: data, code, steps, seed, JSON."""
    for option in reversed((
        click.option("--legalise", is_flag=True,
                     help="Take the nearest value where the chip cannot hold the model's."),
        click.option("--sample", type=click.Path(path_type=Path),
                     help="Data to trace the model on (.npz with x, .npy, .pt)."),
        click.option("--calibrate", type=click.Path(path_type=Path),
                     help="Data to choose integer scales by; with labels y also the accuracy."),
        click.option("--code", metavar="FILE:CLASS",
                     help="The model's own code; runs that file."),
        click.option("--trust-pickle", is_flag=True,
                     help="Let the model file run code as it loads."),
        click.option("--steps", type=click.IntRange(1, 100_000), help="Steps of a sample."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                     help="Seed of random encodings."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    )):
        verb = option(verb)
    return verb


def device_options(given: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE of each --device-option, by name."""
    found: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name or name in found:
            raise NmcError("--device-option", f"'{item}' is no NAME=VALUE, or given twice")
        found[name] = value
    return found
