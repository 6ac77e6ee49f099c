"""The one error that a user may meet: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# The extra of ours that brings a module.
EXTRAS = {"websockets": "serve", "cryptography": "serve", "gymnasium": "loop",
          **{name: name for name in ("snntorch", "norse", "rockpool", "sinabs", "spikingjelly",
                                     "brevitas")}}
LONGEST = 2000  # characters of a message
TERSE = (LookupError, TypeError, AttributeError, AssertionError)  # say little without their name


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
        super().__init__(one_line(f"{where}: {what.rstrip('.')}.{' ' + hint if hint else ''}"))


class Interrupted(KeyboardInterrupt):
    """A user's Ctrl-C, with how far the work had come; exit code 130.

    written  what is left of it
    """

    def __init__(self, told: str, written: str = "nothing was written") -> None:
        self.written = written
        super().__init__(told)


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, which a file's names may hold."""
    shown = "".join(c if c.isprintable() else " " if c.isspace() else repr(c)[1:-1] for c in text)
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + "..."


def hint_to_install(error: BaseException) -> str:
    """What to type where a module of one of our extras is missing; else ""."""
    extra = EXTRAS.get(error.name or "") if isinstance(error, ModuleNotFoundError) else None
    return f"Type pip install '.[{extra}]' in nmcompile's folder." if extra else ""


@contextmanager
def reading(where: str, what: str = "is damaged", hint: str = "") -> Iterator[None]:
    """Make an NmcError of whatever a parser raises in the block: hostile input may raise anything.

    Only for code that reads a file into plain values, never for what computes with them.
    """
    try:
        yield
    except (NmcError, MemoryError):
        raise
    except Exception as error:
        said = _said(error)
        if not said or isinstance(error, TERSE):
            said = f"{type(error).__name__}: {said}".rstrip(": ")
        raise NmcError(where, f"{what} ({said})", hint) from error


def _said(error: Exception) -> str:
    """What an exception says, in one short line; of pydantic's, the first field and its fault."""
    if type(error).__name__ == "ValidationError":
        first = error.errors()[0]  # type: ignore[attr-defined]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    return (str(error).strip().splitlines() or [""])[0][:160].rstrip(".")


def unknown_name(where: str, name: str, known: Iterable[str]) -> NmcError:
    """The error for a name that is not among `known`: lists them and the nearest."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean '{nearest[0]}'? " if nearest else ""
    listed = ", ".join(names) if names else "none"
    return NmcError(where, f"'{name}' is not known", f"{hint}Known: {listed}.")
