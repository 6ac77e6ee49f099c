"""The format of figures that options name."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from nmcompile.errors import OptionsError

FORMATS = ("html", "md", "csv", "json", "text")


def format_asked(how: str | None, show: bool, as_json: bool, output: Path | None) -> str:
    """One of FORMATS by --format, --open, --json and the name of -o; text where none says.

    Raises NmcError where they say several, or text is to go to a file.
    """
    from nmcompile.report import format_of

    asked = [how, "html" if show else None, "json" if as_json else None]
    named = sorted({each for each in asked if each is not None})
    if len(named) > 1:
        raise OptionsError("--format", f"is both {' and '.join(named)}",
                           "--open shows the page; --json is --format json.")
    if named == ["text"] and output is not None:
        raise OptionsError("--format text", "is printed, not written", "Leave out -o, or take md.")
    if show and how is None and output is not None and format_of(output) != "html":
        raise OptionsError("--open", f"shows a page, and -o {output} is none",
                           "Name a file .html, or add --format html.")
    if named:
        return named[0]
    return "text" if output is None else format_of(output)


def show_page(page: Path) -> None:
    """Open a page in the user's browser, and say so where there is none."""
    if not webbrowser.open(page.absolute().as_uri()):
        click.echo(f"nmc: no browser could be started; open {page} yourself", err=True)
