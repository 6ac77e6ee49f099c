"""Read recordings: a file, a folder of them, or a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile.errors import OptionsError
from nmcompile.files import require_file
from nmcompile.frontends.events.binning import Frames, binned
from nmcompile.frontends.events.content import format_of
from nmcompile.frontends.events.datasets import classes, dataset, is_dataset, recordings_of
from nmcompile.frontends.events.folder import numbered, recordings_in
from nmcompile.frontends.events.options import EventOptions
from nmcompile.frontends.events.reader import Decoder, Recording
from nmcompile.ir.neurons.base import Array

Progress = Callable[[int], None]


def holds_events(path: Path) -> bool:
    """Whether `path` is a recording, a folder of them, or names a data set."""
    if is_dataset(str(path)) or path.is_dir():
        return True
    return format_of(require_file(path)) is not None


def read_recordings(
    path: Path, options: EventOptions, progress: Progress = lambda events: None
) -> tuple[Frames, Array | None]:
    """Samples of the recordings in `path`, and the class number of each, if it is known.

    progress  told how many further events are read
    """
    text = str(path)
    if is_dataset(text):
        labels: list[Any] = []
        found = binned(recordings_of(dataset(text), text, options, labels), options, text, progress)
        names = classes(labels, text)
    else:
        files, names = ([path], None) if path.is_file() else recordings_in(path, options.labels)
        if path.is_file() and options.labels is not None:
            raise OptionsError("--labels", "is for a folder of recordings", "Leave it out.")
        with Decoder() as decoder:
            found = binned(_decoded(decoder, files, options), options, text, progress)
    return found, None if names is None else np.repeat(numbered(names), found.windows)


def _decoded(decoder: Decoder, files: list[Path], options: EventOptions) -> Iterator[Recording]:
    return (decoder.recording(require_file(path), options) for path in files)
