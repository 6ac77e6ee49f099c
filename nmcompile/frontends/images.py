"""Still images as values between 0 and 1, by Pillow: PNG and JPEG."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile.errors import DataSetError, DataSizeError, PackageError, reading
from nmcompile.files import require_file
from nmcompile.frontends.events.folder import numbered, recordings_in
from nmcompile.ir.neurons.base import Array

SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
KINDS = ("PNG", "JPEG")
MAX_BYTES = 4 << 30  # of all images as 32-bit numbers


def is_image(path: Path) -> bool:
    """True for a file that begins as PNG or JPEG files do."""
    with path.open("rb") as file:
        return file.read(8).startswith(SIGNATURES)


def holds_images(path: Path, table: Path | None) -> bool:
    """Whether `path` is an image, or a folder whose first file is one."""
    files = recordings_in(path, table)[0][:1] if path.is_dir() else [path]
    return bool(files) and is_image(require_file(files[0]))


def read_images(path: Path, table: Path | None) -> tuple[Array, Array | None]:
    """(samples, channels, height, width) float32, and the class of each, if it is known.

    path   an image, or a folder of them as `folder.recordings_in` takes it, with `table`

    Grey images have one channel, all others three. Raises NmcError where sizes differ.
    """
    if importlib.util.find_spec("PIL") is None:
        raise PackageError(str(path), "is read by the package Pillow, which is not installed",
                           "pip install 'nmcompile[images]'.")
    files, names = recordings_in(path, table) if path.is_dir() else ([path], None)
    made: Array | None = None
    for number, file in enumerate(files):
        with reading(str(require_file(file)), "is no readable image"):
            image = _pixels(file)
        if made is None:
            made = _room(path, len(files), image.shape)
        if image.shape != made.shape[1:]:
            raise DataSetError(str(file), f"is of (channels, height, width) {image.shape}, those "
                               f"before it of {made.shape[1:]}", "Bring all images to one size.")
        made[number] = image
    if made is None:
        raise DataSetError(str(path), "holds no image")
    return made, None if names is None else numbered(names)


def _room(path: Path, count: int, shape: tuple[int, ...]) -> Array:
    if 4 * count * int(np.prod(shape)) > MAX_BYTES:
        raise DataSizeError(str(path), f"holds {count:,} images of {shape}, more than "
                            f"{MAX_BYTES >> 30} GiB", "Give fewer, or smaller ones.")
    return np.empty((count, *shape), np.float32)


def _pixels(file: Path) -> Array:
    """(channels, height, width) between 0 and 1, of 8 bits."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        opened = Image.open(file, formats=KINDS)
    with opened as image:
        if image.mode.startswith("I") or image.mode == "F":
            raise ValueError(f"has pixels of the kind {image.mode}, expected 8 bits")
        if any("16" in str(tile[3]) for tile in image.tile):  # Pillow would drop the lower 8
            raise ValueError("has pixels of 16 bits, expected 8")
        grey = image.mode in ("1", "L", "LA")
        values: Any = np.asarray(image.convert("L" if grey else "RGB"), np.float32) / 255
    return values[None] if grey else values.transpose(2, 0, 1)
