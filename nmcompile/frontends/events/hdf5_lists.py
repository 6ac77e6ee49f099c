"""Lists of events in HDF5 files, for the process of `worker`.

Four layouts are known: a group with columns x, y, t and p (DSEC, M3ED), or xs, ys, ts and ps
(event_utils); a table with such fields (CD/events of Metavision); and MVSEC's davis/*/events
(n, 4) of x, y, t and p. Whole numbers of t are microseconds, others seconds. An event whose p is
above 0 is on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nmcompile.frontends.events.decoders import (
    NO_SENSOR,
    PIECE,
    UnreadableError,
    microseconds,
    whole,
)

NAMES = (("t", "x", "y", "p"), ("ts", "xs", "ys", "ps"))
MVSEC = re.compile(r"davis/[^/]+/events")
MAX_DEPTH, MAX_ENTRIES = 24, 100_000  # of groups and arrays
DENSEST = 10_000  # bytes that one byte in a file may stand for
Columns = tuple[Any, Any, Any, Any]  # t in us, x, y, on


@dataclass(frozen=True, kw_only=True, eq=False)
class List:
    """A list of events.

    item   the group or table that holds it
    parts  the arrays that are read
    cut    columns t, x, y, p of events from one to another
    """

    name: str
    item: Any
    parts: tuple[Any, ...]
    cut: Callable[[int, int], Columns]


def decode(
    path: str, stream: str | None, sensor: tuple[int, int] | None
) -> tuple[tuple[int, int], Iterator[Columns]]:
    """Size of the sensor, and the events in pieces."""
    import h5py

    try:
        import hdf5plugin  # noqa: F401 (makes its filters known to h5py)
    except ImportError:
        pass
    file = h5py.File(path, "r")
    found = _chosen({one.name: one for one in _lists(file)}, stream)
    rows = _rows(found)
    size = _size(file, found.item) or sensor
    if size is None:
        raise UnreadableError(NO_SENSOR)
    return size, _pieces(found, rows)


def _chosen(lists: dict[str, List], stream: str | None) -> List:
    listed = ", ".join(list(lists)[:8])
    if not lists:
        raise UnreadableError("holds no list of events: no group or table with x, y, t and p")
    if stream is not None and stream.strip("/") not in lists:
        raise UnreadableError(f"has no stream '{stream}', only {listed}")
    if stream is None and len(lists) > 1:
        raise UnreadableError(f"holds several lists of events: give --stream, one of {listed}")
    return lists[next(iter(lists)) if stream is None else stream.strip("/")]


def _lists(file: Any) -> Iterator[List]:
    """All lists of events that lie in the file itself."""
    import h5py

    waiting, seen, known = [("", file)], 0, set()
    while waiting:
        name, group = waiting.pop(0)
        address = h5py.h5o.get_info(group.id).addr  # hard links may lead back to a group
        if address in known:
            continue
        known.add(address)
        found = _of_columns(name, group)
        if found is not None:
            yield found
        for key in group:
            seen += 1
            if seen > MAX_ENTRIES:
                raise UnreadableError(f"holds more than {MAX_ENTRIES:,} entries")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                continue
            item, inner = group[key], f"{name}/{key}".strip("/")
            if isinstance(item, h5py.Group):
                if inner.count("/") < MAX_DEPTH:
                    waiting.append((inner, item))
            elif found is None and isinstance(item, h5py.Dataset):
                yield from _of_table(inner, item)


def _of_columns(name: str, group: Any) -> List | None:
    import h5py

    for names in NAMES:
        own = [isinstance(group.get(n, getlink=True), h5py.HardLink) and
               isinstance(group[n], h5py.Dataset) for n in names if n in group]
        if len(own) == len(names) and all(own):
            return _list_of(name, group, tuple(group[n] for n in names))
    return None


def _list_of(name: str, group: Any, parts: Columns) -> List:
    def cut(first: int, end: int) -> Columns:
        t, x, y, p = (part[first:end] for part in parts)
        return t, x, y, p

    return List(name=name, item=group, parts=parts, cut=cut)


def _of_table(name: str, table: Any) -> Iterator[List]:
    fields = table.dtype.names or ()
    for names in NAMES:
        if set(names) <= set(fields):
            def fields_of(first: int, end: int, names: tuple[str, ...] = names) -> Columns:
                rows = table[first:end]
                return tuple(rows[n] for n in names)

            yield List(name=name, item=table, parts=(table,), cut=fields_of)
            return
    if MVSEC.fullmatch(name) and table.ndim == 2 and table.shape[1] == 4:
        def columns_of(first: int, end: int) -> Columns:
            x, y, t, p = table[first:end].T
            return t, x, y, p

        yield List(name=name, item=table, parts=(table,), cut=columns_of)


def _rows(found: List) -> int:
    """Events in a list whose arrays are sane."""
    for part in found.parts:
        if part.external or part.is_virtual:
            raise UnreadableError(f"'{part.name}' lies in another file, which is not read")
        if part.ndim != (2 if part.dtype.names is None and len(found.parts) == 1 else 1):
            raise UnreadableError(f"'{part.name}' has shape {part.shape}, expected a list")
        if (part.size or 0) * part.dtype.itemsize > DENSEST * part.id.get_storage_size():
            raise UnreadableError(f"'{part.name}' claims {part.size:,} values in "
                             f"{part.id.get_storage_size():,} bytes")
    lengths = {len(part) for part in found.parts}
    if len(lengths) > 1:
        raise UnreadableError(f"has columns of {min(lengths):,} to {max(lengths):,} events")
    return lengths.pop()


def _pieces(found: List, rows: int) -> Iterator[Columns]:
    for first in range(0, rows, PIECE):
        t, x, y, p = found.cut(first, min(rows, first + PIECE))
        yield microseconds(t), whole("x", x), whole("y", y), _on(p)


def _on(p: Any) -> Any:
    """Which events are on, of numbers that are above 0 there."""
    if p.dtype.kind not in "biuf" or (p.dtype.kind == "f" and np.isnan(p).any()):
        raise UnreadableError(f"has polarities that are no numbers ({p.dtype}, or NaN)")
    return p > 0


def _size(file: Any, item: Any) -> tuple[int, int] | None:
    """Width and height as attributes say them: Metavision's geometry, event_utils' resolution."""
    for holder in (item, file):
        attributes = holder.attrs
        if "geometry" in attributes:
            text = attributes["geometry"]
            text = text.decode("latin-1") if isinstance(text, bytes) else str(text)
            found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text.strip(), re.ASCII)
            if found:
                return int(found[1]), int(found[2])
        if "sensor_resolution" in attributes:
            height, width = (int(n) for n in np.ravel(attributes["sensor_resolution"])[:2])
            return width, height
        if "width" in attributes and "height" in attributes:
            return int(attributes["width"]), int(attributes["height"])
    return None
