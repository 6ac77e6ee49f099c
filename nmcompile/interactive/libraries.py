"""The libraries of tables and named arrays, which not every user has, and users' own arrays."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from nmcompile.errors import DataShapeError, PackageError, reading
from nmcompile.frontends.data_file import DataFile, class_numbers
from nmcompile.ir.neurons.base import Array


def pandas() -> Any:
    """The module; raises NmcError where it is not installed."""
    return _library("pandas")


def xarray() -> Any:
    """The module; raises NmcError where it is not installed."""
    return _library("xarray")


def data_of(values: object, where: str = "data") -> DataFile:
    """`values` as data: a DataFile as it is, a pair (x, y) of samples and labels, or x alone.

    x  (samples, ...), y  (samples,): what numpy makes an array of, or a tensor

    Raises NmcError for what holds no numbers, or no class of each sample.
    """
    if isinstance(values, DataFile):
        return values
    x, y = values if isinstance(values, tuple) and len(values) == 2 else (values, None)
    found = numbers("x", x)
    return DataFile(x=found, y=None if y is None else class_numbers(
        where, len(found), numbers("y", y)))


def numbers(name: str, values: object) -> Array:
    """`values` as an array: a list, an array, or a tensor, of bfloat16 as float32."""
    with reading(name, "is no array of numbers", kind=DataShapeError):
        if hasattr(values, "detach"):
            tensor: Any = values.detach().cpu()
            values = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        found = np.asarray(values)
    if found.dtype.kind not in "biuf" or not found.ndim:
        raise DataShapeError(name, f"holds {found.dtype} of shape {found.shape}, expected numbers, "
                             "(samples, ...)")
    return found


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise PackageError(
            name, "is not installed", "pip install 'nmcompile[notebook]'.") from error
