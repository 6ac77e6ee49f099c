"""Data sets of events as Python objects: Tonic's, and those of the user's own code."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile.errors import DataSetError, PackageError, unknown_name
from nmcompile.frontends.events.decoders import EVENT, UnreadableError, events, microseconds, whole
from nmcompile.frontends.events.options import EventOptions
from nmcompile.frontends.events.reader import Recording
from nmcompile.ir.neurons.base import Array

TONIC = re.compile(r"tonic:([A-Za-z0-9_]+)(/train|/test)?:(.+)", re.DOTALL)
CODE = re.compile(r"(.+\.py):([A-Za-z_][A-Za-z0-9_]*)", re.DOTALL)
NAMES = {"t": ("t", "ts", "timestamp"), "x": ("x", "xs"), "y": ("y", "ys"),
         "p": ("p", "ps", "polarity", "on")}


def is_dataset(text: str) -> bool:
    """True for what names a data set and no file."""
    return bool(TONIC.fullmatch(text) or CODE.fullmatch(text)) and not Path(text).exists()


def dataset(text: str) -> Any:
    """The data set that "tonic:NAME:FOLDER", "tonic:NAME/train:FOLDER" or "FILE.py:NAME" means.

    Tonic fetches what is not in the folder; the user's own file is executed.
    """
    found = TONIC.fullmatch(text)
    if found is None:
        from nmcompile.frontends.loading.code_file import load_code, make

        made = make(load_code(text, "--input")[1], text, "--input", "the data set")
    else:
        made = _tonic(found[1], found[2] == "/train", found[3])
    if not hasattr(made, "__iter__") and not hasattr(made, "__getitem__"):
        raise DataSetError(text, f"is of the type {type(made).__name__}, expected a data set of "
                           "(events, label)")
    return made


def _tonic(name: str, train: bool, folder: str) -> Any:
    try:
        from tonic import datasets
    except ImportError:
        raise PackageError(f"tonic:{name}", "is read by the package tonic, which is not installed",
                           "pip install tonic.") from None
    kind = getattr(datasets, name, None)
    if not isinstance(kind, type):
        raise unknown_name("tonic", name, (n for n, v in vars(datasets).items()
                                           if isinstance(v, type)))
    with redirect_stdout(sys.stderr):
        try:
            return kind(save_to=folder, train=train)
        except Exception as error:
            raise DataSetError(f"tonic:{name}:{folder}", f"cannot be loaded by tonic: "
                               f"{type(error).__name__}: {error}") from error


def recordings_of(
    made: Any, text: str, options: EventOptions, labels: list[Any]
) -> Iterator[Recording]:
    """The recordings of a data set; the label of each is added to `labels`."""
    size = options.sensor or getattr(made, "sensor_size", None)
    for number, item in enumerate(_items(made)):
        where = f"{text}, sample {number}"
        if not isinstance(item, tuple) or len(item) != 2:
            raise DataSetError(where, f"is of the type {type(item).__name__}, expected (events, "
                               "label)")
        if size is None:
            raise DataSetError(
                where, "does not say how many pixels its sensor has",
                "Give --sensor WIDTHxHEIGHT, or the data set an attribute sensor_size.")
        labels.append(item[1])
        width, height = int(size[0]), int(size[1])
        yield Recording(where=where, size=(width, height), pieces=iter([_events(item[0], where)]))


def _items(made: Any) -> Iterable[Any]:
    if hasattr(made, "__len__") and hasattr(made, "__getitem__"):
        return (made[i] for i in range(len(made)))
    return made


def _events(given: Any, where: str) -> Array:
    """EVENT of a table with fields t, x, perhaps y, and perhaps p."""
    fields = given.dtype.names if isinstance(given, np.ndarray) else None
    found = {name: next((f for f in known if f in (fields or ())), None)
             for name, known in NAMES.items()}
    if found["t"] is None or found["x"] is None or not len(given):
        raise DataSetError(
            where, f"is of the type {type(given).__name__} with the fields {fields}, "
            "expected a numpy array with the fields t, x, y and p")
    none = np.zeros(len(given), EVENT["x"])
    try:
        y, p = (none if f is None else given[f] for f in (found["y"], found["p"]))
        return events(microseconds(given[found["t"]]), whole("x", given[found["x"]]),
                      whole("y", y), p > 0)
    except UnreadableError as error:
        raise DataSetError(where, str(error)) from error


def classes(labels: list[Any], text: str) -> list[str] | None:
    """Labels as text; None where no sample has one."""
    if all(label is None for label in labels):
        return None
    labels = [label.item() if hasattr(label, "item") else label for label in labels]
    for label in labels:
        if not isinstance(label, str) and np.ndim(label) != 0:
            raise DataSetError(text, f"has the label {str(label)[:60]}, expected a class")
    return [str(label) for label in labels]
