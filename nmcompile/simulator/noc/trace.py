"""Packet traces as CSV files: read with care, written whole."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmcompile.errors import DamagedFileError, NmcError, reading, unknown_name
from nmcompile.files import replaced_file, require_file

NEEDED = ("src", "dst", "created")
RECORDED = ("injected", "arrived", "routers")
LATEST = 10**15  # cycles; sums of so many still fit 64 bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Packets in the order of their file.

    source, target  (n,) int64 nodes
    created         (n,) int64 cycle in which the source queues the packet
    recorded        of `injected`, `arrived` (cycles) and `routers` (passed) what the file tells
    """

    source: np.ndarray
    target: np.ndarray
    created: np.ndarray
    recorded: dict[str, np.ndarray]


def read_trace(path: Path, n_nodes: int) -> Trace:
    """The packets in the CSV file `path`, whose nodes are 0 to `n_nodes` - 1.

    The first line names the columns, in any order: src, dst, created, and if it likes injected,
    arrived, routers. Packets may be in any order. Raises NmcError, with the line, for what is no
    such table, and for negative numbers, nodes outside of the mesh and cycles above LATEST.
    """
    where = str(require_file(path))
    with reading(where, "is no readable CSV"), path.open(encoding="utf-8-sig") as file:
        names = _columns(where, file.readline(4096))
        limits = [n_nodes - 1 if name in {"src", "dst"} else LATEST for name in names]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                table = np.loadtxt(file, np.int64, delimiter=",", comments=None, ndmin=2)
            sound = table.shape[1] == len(names) and bool(np.all((table >= 0) & (table <= limits)))
        except (ValueError, OverflowError, Warning):
            sound = False
        if not sound:
            raise _fault(path, names, limits)
    column = dict(zip(names, np.ascontiguousarray(table.T), strict=True))
    return Trace(
        source=column["src"],
        target=column["dst"],
        created=column["created"],
        recorded={name: column[name] for name in RECORDED if name in column},
    )


def write_trace(path: Path, trace: Trace, found: dict[str, np.ndarray]) -> None:
    """Write the packets of `trace`, in its order, with the columns that were `found` for them.

    Raises NmcError if the file cannot be written; what was there then stays.
    """
    columns = {"src": trace.source, "dst": trace.target, "created": trace.created, **found}
    with replaced_file(path) as fresh, fresh.open("w", encoding="ascii", newline="\n") as file:
        np.savetxt(file, np.stack(list(columns.values()), axis=1), fmt="%d", delimiter=",",
                   header=",".join(columns), comments="")


def _columns(where: str, header: str) -> list[str]:
    names = [name.strip() for name in header.split(",")]
    for name in names:
        if name not in NEEDED + RECORDED:
            raise unknown_name(f"{where}, line 1", name, NEEDED + RECORDED)
    for name in NEEDED:
        if name not in names:
            raise DamagedFileError(f"{where}, line 1", f"there is no column {name}",
                                   f"Needed: {', '.join(NEEDED)}.")
    if len(set(names)) < len(names):
        raise DamagedFileError(f"{where}, line 1", "names a column twice")
    return names


def _fault(path: Path, names: list[str], limits: list[int]) -> NmcError:
    """What is wrong with a table that is not sound: its first fault, and the line."""
    packets = 0
    with path.open(encoding="utf-8-sig") as file:
        file.readline()
        for number, line in enumerate(file, start=2):
            cells = line.split(",")
            if not line.strip():
                continue
            if len(cells) != len(names):
                return DamagedFileError(
                    f"{path}, line {number}", f"has {len(cells)} columns, expected "
                    f"{len(names)}")
            for name, cell, most in zip(names, cells, limits, strict=True):
                if not re.fullmatch(r"\s*[0-9]{1,18}\s*", cell) or int(cell) > most:
                    return DamagedFileError(
                        f"{path}, line {number}", f"{name} is '{cell.strip()[:40]}', "
                        f"expected a whole number from 0 to {most:,}")
            packets += 1
    return DamagedFileError(str(path), "is no readable CSV" if packets else "has no packets")
