"""Tables of fields in pages, from the classes that read files: `<!-- fields MODULE:CLASS -->`."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator
from enum import Enum
from importlib import import_module
from typing import Any

import numpy as np
from docstrings import columns_of
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nmcompile.target import Constant

PLACE = re.compile(r"<!-- fields (?P<module>[\w.]+):(?P<name>\w+)(?P<deep> and below)? -->")
WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "any"}
BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}
LONGEST = 1 << 30  # a bound above it stands for no bound


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a class: its type, what bounds it, and whether it may be left out."""

    name: str
    hint: Any
    bounds: tuple[Any, ...]
    required: bool


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the table of a class, and of all classes below it, where a page asks for it."""
    asked = {_class(match): match["name"] for match in PLACE.finditer(markdown)}

    def tables(match: re.Match[str]) -> str:
        cls = _class(match)
        if match["deep"]:
            return "\n\n".join(_tables_below(cls, "", asked))
        return "\n\n".join(["\n".join(_head(cls, match["name"])), _table(cls, asked)])

    return PLACE.sub(tables, markdown)


def _class(match: re.Match[str]) -> type:
    found: type = getattr(import_module(match["module"]), match["name"])
    return found


def _tables_below(cls: type, path: str, known: dict[type, str]) -> list[str]:
    """The table of `cls`, then those of the classes in its fields that are not yet `known`."""
    inner = {}
    for field in _fields(cls):
        for below in _classes(field.hint):
            if below not in known:
                inner[below] = known[below] = f"{path}.{field.name}".lstrip(".")
    head = ["\n".join(_head(cls, path))] if path else []
    return [*head, _table(cls, known), *(
        table for below, place in inner.items() for table in _tables_below(below, place, known))]


def _head(cls: type, title: str) -> list[str]:
    told = (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")
    return [f"### `{title}` {{ #{_anchor(cls)} }}", "", told]


def _table(cls: type, known: Iterable[type]) -> str:
    meanings, lines = columns_of(inspect.getdoc(cls) or ""), ["| field | holds | meaning |",
                                                             "|---|---|---|"]
    for field in _fields(cls):
        holds = _words(field.hint, set(known)) + _bounds(field.bounds)
        if not field.required:
            holds = f"{holds.removesuffix(' or null')}; may be left out"
        lines.append(f"| `{field.name}` | {holds} | {meanings.get(field.name, '')} |")
    return "\n".join(lines)


def _fields(cls: type) -> Iterator[Field]:
    if issubclass(cls, BaseModel):
        for name, info in cls.model_fields.items():
            yield Field(name, info.annotation, tuple(info.metadata), info.is_required())
        return
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        yield Field(field.name, hints[field.name], (), True)


def _anchor(cls: type) -> str:
    return f"{cls.__module__.rpartition('.')[2]}-{cls.__name__}".lower()


def _is_table(hint: Any) -> bool:
    """Whether values of this type have fields of their own."""
    return isinstance(hint, type) and not issubclass(hint, Constant) and (
        issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint))


def _classes(hint: Any) -> Iterator[type]:
    """The classes with fields that a type names."""
    if _is_table(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from _classes(part)


def _words(hint: Any, known: set[type]) -> str:
    """A type in words."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is None:
        return _of_class(hint, known)
    if origin is np.ndarray:
        return "array"
    if origin is typing.Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin is typing.Annotated:
        return _words(parts[0], known) + _bounds(parts[1:])
    told = [_words(part, known) for part in parts if part not in (type(None), ...)]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(told)) + (" or null" if type(None) in parts else "")
    return {list: f"list of {told[0]}", dict: f"by name: {told[-1]}"}.get(
        origin, f"list of {told[0]}" if ... in parts else f"[{', '.join(told)}]")


def _of_class(hint: Any, known: set[type]) -> str:
    if isinstance(hint, typing.TypeVar):
        return "what the field says"
    if hint in WORDS:
        return WORDS[hint]
    if issubclass(hint, Constant):
        value = hint.model_fields["value"]
        return f"constant: {_words(value.annotation, known)}{_bounds(value.metadata)}"
    if issubclass(hint, Enum):
        return ", ".join(f"`{item.value}`" for item in hint)
    return f"[{hint.__name__}](#{_anchor(hint)})" if hint in known else f"`{hint.__name__}`"


def _bounds(metadata: Iterable[Any]) -> str:
    """Limits of a value in words."""
    told = []
    for part in metadata:
        inner = part.metadata if isinstance(part, FieldInfo) else [part]
        told += [words.format(f"{value:,}") for found in inner for name, words in BOUNDS.items()
                 if (value := getattr(found, name, None)) is not None and value < LONGEST]
    return f" {' '.join(told)}" if told else ""
