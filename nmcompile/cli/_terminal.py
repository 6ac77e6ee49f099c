"""What goes to stdout: sentences, tables and data, as wide and as coloured as it takes them."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, TextIO

import click

from nmcompile.errors import one_line

PIPED = 160  # columns where stdout is no terminal and COLUMNS does not say
LEAST_NAME, LEAST_TEXT = 12, 24  # columns that a name, and a text that is wrapped, get at least
GAP = 2  # columns between two of a table
EDGE = 3  # characters of a name that are kept where more of its other end tells names apart
QUIET = "nmcompile.quiet"  # in click's context: whether -q was given
LABEL = re.compile(r" *\S+ +")
LABELS = 10  # columns that a label takes at least, padded
UNIT = re.compile(r"(?<=\d) (?=[%a-zA-Zµ]{1,3}\b|%)")
TIE = "\N{NO-BREAK SPACE}"  # textwrap breaks no line at it


def is_quiet() -> bool:
    """Whether -q was given to `nmc` or to its verb."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def coloured(stream: TextIO) -> bool:
    """Whether `stream` takes colours: NO_COLOR and FORCE_COLOR say, else it does if a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    return forced != "0" if forced else stream.isatty() and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of stdout: what COLUMNS says, else those of the terminal, else PIPED."""
    if not os.environ.get("COLUMNS", "").isdigit() and not sys.stdout.isatty():
        return PIPED
    return max(20, shutil.get_terminal_size((PIPED, 24)).columns)


def say(text: str = "", **style: Any) -> None:
    """Print sentences unless -q was given; on a terminal, lines are broken between words.

    style  as click.style takes it
    """
    if is_quiet():
        return
    lines = [one_line(line) for line in text.split("\n")]
    if sys.stdout.isatty():
        lines = [part for line in lines for part in _broken(line)]
    for line in lines:
        click.echo(click.style(line, **style) if style else line, color=coloured(sys.stdout))


def show_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[str] = (),
    names: Collection[str] | None = None,
    text: Collection[str] = (),
    sums: bool = False,
) -> None:
    """Print a plain table unless -q was given; nothing where there are no rows.

    left   columns of words, beside the first; all others are put to the right
    names  columns that may be shortened in the middle; the first one if None
    text   columns that may be wrapped between words
    sums   whether the last row holds sums

    A table that is too wide goes on below, with its first column again: no number is broken.
    """
    if not rows or is_quiet():
        return
    cut = columns[:1] if names is None else names
    cells = [_shortened(header, [one_line(row[i]) for row in rows], cut)
             for i, header in enumerate(columns)]
    wide = [max(map(_cells, (header, *column)))
            for header, column in zip(columns, cells, strict=True)]
    room = width() - wide[0]
    least = [min(w, LEAST_TEXT, max(LEAST_NAME, room - GAP)) if header in text else w
             for header, w in zip(columns, wide, strict=True)]
    for number, block in enumerate(_blocks(least, room)):
        if number:
            click.echo()
        rest = room - sum(least[i] + GAP for i in block)
        fitted = dict(enumerate(least))
        for i in block:
            fitted[i] += min(max(0, rest), wide[i] - least[i])
            rest -= fitted[i] - least[i]
        shown = [0, *block]
        _print_block([(columns[i], cells[i], fitted[i]) for i in shown],
                     {columns[0], *left, *text}, set(text), sums)


def shortened(text: str, columns: int, head: int | None = None) -> str:
    """`text` in so many columns at most; of a longer one `head` characters, then its end.

    head  half of what is kept if None
    """
    if len(text) <= columns:
        return text
    head = (columns - 1) // 2 if head is None else head
    return f"{text[:head]}…{text[len(text) - (columns - 1 - head):]}"


def _shortened(header: str, cells: list[str], names: Collection[str]) -> list[str]:
    """A column of names shortened to a third of the width, or to more if they were alike then."""
    if header not in names:
        return cells
    longest, distinct = max(map(len, cells)), len(set(cells))
    for columns in range(max(LEAST_NAME, width() // 3), longest):
        for head in ((columns - 1) // 2, EDGE, columns - 1 - EDGE):
            short = [shortened(cell, columns, head) for cell in cells]
            if len(set(short)) == distinct:
                return short
    return cells


def _blocks(least: list[int], room: int) -> list[list[int]]:
    """Columns behind the first, as many together as fit in `room`."""
    blocks: list[list[int]] = [[]]
    used = 0
    for i, need in enumerate(least[1:], 1):
        if used + need + GAP > room and blocks[-1]:
            blocks.append([])
            used = 0
        blocks[-1].append(i)
        used += need + GAP
    return blocks


def _print_block(
    columns: list[tuple[str, list[str], int]], left: set[str], text: set[str], sums: bool
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for header, _, size in columns:
        table.add_column(Text(header), justify="left" if header in left else "right", width=size,
                         no_wrap=header not in text, overflow="fold")
    count = len(columns[0][1])
    for row in range(count):
        table.add_row(*(Text(cells[row]) for _, cells, _ in columns),
                      style="bold" if sums and row == count - 1 else None)
    colours = coloured(sys.stdout)
    console = Console(
        width=max(width(), sum(size + GAP for _, _, size in columns)), force_terminal=colours,
        color_system="standard" if colours else None, legacy_windows=False)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        click.echo(line.rstrip(), color=colours)


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _broken(line: str) -> list[str]:
    """`line` as lines that fit, all but the first as far in as the text behind its first word."""
    found = LABEL.match(line)
    indent = min(found.end(), width() // 3) if found and found.end() >= LABELS else 0
    return [part.replace(TIE, " ") for part in textwrap.wrap(
        UNIT.sub(TIE, line), width(), subsequent_indent=" " * indent, drop_whitespace=True,
        break_long_words=False, break_on_hyphens=False)] or [""]
