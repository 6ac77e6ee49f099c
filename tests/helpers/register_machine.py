"""Runs registers.json and its arrays as the schema says, knowing nothing else of the program."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np


class Core:
    """State and tables of one core."""

    def __init__(self, entry: dict, arrays: h5py.File) -> None:
        self.entry = entry
        n = entry["compartments"]
        self.u, self.v, self.hold = (np.zeros(n, np.int64) for _ in range(3))
        self.residue, self.theta, self.r = (np.zeros(n, np.int64) for _ in range(3))
        self.spikes = np.zeros(n, np.int64)
        table = entry["input_axons"]
        self.group = arrays[table["group"]["array"]][()]
        self.pointer = arrays[table["pointer"]["array"]][()]
        self.length = arrays[table["length"]["array"]][()]
        self.weights = [arrays[g["weights"]["array"]][()].astype(int)
                        for g in entry["synapse_groups"]]
        self.targets = [arrays[g["targets"]["array"]][()] if "targets" in g else None
                        for g in entry["synapse_groups"]]
        self.rows = [self._row(a) for a in range(table["count"])]
        self.registers = [
            {k: arrays[v["array"]][()].astype(int) if isinstance(v, dict) and "array" in v else v
             for k, v in group.items()} for group in entry["compartment_groups"]]
        for group in self.registers:
            part = slice(group["first"], group["first"] + group["count"])
            if group["model"] == "two-compartment":
                part = slice(part.start, part.stop, 2)
            self.u[part] = group.get("current_init", 0)
            self.v[part] = group.get("voltage_init", 0)
            self.theta[part] = group.get("threshold", 0) * 64

    def _row(self, axon: int) -> tuple[np.ndarray, np.ndarray]:
        """Compartments and weights of an axon's row."""
        number, start, length = self.group[axon], self.pointer[axon], self.length[axon]
        group = self.entry["synapse_groups"][number]
        kind = self.entry["synapse_formats"][group["format"]]["compression"]
        weights = self.weights[number]
        if kind == "shared":
            return _kernel_row(group, weights, start, length)
        row = weights[start : start + length]
        if kind == "sparse":
            return self.targets[number][start : start + length], row
        return group["first_compartment"] + group.get("step", 1) * np.arange(length), row

    def step(self, arrived: dict[int, int], t: int) -> None:
        entry = self.entry
        q = np.zeros((len(entry["synapse_groups"]), entry["compartments"]), np.int64)
        for axon, payload in arrived.items():
            compartments, weights = self.rows[axon]
            np.add.at(q[self.group[axon]], compartments, payload * weights)
        total = np.zeros((2, entry["compartments"]), np.int64)
        for group, sums in zip(entry["synapse_groups"], q, strict=True):
            total[group.get("current", 0)] += np.floor(sums * 2.0 ** entry["synapse_formats"][group["format"]]["exponent"]
                              ).astype(np.int64)
        self.spikes[:] = 0
        for group in self.registers:
            if t >= group["start"]:
                if group["model"] == "resonator":
                    self._turn(group, total)
                elif group["model"] == "adaptive":
                    self._adapt(group, total[0])
                elif group["model"] == "two-compartment":
                    self._join(group, total[0])
                else:
                    self._advance(group, total[0])

    def _advance(self, group: dict, q: np.ndarray) -> None:
        part = slice(group["first"], group["first"] + group["count"])
        if group["model"] == "relay":
            self.v[part] = (q[part] + 2**23 - 1) % 2**24 - 2**23 + 1
            self.spikes[part] = self.v[part]
            return
        if group["model"] == "sigma-delta":
            self._tell_changes(group, part, q[part])
            return
        level = group["threshold"] * 64
        below = level - group["inclusive"]
        u = np.trunc(self.u[part] * (4095 - group["du"]) / 4096).astype(int) + q[part] * 64
        u = (u + 2**23 - 1) % 2**24 - 2**23 + 1
        v = np.trunc(self.v[part] * (4096 - group["dv"]) / 4096).astype(int) + u
        v = v + group["bias_mantissa"] * 2 ** group["bias_exponent"]
        if group["reset"] == "subtract-late" and not group["silent"]:
            v = v - level * (self.v[part] > below)
        v = np.clip(v, -(2**23) + 1, 2**23 - 1) * (self.hold[part] == 0)
        spikes = (v > below) * (not group["silent"])
        after = {"zero": 0 * v, "subtract": v - level}.get(group["reset"], v)
        self.u[part], self.v[part], self.spikes[part] = u, np.where(spikes, after, v), spikes
        hold = np.where(spikes, group["refractory"], self.hold[part])
        self.hold[part] = np.maximum(hold - 1, 0)


    def _turn(self, group: dict, q: np.ndarray) -> None:
        part = slice(group["first"], group["first"] + group["count"])
        re, v = self.u[part], self.v[part]
        sin, cos = group["sin_decay"], group["cos_decay"]

        def cut(product: np.ndarray) -> np.ndarray:
            return np.trunc(product / 4096).astype(int)

        limit = 2**23 - 1
        new_re = np.clip(cut(cos * re) - cut(sin * v) + q[0, part] * 64, -limit, limit)
        new_v = np.clip(cut(sin * re) + cut(cos * v) + q[1, part] * 64, -limit, limit)
        level = group["threshold"]
        if group["phase"]:
            spikes = (new_re >= level) & (new_v >= 0) & (v < 0)
        else:
            spikes = new_v >= level
            new_re, new_v = np.where(spikes, 0, new_re), np.where(spikes, level - 1, new_v)
        self.u[part], self.v[part], self.spikes[part] = new_re, new_v, spikes

    def _join(self, group: dict, q: np.ndarray) -> None:
        """Dendrites, and behind each its soma, whose v is 0 again once it has fired."""
        dendrite = slice(group["first"], group["first"] + group["count"], 2)
        soma = slice(dendrite.start + 1, dendrite.stop, 2)
        u = np.trunc(self.u[dendrite] * (4095 - group["du"]) / 4096).astype(int)
        u = (u + q[dendrite] * 64 + 2**23 - 1) % 2**24 - 2**23 + 1
        v = np.trunc(self.v[dendrite] * (4096 - group["dv"]) / 4096).astype(int) + u
        v = np.clip(v + group["bias_mantissa"] * 2 ** group["bias_exponent"], 1 - 2**23, 2**23 - 1)
        self.u[dendrite], self.v[dendrite] = u, v
        passed = np.where(v > group["threshold"] * 64, v, 0)
        self.spikes[soma] = passed > group["threshold"] * 64

    def _adapt(self, group: dict, q: np.ndarray) -> None:
        part = slice(group["first"], group["first"] + group["count"])

        def kept(state: np.ndarray, factor: np.ndarray | int) -> np.ndarray:
            return np.trunc(state * factor / 4096).astype(int)

        u = kept(self.u[part], 4095 - group["du"]) + q[part] * 64
        u = (u + 2**23 - 1) % 2**24 - 2**23 + 1
        v = kept(self.v[part], 4096 - group["dv"]) + u
        v = np.clip(v + group["bias_mantissa"] * 2 ** group["bias_exponent"], 1 - 2**23, 2**23 - 1)
        rest = group["threshold"] * 64
        theta = kept(self.theta[part] - rest, 4096 - group["dtheta"]) + rest
        r = kept(self.r[part], 4096 - group["dr"])
        spikes = v - r >= theta
        self.u[part], self.v[part], self.spikes[part] = u, v, spikes
        self.theta[part] = theta + group["threshold_step"] * spikes
        self.r[part] = r + 2 * theta * spikes

    def _tell_changes(self, group: dict, part: slice, q: np.ndarray) -> None:
        sigma = q * 2 ** group["shift"] + self.u[part] * group["accumulates"]
        v = sigma + group["offset"]
        v = np.where(group["rectified"] & (v < 0), 0, v)
        delta = v - self.v[part] + self.residue[part]
        sends = np.abs(delta) >= group["threshold"]
        self.u[part], self.v[part] = sigma, v
        self.residue[part] = np.where(sends, 0, delta)
        self.spikes[part] = np.where(sends, np.floor_divide(delta, 64), 0)


