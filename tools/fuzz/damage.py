"""Damage to model files: of their bytes, and of what each format is made of."""

from __future__ import annotations

import io
import json
import pickletools
import random
import re
import struct
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx

EDGES = (0, 1, 2, -1, 7, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, -(2**31), 2**32 - 1,
         2**40, 2**53, 2**62, 2**63 - 1, -(2**63))
REALS = (0.0, -0.0, 1e-45, 1e-300, 0.5, 1.0, -1.0, 1e15, 1e38, 1e300, float("inf"), float("-inf"),
         float("nan"))
NAMES = ("", "0", "input", "output", "../x", "/etc/passwd", "x" * 5000, "\x00", "\n", "é\ud800",
         "Conv", "Gemm", "Loop", "If", "LIF", "CubaLIF", "NIRGraph", "Input", "conv", "dense_rec")
GLOBALS = (b"cos\nsystem\n", b"cbuiltins\neval\n", b"cbuiltins\ngetattr\n", b"ctorch\nload\n",
           b"csubprocess\nPopen\n", b"ctorch.nn.modules.linear\nLinear\n", b"c__main__\nNet\n",
           b"ctorch.nn.modules.container\nSequential\n", b"cnumpy\nfromfile\n",
           b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n")
MAX_VALUES = 10**8  # of a data set that is damaged once more
OPCODES = (b"R", b"b", b"o", b"\x81", b"t", b"(", b"0", b"2", b"a", b"e", b"u", b"s", b"]", b"}",
           b")", b"N", b"\x88", b"\x89", b"Q", b"\x85", b"\x86", b"\x94", b"i" b"os\nsystem\n")


def damaged(seed: Path, rng: random.Random) -> bytes:
    """The bytes of `seed` with one to six faults, of its bytes or of its structure."""
    data = seed.read_bytes()
    structured = {".onnx": of_onnx, ".nir": of_hdf5, ".net": of_hdf5}.get(seed.suffix)
    if rng.random() < 0.25:
        return of_bytes(data, rng)
    if structured:
        return structured(data, rng)
    if data[:2] == b"PK":
        return of_archive(data, rng)
    return of_pickle(data, rng)


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """`data` with some bytes changed, taken out, repeated or put in."""
    damage = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(damage) + 1)
        end = min(len(damage), at + rng.choice((1, 2, 4, 8, 64, 1000)))
        kind = rng.randrange(6)
        if kind == 0 and at < len(damage):
            damage[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damage[at:at + 8] = struct.pack("<q", rng.choice(EDGES[:-1]))[:end - at]
        elif kind == 2:
            del damage[at:end]
        elif kind == 3:
            damage[at:at] = damage[at:end]
        elif kind == 4:
            damage[at:end] = rng.randbytes(end - at)
        elif rng.random() < 0.3:
            del damage[at:]
        if not damage:
            break
    return bytes(damage)


def of_archive(data: bytes, rng: random.Random) -> bytes:
    """A zip archive with an entry damaged, left out, doubled, renamed or of another size."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        entries = [(info.filename, file.read(info)) for info in file.infolist()]
    for _ in range(rng.randint(1, 2)):
        k = rng.randrange(len(entries))
        if rng.random() < 0.6:  # what says what the rest means
            k = next((i for i, (name, _) in enumerate(entries)
                      if name.endswith(("data.pkl", "model.json", "constants.pkl"))), k)
        name, content = entries[k]
        kind = rng.randrange(12)
        if kind < 8:
            entries[k] = (name, of_entry(name, content, rng))
        elif kind == 8:
            entries.append((name, content))
        elif kind == 9 and len(entries) > 1:
            del entries[k]
        elif kind == 10:
            renamed = (name + "x", "../" + name, " ", name.replace("/", "//"))
            entries[k] = (rng.choice(renamed), content)
        else:
            entries[k] = (name, content * rng.choice((0, 2, 50)))
    out = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED,) * 9 + (zipfile.ZIP_DEFLATED,))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as file:
        warnings.simplefilter("ignore")
        for name, content in entries:
            file.writestr(name, content)
    return out.getvalue()


def of_entry(name: str, content: bytes, rng: random.Random) -> bytes:
    """One entry of an archive, damaged as what it is."""
    if content[:1] == b"{" and name.endswith(".json"):
        return of_json(content, rng)
    if content[:1] == b"\x80":
        return of_pickle(content, rng)
    if content[:2] == b"PK":
        return of_archive(content, rng)
    return of_bytes(content, rng) if content else rng.randbytes(16)


def of_pickle(data: bytes, rng: random.Random) -> bytes:
    """A pickle with opcodes doubled, exchanged, left out, put in or given other arguments."""
    try:
        starts = [position for _, _, position in pickletools.genops(data)]
    except Exception:
        return of_bytes(data, rng)
    pieces = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    for _ in range(rng.randint(1, 6)):
        if pieces:
            _change_opcodes(pieces, rng)
    return b"".join(pieces)


def _change_opcodes(pieces: list[bytes], rng: random.Random) -> None:
    k, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
    name = rng.choice(NAMES).encode("utf-8", "surrogatepass")
    globals_ = [i for i, piece in enumerate(pieces) if piece[:1] == b"c"] or [k]
    kind = rng.randrange(8)
    if kind == 0:
        pieces.insert(k, rng.choice(OPCODES))
    elif kind == 1:
        pieces.insert(k, rng.choice(GLOBALS))
    elif kind == 2:
        del pieces[k]
    elif kind == 3:
        pieces[k], pieces[other] = pieces[other], pieces[k]
    elif kind == 4:
        pieces[k:k] = pieces[k:k + rng.randint(1, 40)]
    elif kind == 5:
        pieces[rng.choice(globals_)] = rng.choice(GLOBALS)
    elif kind == 6:
        pieces[k] = b"\x8a\x08" + struct.pack("<q", rng.choice(EDGES))
    else:
        pieces[k] = b"X" + struct.pack("<I", len(name)) + name


def of_json(content: bytes, rng: random.Random) -> bytes:
    """A JSON document with some values exchanged for others, or keys left out."""
    try:
        document = json.loads(content)
    except ValueError:  # damaged before
        return of_bytes(content, rng)
    for _ in range(rng.randint(1, 5)):
        at: Any = document
        while isinstance(at, dict | list) and at:
            key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
            inner = at[key]
            if not isinstance(inner, dict | list) or not inner or rng.random() < 0.15:
                if rng.random() < 0.15:
                    del at[key]
                else:
                    at[key] = rng.choice((*EDGES, *REALS, *NAMES[:12], None, True, [], {}, inner))
                break
            at = inner
    return json.dumps(document).encode("utf-8", "surrogatepass")


def of_onnx(data: bytes, rng: random.Random) -> bytes:
    """An ONNX model with fields changed, cleared or doubled."""
    try:
        model = onnx.load_from_string(data)
    except Exception:
        return of_bytes(data, rng)
    for _ in range(rng.randint(1, 5)):
        _change_message(model, rng)
    return model.SerializeToString()


def _change_message(message: Any, rng: random.Random) -> None:
    fields = message.ListFields()
    if not fields:
        return
    field, value = rng.choice(fields)
    repeated = not isinstance(value, int | float | str | bytes) and hasattr(value, "__len__")
    if field.message_type is not None:
        inner = rng.choice(value) if repeated else value
        if repeated and rng.random() < 0.15:
            value.add().CopyFrom(inner)
        elif repeated and rng.random() < 0.1:
            del value[rng.randrange(len(value))]
        else:
            _change_message(inner, rng)
        return
    kinds = {field.CPPTYPE_STRING: [n.encode("utf-8", "replace") if field.type == field.TYPE_BYTES
                                    else n.replace("\ud800", "") for n in NAMES],
             field.CPPTYPE_FLOAT: list(REALS[:8]), field.CPPTYPE_DOUBLE: list(REALS)}
    new = rng.choice(kinds.get(field.cpp_type, list(EDGES)))
    try:
        if repeated and rng.random() < 0.3:
            value.append(new)
        elif repeated:
            value[rng.randrange(len(value))] = new
        else:
            setattr(message, field.name, new)
    except (ValueError, TypeError):  # the field holds less: an enumeration, 32 bits
        message.ClearField(field.name)


def of_hdf5(data: bytes, rng: random.Random) -> bytes:
    """An HDF5 file with data sets of other shapes, types and values, and nodes moved or linked."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        path.write_bytes(data)
        try:
            with h5py.File(path, "r+") as file:
                for _ in range(rng.randint(1, 4)):
                    _change_hdf5(file, rng)
        except (OSError, RuntimeError, ValueError, KeyError):
            return of_bytes(data, rng)
        return path.read_bytes()


def of_heap(data: bytes, rng: random.Random) -> bytes:
    """An HDF5 file with sizes, numbers and places changed in its global heaps, which hold texts.

    See the HDF5 File Format Specification, III.E: Disk Format: Level 1E - Global Heap.
    """
    heaps = [found.start() for found in re.finditer(b"GCOL", data)]
    damage = bytearray(data)
    for _ in range(rng.randint(1, 3) if heaps else 0):
        heap = rng.choice(heaps)
        item = rng.choice(_heap_items(data, heap))
        named = [found.start() for found in re.finditer(
            re.escape(struct.pack("<Q", heap)), data)]  # behind a length, ahead of a number
        size = rng.choice((*EDGES, -16, -8, 8, 16, 4096, rng.getrandbits(16)))
        kind = rng.randrange(6)
        if kind < 3:
            struct.pack_into("<Q", damage, item + 8, size % 2**64)
        elif kind == 3:
            struct.pack_into("<Q", damage, heap + 8, size % 2**64)
        elif kind == 4 or not named:
            struct.pack_into("<H", damage, item, rng.getrandbits(16))
        else:
            at = rng.choice(named) + rng.choice((-4, 0, 8))
            struct.pack_into("<I", damage, at, size % 2**32)
    return bytes(damage)


def _heap_items(data: bytes, heap: int) -> list[int]:
    """Where the items of a global heap begin."""
    size, = struct.unpack_from("<Q", data, heap + 8)
    items, at, end = [], heap + 16, min(heap + size, len(data))
    while at + 16 <= end:
        items.append(at)
        number, length = struct.unpack_from("<H6xQ", data, at)
        if not number:
            break
        at += 16 + (length + 7) // 8 * 8
    return items


def of_sizes(data: bytes, rng: random.Random) -> bytes:
    """An HDF5 file with a small data set that claims to be large, or cannot be read, put in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        path.write_bytes(data)
        with h5py.File(path, "r+") as file:
            name = rng.choice(("aaa", "network/aaa", "zzz"))
            if rng.random() < 0.3:
                junk = file.create_dataset(name, (4,), "i4", chunks=(4,), compression="gzip")
                junk.id.write_direct_chunk((0,), rng.randbytes(16))
            elif rng.random() < 0.5:
                texts = ["x" * rng.randint(1, 10_000)] * rng.randint(1, 100)
                file.create_dataset(name, data=texts, dtype=h5py.string_dtype())
            else:
                size = rng.choice((1 << 20, 1 << 27, (1 << 28) - 1, 1 << 28, 1 << 40))
                file.create_dataset(name, (size,), "f8", chunks=(1 << 16,), compression="gzip")
                file[name][:8] = 1
        return path.read_bytes()


def _change_hdf5(file: h5py.File, rng: random.Random) -> None:
    names: list[str] = []
    file.visit(names.append)
    if not names:
        return
    name = rng.choice(names)
    item = file[name]
    kind = rng.randrange(10)
    if kind == 0:
        del file[name]
    elif kind == 1:
        file.copy(item, item.parent, f"{name.split('/')[-1]}2")
    elif kind == 2:
        file.move(name, rng.choice((f"{name}x", rng.choice(names) + "y", "node2")))
    elif kind == 3:
        del file[name]
        file[name] = rng.choice((h5py.SoftLink("/"), h5py.ExternalLink("/etc/passwd", "/"),
                                 h5py.SoftLink("/nothing")))
    elif kind == 4:
        file[f"{name}link"] = file[rng.choice(names)]  # a hard link, perhaps to what holds it
    elif isinstance(item, h5py.Dataset) and item.size is not None and item.size < MAX_VALUES:
        value = _other_value(np.asarray(item[()]), rng)
        del file[name]
        if value is None:
            file.create_dataset(name, (2**40,), "f4")
        else:
            file[name] = value


def _other_value(value: np.ndarray, rng: random.Random) -> Any:
    if value.dtype.kind in "SO" or rng.random() < 0.1:
        return rng.choice(NAMES).encode("utf-8", "replace").replace(b"\0", b"")
    kind = rng.randrange(7)
    if kind == 0:
        return value.astype(rng.choice(("f2", "f8", "i1", "i8", "u8", "c8", "?")))
    if kind == 1:
        return value.reshape(-1)[:rng.randint(0, max(value.size, 1))]
    if kind == 2:
        return np.broadcast_to(value[..., None] if value.ndim < 5 else value, (
            *value.shape, 3) if value.ndim < 5 else value.shape).copy()
    if kind == 3 and rng.random() < 0.3:
        return None
    flat = value.copy().reshape(-1)
    if flat.size and value.dtype.kind in "iuf":
        numbers = REALS if value.dtype.kind == "f" else EDGES
        with np.errstate(all="ignore"):
            flat[rng.randrange(flat.size)] = np.float64(rng.choice(numbers)).astype(value.dtype)
    return flat.reshape(value.shape)
