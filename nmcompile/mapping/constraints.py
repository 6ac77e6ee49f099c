"""What a user asks of the mapping, from a TOML file.

reserve = ["0-3", "chip 7"]         # cores that stay free
together = [["conv1", "conv2"]]     # all on one chip
apart = [["conv1", "out"]]          # no chip holds both

[layers.conv1]
on = ["chip 0", "130-140"]          # where alone its cores may be
most_cores = 8

[faults]
cores = ["17", "200-203"]           # dead ones
links = ["3,1 east"]                # column and row of a tile; dead both ways
chips = ["7"]                       # their cores and all links to them
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from nmcompile.errors import ConstraintError, unknown_name
from nmcompile.ir import Network
from nmcompile.ir.neurons.base import Array
from nmcompile.mapping.faults import both_ways, cut_off, links_out
from nmcompile.mapping.mapping import Faults
from nmcompile.target import Target
from nmcompile.target.topology import (
    board_height,
    board_width,
    directions,
    neighbours,
    tile_number,
)
from nmcompile.toml import read_toml

KIND = "constraints file"
Groups = tuple[tuple[str, ...], ...]
Names = list[Annotated[list[str], Field(min_length=2)]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Constraints:
    """What the mapping must keep; layers are populations by name.

    on           layer -> (n_cores,) bool, where its slices may be
    together     groups of layers that share one chip
    apart        groups of layers of which no two share a chip
    most_cores   layer -> cores that it may take
    reserved     (k,) int32 cores that stay free
    faults       dead parts
    """

    on: dict[str, Array] = field(default_factory=dict)
    together: Groups = ()
    apart: Groups = ()
    most_cores: dict[str, int] = field(default_factory=dict)
    reserved: Array = field(default_factory=lambda: np.zeros(0, np.int32))
    faults: Faults = field(default_factory=Faults)

    def free(self, target: Target) -> Array:
        """(n_cores,) bool: neither dead, nor reserved, nor cut off by dead links."""
        free = ~cut_off(target, self.faults)
        free[self.faults.cores] = free[self.reserved] = False
        return free

    def kinds(self, layers: list[str]) -> Array:
        """(k,) int64 of each layer; those of unlike kind may not share a core.

        Alike are layers that may be on the same cores and belong to the same group of `together`,
        or to none; none of them must be apart from another.
        """
        apart, joined = ({name for group in groups for name in group}
                         for groups in (self.apart, self.together))
        chip, kinds = self.chip_mates(layers), dict[object, int]()
        return np.array([kinds.setdefault(
            name if name in apart else (
                self.on[name].tobytes() if name in self.on else None,
                chip[name] if name in joined else None),
            len(kinds)) for name in layers], np.int64)

    def chip_mates(self, layers: list[str]) -> dict[str, str]:
        """For each layer the first of those with which it shares a chip, be it itself."""
        first = {name: name for name in layers}
        for members in self.together:
            met = {first[name] for name in members}
            root = min(met, key=layers.index)
            first = {name: root if r in met else r for name, r in first.items()}
        return first


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Layer(_Table):
    on: list[str] = []
    most_cores: Annotated[int, Field(ge=1)] | None = None


class _Faults(_Table):
    cores: list[str] = []
    links: list[str] = []
    chips: list[str] = []


class _File(_Table):
    reserve: list[str] = []
    together: Names = []
    apart: Names = []
    layers: dict[str, _Layer] = {}
    faults: _Faults = _Faults()


def read_constraints(path: Path, network: Network, target: Target) -> Constraints:
    """The constraints in `path` on `network` and `target`.

    Raises NmcError for a file that is none, and for layers, cores, chips, and tiles that do not
    exist.
    """
    content = read_toml(path, _File, KIND)
    names = [p.name for p in network.populations]
    for name in (*content.layers, *(n for group in (*content.together, *content.apart)
                                    for n in group)):
        if name not in names:
            raise unknown_name(f"{path}: layer", name, names)
    on = {}
    for name, layer in content.layers.items():
        if layer.on:
            on[name] = np.zeros(target.n_cores, bool)
            on[name][_cores(layer.on, target, f"{path}: layers.{name}.on")] = True
    return Constraints(
        on=on, together=tuple(map(tuple, content.together)),
        apart=tuple(map(tuple, content.apart)),
        most_cores={name: layer.most_cores for name, layer in content.layers.items()
                    if layer.most_cores is not None},
        reserved=_cores(content.reserve, target, f"{path}: reserve"),
        faults=_dead(content.faults, target, f"{path}: faults"))


def _dead(faults: _Faults, target: Target, where: str) -> Faults:
    chips = [text if text.startswith("chip") else f"chip {text}" for text in faults.chips]
    lost = _cores(chips, target, f"{where}.chips")
    if target.router is not None and 0 in lost:
        raise ConstraintError(f"{where}.chips", f"has chip 0 of {target.name}, where spikes enter",
                              "Use a board whose first chip works.")
    tiles, behind = np.unique(tile_number(target, lost)), neighbours(target)
    around = np.flatnonzero(np.repeat(np.isin(np.arange(len(behind)), tiles), behind.shape[1])
                            & (behind.reshape(-1) >= 0))
    links = [_links(faults.links, target, f"{where}.links"), both_ways(target, around)]
    return Faults(
        cores=np.union1d(_cores(faults.cores, target, f"{where}.cores"), lost).astype(np.int32),
        links=np.union1d(*links).astype(np.int32))


def _cores(texts: list[str], target: Target, where: str) -> Array:
    """Core numbers of texts such as "4", "4-7", and "chip 2", rising."""
    found: list[Array] = [np.zeros(0, np.int64)]
    for text in texts:
        match = re.fullmatch(r"(chips? )?(\d{1,9})(?:-(\d{1,9}))?", text.strip())
        if not match:
            raise ConstraintError(
                where, f"'{text}' names no cores",
                "Write a core as \"4\", a range as \"4-7\", a chip as \"chip 2\".")
        first, last = int(match[2]), int(match[3] or match[2])
        each = target.cores_per_chip if match[1] else 1
        n = target.n_cores // each
        if not first <= last < n:
            raise ConstraintError(where, f"'{text}' is not within 0 to {n - 1}, the "
                                  f"{'chips' if match[1] else 'cores'} of {target.name}",
                                  "Number them from 0.")
        found.append(np.arange(first * each, (last + 1) * each))
    return np.unique(np.concatenate(found)).astype(np.int32)


def _links(texts: list[str], target: Target, where: str) -> Array:
    """Link numbers of texts such as "3,1 east", both ways, rising."""
    found, known = [], both_ways(target, links_out(target))
    ways, width, height = directions(target), board_width(target), board_height(target)
    for text in texts:
        match = re.fullmatch(rf"(\d{{1,9}}),(\d{{1,9}}) ({'|'.join(ways)})", text.strip())
        if not match:
            raise ConstraintError(
                where, f"'{text}' names no link", "Write column, row and direction of "
                "a tile's way out: \"3,1 east\".")
        column, row = int(match[1]), int(match[2])
        inside = column < width and row < height
        link = (row * width + column) * len(ways) + ways.index(match[3])
        if not inside or link not in known:
            raise ConstraintError(
                where, f"'{text}' leads from or to no tile of {target.name}, which has "
                f"{width} x {height}", "Count columns and rows from 0, and take a way "
                "that leads to another tile.")
        found.append(link)
    return both_ways(target, np.array(found, np.int64)) if found else np.zeros(0, np.int32)
