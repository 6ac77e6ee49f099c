"""Read a torch.export archive (.pt2) as data: its graph's JSON and its raw tensors.

torch.export.load is not used: it evaluates symbolic expressions and may unpickle constants.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nmcompile.errors import ModelFileError, UnsafeFileError, reading
from nmcompile.frontends.loading.archive import open_archive, require_sane
from nmcompile.frontends.loading.rebuild import Rebuilder
from nmcompile.frontends.loading.unpickle import records

# torch._export.serde.schema.ScalarType
DTYPES = {1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64,
          6: torch.float16, 7: torch.float32, 8: torch.float64, 12: torch.bool, 13: torch.bfloat16}
MAX_JSON = 64 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One operation: "aten.add.Tensor", its arguments, the names of its results.

    where  (call, path, class) of the module that it belongs to, for each module around it
    """

    target: str
    args: tuple[tuple[str, Any], ...]
    keywords: tuple[tuple[str, Any], ...]
    results: tuple[str, ...]
    several: bool
    where: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """An exported graph.

    constants  name in the graph -> tensor; `named` the same by name in the model
    given      name of the user's input, and its shape as exported
    """

    path: Path
    steps: tuple[Step, ...]
    constants: dict[str, torch.Tensor]
    named: dict[str, torch.Tensor]
    given: str
    shape: tuple[int, ...]
    outputs: tuple[str, ...]
    example: torch.Tensor | None


def read_program(path: Path) -> Program:
    """The program in `path`; NmcError where it is damaged or needs more than data to be read."""
    with reading(str(path), "is no torch.export archive that can be read",
                 "Export it again with this version of torch."), zipfile.ZipFile(path) as file:
        require_sane(path, file.infolist())
        return _program(path, _Entries(file))


class _Entries:
    """The entries of an archive by their name after the root folder."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self.file = file
        self.root = next(n for n in file.namelist() if n.endswith("archive_format")).removesuffix(
            "archive_format")

    def read(self, name: str) -> bytes:
        """The bytes of one entry."""
        info = self.file.getinfo(self.root + name)
        if info.file_size > MAX_JSON and name.endswith(".json"):
            raise ValueError(f"{name} has {info.file_size:,} bytes")
        return self.file.read(info)

    def has(self, name: str) -> bool:
        """True where there is such an entry."""
        return self.root + name in self.file.namelist()


def _program(path: Path, entries: _Entries) -> Program:
    module = json.loads(entries.read("models/model.json"))["graph_module"]
    graph, signature = module["graph"], module["signature"]
    stored = _tensors(path, entries, "weights") | _tensors(path, entries, "constants")
    constants, named, users = {}, {}, []
    for spec in signature["input_specs"]:
        ((kind, body),) = spec.items()
        if kind == "user_input":
            users.append(body["arg"]["as_tensor"]["name"])
            continue
        name = next(v for k, v in body.items() if k.endswith("_name"))
        constants[body["arg"]["name"]] = named[name] = stored[name]
    if len(users) != 1:
        raise ModelFileError(str(path), f"the exported model takes {len(users)} tensors, one is "
                             "supported")
    sizes = graph["tensor_values"][users[0]]["sizes"]
    outputs = tuple(spec["user_output"]["arg"]["as_tensor"]["name"]
                    for spec in signature["output_specs"] if "as_tensor" in
                    spec.get("user_output", {}).get("arg", {}))
    return Program(
        path=path, steps=tuple(map(_step, graph["nodes"])), constants=constants, named=named,
        given=users[0], shape=tuple(int(s["as_int"]) for s in sizes), outputs=outputs,
        example=_example(path, entries),
    )


def _step(node: dict[str, Any]) -> Step:
    arguments = [(i["name"], *i["arg"].items(), i.get("kind", 1)) for i in node["inputs"]]
    results = [out for entry in node["outputs"] for out in (
        entry["as_tensors"] if "as_tensors" in entry else [entry["as_tensor"]])]
    stack = node["metadata"].get("nn_module_stack", "")
    where = tuple(tuple(part.split(",")) for part in stack.split(";") if part.count(",") == 2)
    return Step(
        target=node["target"].removeprefix("torch.ops."),
        args=tuple((name, value) for name, value, kind in arguments if kind == 1),
        keywords=tuple((name, value) for name, value, kind in arguments if kind != 1),
        results=tuple(r["name"] for r in results),
        several=any("as_tensors" in entry for entry in node["outputs"]),
        where=where,
    )


def _tensors(path: Path, entries: _Entries, folder: str) -> dict[str, torch.Tensor]:
    table = f"data/{folder}/model_{folder}_config.json"
    if not entries.has(table):
        return {}
    config = json.loads(entries.read(table))["config"]
    found = {}
    read: dict[str, bytearray] = {}  # tensors may share the bytes of one entry
    for name, entry in config.items():
        if entry["use_pickle"]:
            raise UnsafeFileError(str(path), f"stores '{name}' as a pickle, which is not read",
                                  "Save the model itself with torch.save(model, path).")
        source = f"data/{folder}/{entry['path_name']}"
        if source not in read:
            read[source] = bytearray(entries.read(source))
        found[name] = _tensor(read[source], entry["tensor_meta"])
    return found


def _tensor(data: bytearray, meta: dict[str, Any]) -> torch.Tensor:
    dtype = DTYPES[meta["dtype"]]
    size = [int(n["as_int"]) for n in meta["sizes"]]
    stride = [int(n["as_int"]) for n in meta["strides"]]
    offset = int(meta["storage_offset"]["as_int"])
    if 0 in size:
        return torch.zeros(size, dtype=dtype)
    flat = torch.frombuffer(data, dtype=dtype)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if min(*size, *stride, offset, 0) < 0 or last >= len(flat) or torch.Size(size).numel() > len(
        flat
    ):
        raise ValueError(f"a tensor of size {size} exceeds its data")
    return flat.as_strided(size, stride, offset)


def _example(path: Path, entries: _Entries) -> torch.Tensor | None:
    """The first tensor of the sample inputs, read like any file of torch.save."""
    if not entries.has("data/sample_inputs/model.pt"):
        return None
    archive = open_archive(path, entries.read("data/sample_inputs/model.pt"))
    content = Rebuilder(archive).value(records(archive.pickle, str(path)))
    while isinstance(content, tuple | list) and content:
        content = content[0]
    return content if isinstance(content, torch.Tensor) else None
