"""Emitted images, tables and keys, and those of sPyNNaker, read by the rules of its C code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

TABLE, MATRIX = 5, 6
LINKS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))


class Ours:
    """The files of a folder, by label."""

    def __init__(self, folder: Path) -> None:
        self.plan = json.loads((folder / "load.json").read_text())
        sdram, tables = (folder / "sdram.bin").read_bytes(), (folder / "tables.bin").read_bytes()
        self.place, self.regions = {}, {}
        for core in self.plan["cores"]:
            self.place[core["label"]] = (core["x"], core["y"], core["p"])
            self.regions[core["label"]] = {
                r["region"]: sdram[r["file_offset"] : r["file_offset"] + r["written"]]
                for r in core["regions"] if r["written"]}
        keys = json.loads((folder / "json_files" / "keys.json").read_text())
        self.keys = {k["vertex_label"]: (k["key"], k["mask"], k["key_shift"]) for k in keys}
        self.tables = {}
        for table in self.plan["tables"]:
            words = np.frombuffer(tables, "<u4", 4 * (table["entries"] + 1), table["file_offset"])
            words = words.reshape(-1, 4)
            assert (words[-1] == 0xFFFFFFFF).all()
            assert words[:-1, 0].tolist() == list(range(table["entries"]))
            self.tables[table["x"], table["y"]] = words[:-1, [2, 3, 1]].tolist()


class Theirs:
    """What tools/oracles/spinnaker_script.py kept, by label."""

    def __init__(self, kept: dict[str, np.ndarray]) -> None:
        labels = [name.removesuffix(":place") for name in kept if name.endswith(":place")]
        self.place = {label: tuple(kept[f"{label}:place"].tolist()) for label in labels}
        self.keys = {label: tuple(kept[f"{label}:key"].tolist()) for label in labels
                     if f"{label}:key" in kept}
        self.regions = {label: {
            int(name.removeprefix(f"{label}:region")): value.tobytes()
            for name, value in kept.items() if name.startswith(f"{label}:region")}
            for label in labels}
        self.tables = {}
        for x, y, *entry in kept["tables"].tolist():
            self.tables.setdefault((x, y), []).append(entry)


def synapses(side: Ours | Theirs, label: str, n_sources: dict[str, int]) -> list[tuple]:
    """Sorted (label of the sender, its neuron, synaptic word) of a core, found as a packet would.

    Raises AssertionError where a word of the table or of a row's header has no meaning.
    """
    table = np.frombuffer(side.regions[label][TABLE], "<u4").astype(np.int64)
    matrix = np.frombuffer(side.regions[label][MATRIX], "<u4").astype(np.int64)
    n_entries, n_addresses = table[:2].tolist()
    entries = table[2 : 2 + 5 * n_entries].reshape(-1, 5).tolist()
    listed = table[2 + 5 * n_entries :].tolist()
    assert len(listed) == n_addresses
    assert [e[0] for e in entries] == sorted(e[0] for e in entries)
    found, used = [], 0
    for key, mask, start, cores, neurons in entries:
        (sender,) = [name for name, own in side.keys.items() if own[0] & mask == key]
        # sPyNNaker's mask is one for all cores of a population, of which there is one here.
        assert mask == side.keys[sender][1] or not isinstance(side, Ours)
        colour, count, n = start >> 13 & 7, start >> 16, n_sources[sender]
        assert colour == side.keys[sender][2]
        assert cores & 0xFFFF == 0
        assert (neurons & 0xFFFF, neurons >> 16) == (n, -(-n // 32))
        first = start & 0x1FFF
        assert first == used
        used += count
        for address in listed[first : first + count]:
            length, at = (address & 0xFF) + 4, (address >> 8) * 4
            for neuron in range(n):
                row = matrix[at + neuron * length : at + (neuron + 1) * length]
                assert row[0] == row[2] == 0
                assert row[1] <= length - 3
                assert not row[3 + row[1] :].any()
                found += [(sender, neuron, int(word)) for word in row[3 : 3 + row[1]]]
    assert used == n_addresses
    return sorted(found)


def reached(side: Ours | Theirs, origin: tuple[int, int], key: int, used: set | None = None) -> set:
    """The labels of the cores that a packet of `key` from chip `origin` comes to.

    used  is given the identity of each entry that routes it
    """
    at = {place: label for label, place in side.place.items()}
    found, edge = set(), [(origin, None)]
    for _ in range(10_000):
        if not edge:
            return found
        place, came = edge.pop()
        straight = 0 if came is None else 1 << came
        row = next((row for row in side.tables.get(place, []) if key & row[1] == row[0]), None)
        route = row[2] if row else straight
        if row and used is not None:
            used.add(id(row))
        for link, (dx, dy) in enumerate(LINKS):
            if route >> link & 1:
                edge.append(((place[0] + dx, place[1] + dy), link))
        for core in range(18):
            if route >> 6 + core & 1:
                found.add(at.get((*place, core), "nobody"))
    return {*found, "in circles"}
