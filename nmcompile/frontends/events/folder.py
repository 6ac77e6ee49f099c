"""Folders of recordings with their classes: a folder for each class, or a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from nmcompile.errors import (
    DataSetError,
    FileReadError,
    FileSizeError,
    one_line,
    reading,
)
from nmcompile.files import require_file
from nmcompile.ir.neurons.base import Array

TABLE = "labels.csv"
MOST_FILES = 1_000_000
LARGEST_TABLE = 1 << 28  # bytes


def recordings_in(folder: Path, table: Path | None) -> tuple[list[Path], list[str] | None]:
    """The recordings in a folder in the order of their paths, and the class of each, if known.

    table  lines of file and label; default: labels.csv in the folder, if there is one
    """
    own = folder / TABLE
    if table is not None or own.is_file():
        return _by_table(folder, table or own)
    inner = sorted(p for p in _entries(folder) if p.is_dir())
    files = sorted(p for p in _entries(folder) if not p.is_dir())
    if inner and files:
        raise DataSetError(
            str(folder), f"holds folders and files, {inner[0].name} and "
            f"{files[0].name}", "Keep a folder for each class, or add --labels TABLE.")
    if not inner:
        return files, None
    found = [(path, each.name) for each in inner for path in sorted(_entries(each))]
    if not found:
        raise DataSetError(str(folder), "holds no recording")
    return [path for path, _ in found], [name for _, name in found]


def numbered(names: list[str]) -> Array:
    """Class numbers (k,) int64: those that the names are, or else their places in the alphabet."""
    if all(name.isascii() and name.isdigit() and len(name) < 10 for name in names):
        return np.array([int(name) for name in names], np.int64)
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64).reshape(-1)


def _entries(folder: Path) -> Iterator[Path]:
    """What is in a folder, but for hidden files."""
    try:
        found = list(islice(folder.iterdir(), MOST_FILES + 1))
    except OSError as error:
        raise FileReadError(str(folder), f"cannot be read: {error.strerror}") from error
    if len(found) > MOST_FILES:
        raise DataSetError(str(folder), f"holds more than {MOST_FILES:,} files")
    return (path for path in found if not path.name.startswith("."))


def _by_table(folder: Path, table: Path) -> tuple[list[Path], list[str] | None]:
    if require_file(table).stat().st_size > LARGEST_TABLE:
        raise FileSizeError(str(table), f"is larger than {LARGEST_TABLE >> 20} MiB")
    with reading(str(table), "is no readable table"), table.open(
            encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        if not {"file", "label"} <= set(rows.fieldnames or ()):
            raise DataSetError(str(table), "has no columns file and label in its first line")
        found = [(row["file"] or "", row["label"] or "") for row in rows]
    if not found:
        raise DataSetError(str(table), "names no file")
    for name, label in found:
        if not name or not label or Path(name).is_absolute() or ".." in Path(name).parts:
            raise DataSetError(str(table), f"has the line '{one_line(name)},{one_line(label)}', "
                               "expected a file in the folder and its class")
    return [folder / name for name, _ in found], [label.strip() for _, label in found]
