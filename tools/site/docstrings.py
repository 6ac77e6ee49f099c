"""Docstrings as we write them, names in a column with what they mean, for the site."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

import griffe

ITEM = re.compile(r"^(?P<names>[A-Za-z_]\w*(?:, [A-Za-z_]\w*)*)  +(?P<text>\S.*)$")
CONTINUED = re.compile(r"^ {4,}\S")


class Columns(griffe.Extension):
    """Hands mkdocstrings our columns as the sections that it knows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is None:
            return
        title, known = None, set[str]()
        if isinstance(obj, griffe.Function):
            title, known = "Parameters:", {parameter.name for parameter in obj.parameters}
        elif isinstance(obj, griffe.Class):
            title, known = "Attributes:", set(obj.attributes)
        obj.docstring.value = with_sections(obj.docstring.value, title, known)


def with_sections(text: str, title: str | None, known: set[str]) -> str:
    """`text` with each column of names in `known` as a section `title` of Google's style.

    Other columns become definition lists.
    """
    lines: list[str] = []
    for is_column, block in _blocks(text):
        if not is_column:
            lines += _prose(block)
            continue
        items = [(names, _plain(meaning)) for names, meaning in _items(block)]
        if title and {name for names, _ in items for name in names} <= known:
            lines += ["", title, *(f"    {name}: {meaning}" for names, meaning in items
                                   for name in names), ""]
        else:
            lines += ["", *_definitions(items), ""]
    return "\n".join(lines)


def to_markdown(text: str) -> str:
    """`text` with its columns as definition lists."""
    return with_sections(text, None, set())


def columns_of(text: str) -> dict[str, str]:
    """Each name in the columns of `text` with its meaning."""
    return {name: meaning for is_column, block in _blocks(text) if is_column
            for names, meaning in _items(block) for name in names}


def _blocks(text: str) -> list[tuple[bool, list[str]]]:
    """Runs of lines that are columns, and of those that are not."""
    blocks: list[tuple[bool, list[str]]] = []
    within = False
    for line in text.splitlines():
        within = bool(ITEM.match(line)) or (within and bool(CONTINUED.match(line)))
        if not blocks or blocks[-1][0] != within:
            blocks.append((within, []))
        blocks[-1][1].append(line)
    return blocks


def _items(block: list[str]) -> list[tuple[tuple[str, ...], str]]:
    """Names and meaning of each line of a column, with what continues it."""
    items: list[tuple[tuple[str, ...], str]] = []
    for line in block:
        match = ITEM.match(line)
        if match:
            items.append((tuple(match["names"].split(", ")), match["text"]))
        else:
            names, meaning = items[-1]
            items[-1] = names, f"{meaning} {line.strip()}"
    return items


def _definitions(items: list[tuple[tuple[str, ...], str]]) -> list[str]:
    lines = []
    for names, meaning in items:
        lines += [", ".join(f"`{name}`" for name in names), f":   {meaning}", ""]
    return lines


def _prose(block: list[str]) -> list[str]:
    """Lines of text without markup by chance; what is indented is code."""
    lines: list[str] = []
    for is_code, run in groupby(block, lambda line: line.startswith("    ")):
        text = "\n".join(run)
        lines += (text if is_code else _plain(text)).split("\n")
    return lines


def _plain(text: str) -> str:
    """`text` with powers and angle brackets that are no markup, but for what stands as code."""
    parts = text.split("`")
    parts[::2] = [part.replace("*", "\\*").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
