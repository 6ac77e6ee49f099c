"""Frozen values as groups of an HDF5 file, and back: the same value gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import h5py
import numpy as np
from pydantic import TypeAdapter

from nmcompile.errors import reading

TIMELESS = {"track_times": False}
Classes = Mapping[str, type]
PLAIN = {bool, int, float, str, type(None), ...}


def write_value(parent: h5py.Group, name: str, value: Any) -> None:
    """Write `value` as `name`: an array, a plain value, or dataclasses, tuples, dicts of such."""
    if isinstance(value, np.ndarray | np.generic):
        parent.create_dataset(name, data=value, **TIMELESS)
    elif isinstance(value, Enum):
        parent.attrs[name] = json.dumps({"enum": type(value).__name__, "value": value.value})
    elif is_dataclass(value):
        group = parent.create_group(name, track_order=True, **TIMELESS)
        group.attrs[":class"] = type(value).__name__
        for field in fields(value):
            write_value(group, field.name, getattr(value, field.name))
    elif isinstance(value, tuple) and any(map(_is_group, value)):
        group = parent.create_group(name, track_order=True, **TIMELESS)
        group.attrs[":items"] = len(value)
        for number, item in enumerate(value):
            write_value(group, str(number), item)
    elif isinstance(value, dict) and any(map(_is_group, value.values())):
        group = parent.create_group(name, track_order=True, **TIMELESS)
        group.attrs[":keys"] = json.dumps(list(value))
        for number, item in enumerate(value.values()):
            write_value(group, str(number), item)
    else:
        parent.attrs[name] = json.dumps(value)


def read_value(node: h5py.Group | h5py.Dataset, classes: Classes) -> Any:
    """The value in `node`; `classes` are all that may be made, by name.

    Raises whatever a damaged file makes it: see `nmcompile.errors.reading`.
    """
    if isinstance(node, h5py.Dataset):
        if node.id.get_storage_size() != node.size * node.dtype.itemsize:
            raise ValueError(f"{node.name} claims more data than it has")
        if not node.dtype.isnative:
            raise ValueError(f"{node.name} is of another byte order")
        return np.asarray(node[()])
    if ":items" in node.attrs:
        return tuple(_item(node, i, classes) for i in range(int(node.attrs[":items"])))
    if ":keys" in node.attrs:
        keys = json.loads(node.attrs[":keys"])
        return {str(key): _item(node, i, classes) for i, key in enumerate(keys)}
    cls = classes[node.attrs[":class"]]
    values = {name: read_value(child, classes) for name, child in node.items()}
    for name, text in node.attrs.items():
        if name != ":class":
            values[name] = _plain(json.loads(text), classes)
    _require_types(cls, values)
    return cls(**values)


def _item(node: h5py.Group, number: int, classes: Classes) -> Any:
    name = str(number)
    if name in node:
        return read_value(node[name], classes)
    return _plain(json.loads(node.attrs[name]), classes)


def _is_group(value: Any) -> bool:
    return is_dataclass(value) or isinstance(value, np.ndarray | dict)


def _require_types(cls: type, values: dict[str, Any]) -> None:
    """Raise where a field is not of its declared type; values inside it are verified later."""
    for name, hint in get_type_hints(cls).items():
        if name in values and get_origin(hint) is not ClassVar:
            _require_type(f"{cls.__name__}.{name}", hint, values[name])


def _require_type(name: str, hint: Any, value: Any) -> None:
    inside = get_args(hint)
    if isinstance(value, dict) and all(map(_is_group, value.values())):
        if get_origin(hint) is not dict:
            raise TypeError(f"{name} is a table")
    elif is_dataclass(value) or (isinstance(value, tuple) and all(map(is_dataclass, value))):
        if set(inside or (hint,)) <= PLAIN and value != ():
            raise TypeError(f"{name} is a group")
    elif any(map(is_dataclass, inside)):
        if value is not None:
            raise TypeError(f"{name} is no group")
    elif np.ndarray in (get_origin(hint), *map(get_origin, inside)):
        optional = get_origin(hint) is not np.ndarray
        if not isinstance(value, np.ndarray) and not (optional and value is None):
            raise TypeError(f"{name} is no array")
    else:
        with reading(name):
            _adapter(hint).validate_python(value, strict=True)


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _plain(value: Any, classes: Classes) -> Any:
    if isinstance(value, dict) and set(value) == {"enum", "value"}:
        kind = classes[value["enum"]]
        if not issubclass(kind, Enum):
            raise TypeError(f"{value['enum']} is no enumeration")
        return kind(value["value"])
    return tuple(_plain(item, classes) for item in value) if isinstance(value, list) else value
