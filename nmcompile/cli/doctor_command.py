"""`nmc doctor`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nmcompile.cli._render import print_json
from nmcompile.cli._terminal import coloured, say, show_table, width

if TYPE_CHECKING:
    from nmcompile.doctor import Finding

SECTION = "terminal"
# Where a script of completion is looked for, and what is looked for in files of the shell.
MARK = "nmc completion"
PLACES = {
    "bash": (".bashrc", ".bash_profile", ".local/share/bash-completion/completions/nmc"),
    "zsh": (".zshrc", ".zprofile", ".zfunc/_nmc"),
    "fish": (".config/fish/completions/nmc.fish", ".config/fish/config.fish"),
}


@click.command("doctor")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=10.0, show_default=True,
              help="For trying to import what is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(seconds: float, as_json: bool) -> int:
    """Say what of this environment works, what is missing, and what to do.

    Exit code 0 if what is installed works, 1 if something of it is broken.
    """
    from nmcompile.doctor import examine

    found = [*examine(seconds), *_terminal()]
    broken = [finding for finding in found if finding.state == "broken"]
    if as_json:
        print_json({"works": not broken, "findings": [
            {**vars(finding), "figures": dict(finding.figures)} for finding in found]})
    else:
        _print(found, broken)
    return int(bool(broken))


def _print(found: list[Finding], broken: list[Finding]) -> None:
    for section in dict.fromkeys(finding.section for finding in found):
        rows = [(finding.name, "" if finding.state == "told" else finding.state, finding.told,
                 finding.todo) for finding in found if finding.section == section]
        columns = (section, "", "found", "to do")[: 4 if any(row[3] for row in rows) else 3]
        show_table(columns, rows, left=("",), text=columns[2:])
        say()
    for finding in broken:
        say(f"broken    {finding.section} {finding.name}: {finding.told}. {finding.todo}", fg="red")
    count = sum(finding.state == "untried" for finding in found)
    if count:
        say(f"untried   {count} that there was no time to import: nmc doctor --seconds 60")
    if not broken:
        say("works     what is installed and was tried")


def _terminal() -> list[Finding]:
    """Colours, width and completion."""
    from nmcompile.doctor import Finding

    kind = "a terminal" if sys.stdout.isatty() else "no terminal"
    colours = "with" if coloured(sys.stdout) else "without"
    told = Finding(section=SECTION, name="stdout", state="told", figures={"columns": width()},
                   told=f"{kind}, {width()} columns, {colours} colours, {sys.stdout.encoding}")
    return [told, _completion()]


def _completion() -> Finding:
    """Whether the shell that SHELL names completes nmc's words."""
    from nmcompile.doctor import Finding

    shell = Path(os.environ.get("SHELL", "")).name
    if shell not in PLACES:
        return Finding(section=SECTION, name="completion", state="absent",
                       told=f"SHELL is '{shell}', scripts are there for {', '.join(PLACES)}")
    for place in PLACES[shell]:
        if _names_it(file := Path("~", place)):
            return Finding(section=SECTION, name="completion", state="works",
                           told=f"of {shell}, by {file.expanduser()}")
    return Finding(section=SECTION, name="completion", state="absent",
                   told=f"no file of {shell} names it",
                   todo=f"nmc completion --help says what to add for {shell}.")


def _names_it(file: Path) -> bool:
    """Whether a file of a shell is there, may be read, and is or names a script of completion."""
    try:
        file = file.expanduser()
        return file.is_file() and (file.stem.strip("_") == "nmc"
                                   or MARK in file.read_text("utf-8", errors="replace"))
    except (OSError, RuntimeError):  # not this user's, or a user without a home
        return False
