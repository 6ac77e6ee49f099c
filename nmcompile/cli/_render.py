"""Data, and what several verbs print alike."""

from __future__ import annotations

import json
from typing import Any

import click

from nmcompile.cli._terminal import say


def print_json(figures: Any) -> None:
    """One JSON object on stdout, also with -q."""
    click.echo(json.dumps(figures, indent=1, allow_nan=False))


def print_checks(figures: dict[str, Any]) -> None:
    """The chain of checks, one line for each arrow."""
    for check in figures["checks"]:
        say(f"  {check['arrow']:9} {check['text']}")


def counted(number: int, noun: str) -> str:
    """`number` with its noun, "1 core" or "2 cores"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
