"""The one error that a user may meet: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NmcError(Exception):
    """A fault of the input, not of the compiler; printed as one line, exit code 2.

    where  the thing by its name: a layer, a file and field, a target
    what   what was found and what is allowed, with units
    hint   what to type or change; may be empty
    """

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        self.where = where
        self.what = what
        self.hint = hint
        super().__init__(f"{where}: {what.rstrip('.')}.{' ' + hint if hint else ''}")


def unknown_name(where: str, name: str, known: Iterable[str]) -> NmcError:
    """The error for a name that is not among `known`: lists them and the nearest."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{nearest[0]}'? " if nearest else ""
    listed = ", ".join(names) if names else "none"
    return NmcError(where, f"'{name}' is not known", f"{hint}Known: {listed}.")
