"""Tensors of an ONNX file as arrays, their data inside of it or in files beside it."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from nmcompile.errors import (
    DamagedFileError,
    FileReadError,
    ModelSizeError,
    UnsafeFileError,
    UnsupportedLayerError,
    reading,
)
from nmcompile.ir.neurons.base import Array

LARGEST = 1 << 30  # elements of all tensors of a file
LONGEST_NAME = 255
FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
INTEGERS: dict[int, tuple[int, int]] = {  # lowest and highest value, by ONNX's data types
    TensorProto.INT4: (-8, 7), TensorProto.UINT4: (0, 15), TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255), TensorProto.INT16: (-(2**15), 2**15 - 1),
    TensorProto.UINT16: (0, 2**16 - 1), TensorProto.INT32: (-(2**31), 2**31 - 1),
    TensorProto.UINT32: (0, 2**32 - 1), TensorProto.INT64: (-(2**63), 2**63 - 1),
}


class Tensors:
    """Reads the tensors of one file, which lies in `folder`, up to a limit for all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.left = LARGEST

    def array(self, name: str, tensor: TensorProto) -> Array:
        """The values of `tensor`: float32, int64, or bool.

        Raises NmcError for other types, shapes that do not fit the data, and external data that
        lie outside of the folder or do not exist.
        """
        kind = tensor.data_type
        if kind not in (*FLOATS, *INTEGERS, TensorProto.BOOL):
            known = TensorProto.DataType.values()
            said = TensorProto.DataType.Name(kind) if kind in known else str(kind)
            raise UnsupportedLayerError(name, f"a tensor of type {said} cannot be compiled")
        self._count(name, tensor)
        if tensor.data_location == TensorProto.EXTERNAL:
            self._fill(name, tensor)
        with reading(name, "holds a tensor whose data do not fit its shape"):
            values = numpy_helper.to_array(tensor)
        if kind in FLOATS:
            return np.asarray(values, np.float32)
        return values if kind == TensorProto.BOOL else np.asarray(values, np.int64)

    def _count(self, name: str, tensor: TensorProto) -> None:
        if any(n < 0 for n in tensor.dims) or tensor.HasField("segment"):
            raise DamagedFileError(name, f"holds a tensor of shape {list(tensor.dims)}")
        elements = prod(tensor.dims)
        self.left -= elements
        if self.left < 0:
            raise ModelSizeError(name, f"its {elements:,} numbers exceed what is read of one file, "
                                 f"{LARGEST:,}")

    def _fill(self, name: str, tensor: TensorProto) -> None:
        """Put the data of an external tensor into it."""
        entries = {text(e.key): text(e.value) for e in tensor.external_data}
        path = self._inside(name, entries.get("location", ""))
        width = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        needed = prod(tensor.dims) * width
        if tensor.data_type in (TensorProto.INT4, TensorProto.UINT4):
            needed = (prod(tensor.dims) + 1) // 2
        with reading(name, "names its external data by no numbers"):
            offset, length = int(entries.get("offset", 0)), int(entries.get("length", needed))
        if offset < 0 or length != needed or offset + length > path.stat().st_size:
            raise DamagedFileError(
                name, f"its data are {length:,} bytes at {offset:,} of {path.name}; "
                f"{needed:,} are needed and the file has {path.stat().st_size:,}")
        with path.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]

    def _inside(self, name: str, location: str) -> Path:
        path = None
        if 0 < len(location) <= LONGEST_NAME and location.isprintable():
            path = (self.folder / location).resolve()
        if path is None or Path(location).is_absolute() or self.folder not in path.parents:
            raise UnsafeFileError(
                name, f"its data lie in '{location[:80]}', outside of the folder of "
                "the model", "Put the data file beside the model.")
        if not path.is_file():
            raise FileReadError(name, f"its data file '{location[:80]}' does not exist",
                                "Put the data file beside the model.")
        return path


def text(value: str | bytes) -> str:
    """A string of a file; one that is no UTF-8 comes as bytes, and is made printable."""
    return value if isinstance(value, str) else value.decode("ascii", "backslashreplace")


def attribute(name: str, given: onnx.AttributeProto, tensors: Tensors) -> Any:
    """The value of an attribute; NmcError for graphs, references and types."""
    kinds = onnx.AttributeProto
    if given.ref_attr_name:
        raise DamagedFileError(name, f"its {given.name} refers to an attribute of a function")
    if given.type == kinds.TENSOR:
        return tensors.array(name, given.t)
    if given.type == kinds.STRING:
        return given.s.decode("utf-8", "replace")
    plain = {kinds.FLOAT: "f", kinds.INT: "i", kinds.FLOATS: "floats", kinds.INTS: "ints"}
    if given.type not in plain:
        raise UnsupportedLayerError(
            name, f"its {given.name} is a graph or of another kind that cannot be "
            "compiled", "Control flow must be unrolled before the export.")
    value = getattr(given, plain[given.type])
    return value if given.type in (kinds.FLOAT, kinds.INT) else tuple(value)
