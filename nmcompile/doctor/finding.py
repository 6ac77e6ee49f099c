"""What was found of one thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["works", "absent", "broken", "doubtful", "untried", "told"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing of an environment.

    section  what it belongs to
    state    works; absent: not installed or not named; broken: installed, and of no use; doubtful:
             not as a package asks for; untried: there was no time; told: a fact
    told     version, place or reason, in words
    todo     what to do; "" where nothing need be done
    figures  numbers, with units in their names
    """

    section: str
    name: str
    state: State
    told: str = ""
    todo: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
