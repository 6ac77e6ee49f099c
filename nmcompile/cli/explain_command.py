"""`nmc explain`: what the code of an error means, and what to do about it."""

from __future__ import annotations

import sys
from importlib.resources import files

import click
from click.shell_completion import CompletionItem

from nmcompile.cli._render import print_json
from nmcompile.cli._terminal import coloured, say
from nmcompile.errors import UnknownNameError, kinds

PREFIX = "NMC-E"


def _codes(context: click.Context, option: click.Parameter, begun: str) -> list[CompletionItem]:
    return [CompletionItem(code, help=str(kind.__doc__)) for code, kind in kinds().items()
            if code.startswith(begun.upper())]


@click.command("explain")
@click.argument("code", required=False, shell_complete=_codes)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(code: str | None, as_json: bool) -> None:
    """Show the page of an error's CODE, such as NMC-E0203; without one, list all codes."""
    if code is None:
        _list_all(as_json)
        return
    page = page_of(code)
    if as_json:
        print_json({"code": _full(code), "page": page})
    elif sys.stdout.isatty():
        _show(page)
    else:
        click.echo(page, nl=False)


def page_of(code: str) -> str:
    """The page of `code` in Markdown; "203" and "E0203" stand for "NMC-E0203".

    Raises NmcError for a code that there is not.
    """
    full = _full(code)
    if full not in kinds():
        raise UnknownNameError("CODE", f"'{code}' is no code of an error",
                               "nmc explain lists them all.")
    return (files("nmcompile") / "explanations" / f"{full}.md").read_text("utf-8")


def _full(code: str) -> str:
    number = code.upper().removeprefix("NMC-").removeprefix("E")
    return f"{PREFIX}{number.zfill(4)}"


def _list_all(as_json: bool) -> None:
    told = {code: str(kind.__doc__) for code, kind in kinds().items()}
    if as_json:
        print_json(told)
    else:
        for code, text in told.items():
            say(f"{code}  {text}")


def _show(page: str) -> None:
    """Print a page of Markdown as a terminal shows it."""
    from rich.console import Console
    from rich.markdown import Markdown

    Console(color_system="standard" if coloured(sys.stdout) else None).print(Markdown(page))