def _kernel_row(group: dict, weights: np.ndarray, position: int, length: int
                ) -> tuple[np.ndarray, np.ndarray]:
    kernel = group["kernel"]
    weights = weights.reshape(kernel["shape"])
    c, y, x = np.unravel_index(position, kernel["source_shape"])
    low, high, inputs = kernel["low"], kernel["high"], kernel["shape"][1]
    found = []
    box = [range(a, b) for a, b in zip(low, high, strict=True)]
    for place, (o, r, s) in enumerate((o, r, s) for o in box[0] for r in box[1] for s in box[2]):
        i = c - inputs * (o * kernel["groups"] // kernel["channels"])
        ky, rest_y = divmod(y + kernel["padding"][0] - r * kernel["stride"][0],
                            kernel["dilation"][0])
        kx, rest_x = divmod(x + kernel["padding"][1] - s * kernel["stride"][1],
                            kernel["dilation"][1])
        taps = kernel["shape"][2:]
        if 0 <= i < inputs and 0 <= ky < taps[0] and 0 <= kx < taps[1] and not rest_y + rest_x:
            found.append((group["first_compartment"] + place, weights[o - low[0], i, ky, kx]))
    assert len(found) == length
    return np.array([f[0] for f in found], int), np.array([f[1] for f in found], int)


def run(folder: Path, inputs: dict[str, np.ndarray], steps: int) -> dict[str, dict]:
    """Spikes and v of every population, (steps, *shape); inputs are (steps, *shape)."""
    document = json.loads((folder / "registers.json").read_text())
    with h5py.File(folder / document["arrays"]) as arrays:
        cores = {(chip["id"], core["id"]): Core(core, arrays)
                 for chip in document["boards"][0]["chips"] for core in chip["cores"]}
        ports = [(_destinations(p["output_axons"], arrays), inputs[p["name"]].reshape(steps, -1))
                 for p in document["inputs"]]
        senders = [(core, _destinations(core.entry["output_axons"], arrays))
                   for core in cores.values()]
    waiting: dict[int, dict] = {}
    shapes = {p["name"]: tuple(p["shape"]) for p in document["populations"]}
    records = {name: {k: np.zeros((steps, *_view(s)), np.int64) for k in ("spikes", "v")}
               for name, s in shapes.items()}
    for t in range(steps):
        for destinations, rows in ports:
            _send(waiting, destinations, rows[t], t)
        arrived = waiting.pop(t, {})
        for key, core in cores.items():
            core.step(arrived.get(key, {}), t)
        for core, destinations in senders:
            _send(waiting, destinations, core.spikes, t)
            _record(records, core, t)
    return {name: {k: v.reshape(steps, *shapes[name]) for k, v in record.items()}
            for name, record in records.items()}


def _destinations(table: dict, arrays: h5py.File) -> dict[str, np.ndarray]:
    return {k: arrays[v["array"]][()].astype(int) for k, v in table.items() if k != "count"}


def _send(waiting: dict, table: dict[str, np.ndarray], payloads: np.ndarray, t: int) -> None:
    for i in np.flatnonzero(payloads):
        for a in range(table["start"][i], table["start"][i + 1]):
            at = waiting.setdefault(t + table["delay"][a], {})
            axons = at.setdefault((table["chip"][a], table["core"][a]), {})
            assert table["axon"][a] not in axons
            axons[table["axon"][a]] = int(payloads[i])


def _view(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) == 3 else (shape[0], 1, shape[1]) if len(shape) == 2 else (
        1, 1, shape[0])


def _record(records: dict, core: Core, t: int) -> None:
    for group in core.registers:
        part = slice(group["first"], group["first"] + group["count"])
        (a, b, c), (d, e, f) = group["low"], group["high"]
        places = {"spikes": part, "v": part}
        if group["model"] == "two-compartment":
            places = {"spikes": slice(part.start + 1, part.stop, 2),
                      "v": slice(part.start, part.stop, 2)}
        for key, values in (("spikes", core.spikes), ("v", core.v)):
            if "neurons" in group:
                flat = records[group["population"]][key][t].reshape(-1)
                flat[group["neurons"]] = values[places[key]]
                continue
            box = records[group["population"]][key][t, a:d, b:e, c:f]
            box[...] = values[places[key]].reshape(box.shape)
