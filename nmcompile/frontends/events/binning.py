"""Events as (samples, steps, channels, height, width), kept as a list and filled in when asked."""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from nmcompile.errors import (
    DataSetError,
    DataShapeError,
    DataSizeError,
    FileWriteError,
    OptionsError,
    RecordingError,
)
from nmcompile.files import why
from nmcompile.frontends.events.options import LONGEST_US, EventOptions
from nmcompile.frontends.events.reader import Recording
from nmcompile.ir.neurons.base import Array

MARK = np.dtype([("tick", "<i8"), ("cell", "<u4")])
IN_MEMORY = 64 << 20  # bytes of marks; more of them go to a temporary file
PIECE = 1 << 18  # marks that are read at once
MAX_BYTES = 4 << 30  # of samples that are filled in at once
MOST_SAMPLES = 10_000_000
MOST_PIXELS = 65_535  # along a side; places have 16 bits
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """Which pixels are used, and what they become.

    size   (width, height) of the sensor
    shape  (channels, height, width) of a step
    """

    size: tuple[int, int]
    options: EventOptions

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Pixels that are used: x, y, width, height."""
        return self.options.crop or (0, 0, *self.size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a step; what is left over at the edge by downsampling is a pixel of its own."""
        _, _, width, height = self.box
        n = self.options.downsample
        return self.options.channels, -(-height // n), -(-width // n)

    def cells(self, events: Array) -> tuple[Array, Array]:
        """Which events are used, (k,) bool, and where those are in a step, flattened."""
        left, top, width, height = self.box
        x, y = events["x"].astype(np.int64) - left, events["y"].astype(np.int64) - top
        kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if self.options.polarity in ("on", "off"):
            kept &= events["p"] == (self.options.polarity == "on")
        channels, rows, columns = self.shape
        n = self.options.downsample
        cell = y[kept] // n * columns + x[kept] // n
        if channels == 2:
            cell += events["p"][kept].astype(np.int64) * (rows * columns)
        return kept, cell


class Marks:
    """Marks (k,) MARK one after the other, in memory or a file that goes when nobody reads it."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)
        weakref.finalize(self, self._file.close)

    def add(self, marks: Array) -> None:
        """Write marks behind those that are there."""
        try:
            self._file.write(marks.tobytes())
        except OSError as error:
            raise FileWriteError(
                "the folder for temporary files", f"cannot be written: {why(error)}",
                "Set TMPDIR to a folder with 12 bytes for each event.") from error

    def between(self, begin: int, end: int) -> Iterator[Array]:
        """The marks from one number to another, in pieces."""
        for at in range(begin, end, PIECE):
            self._file.seek(at * MARK.itemsize)
            count = min(PIECE, end - at)
            yield np.frombuffer(self._file.read(count * MARK.itemsize), MARK)


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Samples of binned events: an array of (samples, steps, ...) that is made as it is asked for.

    marks   the events that are used, sample after sample: tick, and cell of a step
    begins  (samples,) number of each sample's first mark
    counts  (samples,) marks of each
    spans   (samples,) ticks that each lasts
    shape   (samples, steps, *unit); unit is (channels, height, width) or another shape of that
            size
    windows (recordings,) samples that each recording makes
    told    what the recordings are, in words
    """

    marks: Marks
    begins: Array
    counts: Array
    spans: Array
    shape: tuple[int, ...]
    options: EventOptions
    windows: Array
    told: str

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, samples: slice) -> Array:
        """(k, *shape[1:]) float32 of samples after each other."""
        return self.fitted(samples, self.shape[1])

    def reshape(self, *shape: int) -> Frames:
        """The same with another shape of a step."""
        return replace(self, shape=shape)

    def of(self, samples: Array) -> Frames:
        """The samples with these numbers."""
        return replace(self, begins=self.begins[samples], counts=self.counts[samples],
                       spans=self.spans[samples], shape=(len(samples), *self.shape[1:]))

    def fitted(self, samples: slice, steps: int) -> Array:
        """(k, steps, ...) float32: samples cut to so many steps, or with silence behind."""
        first, end, _ = samples.indices(len(self))
        cells = prod(self.shape[2:])
        shape = (end - first, steps, *self.shape[2:])
        if 4 * prod(shape) > MAX_BYTES:
            raise DataSizeError(
                self.told, f"makes {end - first:,} x {steps:,} steps of {cells:,} values at once, "
                f"{4 * prod(shape) / 2**30:,.1f} GiB",
                "Cut recordings into samples with --window, or take longer bins, fewer --steps, "
                "--crop or --downsample.")
        filled = np.zeros(prod(shape), np.float32)
        for sample in range(first, end):
            for part in self._marks(sample):
                step = self._steps(part["tick"], int(self.spans[sample]))
                place = ((sample - first) * steps + step) * cells + part["cell"]
                place = place[step < steps]
                if self.options.binary:
                    filled[place] = 1
                else:
                    np.add.at(filled, place, np.float32(1))
        return filled.reshape(shape)

    def peak(self, steps: int) -> float:
        """The largest value in the first steps."""
        largest = max((self._largest(sample, steps) for sample in range(len(self))), default=0)
        return float(min(largest, 1) if self.options.binary else largest)

    def _largest(self, sample: int, steps: int) -> int:
        """Most events of a cell in one of the first steps of a sample."""
        cells, largest = prod(self.shape[2:]), 0
        place, count = np.zeros(0, np.int64), np.zeros(0, np.int64)  # of the last step so far
        for part in self._marks(sample):
            step = self._steps(part["tick"], int(self.spans[sample]))
            place = np.concatenate([place, step * cells + part["cell"]])
            count = np.concatenate([count, np.ones(len(part), np.int64)])
            place, inverse = np.unique(place, return_inverse=True)
            count = np.bincount(inverse, count).astype(np.int64)
            largest = max(largest, int(count[place < steps * cells].max(initial=0)))
            more = place >= step[-1] * cells
            place, count = place[more], count[more]
        return largest

    def digest(self) -> str:
        """SHA-256 of what the samples are made of."""
        found = hashlib.sha256(f"{self.shape} {self.options} {self.spans.tolist()} "
                               f"{self.counts.tolist()}".encode())
        for sample in range(len(self)):
            for part in self._marks(sample):
                found.update(part.tobytes())
        return found.hexdigest()

    def _marks(self, sample: int) -> Iterator[Array]:
        begin = int(self.begins[sample])
        return self.marks.between(begin, begin + int(self.counts[sample]))

    def _steps(self, ticks: Array, span: int) -> Array:
        """Steps (k,) int64 of ticks since the begin of a sample."""
        if self.options.bins is not None:
            return ticks * self.options.bins // span
        return ticks // (self.options.bin_us or self.options.bin_events or 1)


def binned(
    recordings: Iterable[Recording], options: EventOptions, where: str,
    progress: Progress = lambda events: None,
) -> Frames:
    """All recordings in steps as `options` say; one without `bin` and `bins` is refused.

    progress  told how many further events are read

    Raises NmcError for events outside of the sensor and for times that run backwards.
    """
    marks, frame = Marks(), None
    counts: list[Array] = []
    spans: list[Array] = []
    for recording in recordings:
        mine = _frame(recording, options)
        if frame is not None and mine.shape != frame.shape:
            raise DataSetError(
                recording.where, f"is of {_pixels(mine.size)} pixels, those before it "
                f"of {_pixels(frame.size)}", "Give --crop.")
        frame = mine
        if options.bin is None and options.bins is None:
            raise OptionsError(
                recording.where, f"is a recording of {_pixels(mine.size)} pixels, and "
                "nobody says how long a step is", "Add --bin 1ms, say, or --bins 100.")
        written = _Writer(recording, frame, marks, progress)
        counts.append(written.counts)
        spans.append(written.spans)
    if frame is None:
        raise DataSetError(where, "holds no recording")
    step = (prod(frame.shape),) if options.flatten else frame.shape
    used, lasting = np.concatenate(counts), np.concatenate(spans)
    return Frames(marks=marks, begins=np.cumsum(used) - used, counts=used, spans=lasting,
                  options=options, windows=np.array([len(those) for those in spans]),
                  shape=(len(lasting), _steps(lasting, options), *step),
                  told=f"{where} ({_pixels(frame.size)} pixels)")


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _frame(recording: Recording, options: EventOptions) -> Frame:
    if not all(1 <= side <= MOST_PIXELS for side in recording.size):
        raise RecordingError(
            recording.where, f"says that its sensor has {_pixels(recording.size)} pixels, "
            f"expected 1 to {MOST_PIXELS:,} a side")
    if options.crop is not None:
        x, y, width, height = options.crop
        if x < 0 or y < 0 or x + width > recording.size[0] or y + height > recording.size[1]:
            raise DataShapeError(
                "--crop", f"goes to pixel {x + width}, {y + height}, {recording.where} "
                f"has {_pixels(recording.size)}")
    return Frame(size=recording.size, options=options)


def _steps(spans: Array, options: EventOptions) -> int:
    """Steps of the longest sample."""
    if options.bins is not None:
        return options.bins
    return max(1, -(-int(spans.max()) // (options.bin_us or options.bin_events or 1)))


class _Writer:
    """Writes the marks of one recording.

    counts  (samples,) marks of each; spans  (samples,) ticks that each lasts
    """

    def __init__(
        self, recording: Recording, frame: Frame, marks: Marks, progress: Progress
    ) -> None:
        self._where, self._frame, self._marks = recording.where, frame, marks
        self._options = frame.options
        self._begin: int | None = None
        self._last = self._used = 0
        self.counts: Array = np.zeros(0, np.int64)
        for events in recording.pieces:
            self._add(events)
            progress(len(events))
        if self._begin is None:
            raise RecordingError(self._where, "has no event")
        lasted = self._last - self._begin + 1
        window = self._options.window_us
        if window is None:
            ticks = self._used if self._options.bin_events else lasted
            self.counts = np.array([self._used])
            self.spans: Array = np.array([ticks])
        else:
            self._reach(-(-lasted // window))
            self.spans = np.full(len(self.counts), window)

    def _add(self, events: Array) -> None:
        t = events["t"]
        self._require_sane(events)
        if self._begin is None:
            self._begin = int(t[0])
        self._last = int(t[-1])
        kept, cell = self._frame.cells(events)
        ticks, window = t[kept] - self._begin, self._options.window_us
        if self._options.bin_events is not None:
            ticks = self._used + np.arange(len(cell))
        elif window is not None:
            sample, ticks = np.divmod(ticks, window)
            self._reach(int(self._last - self._begin) // window + 1)
            self.counts += np.bincount(sample, minlength=len(self.counts))
        self._used += len(cell)
        made = np.empty(len(cell), MARK)
        made["tick"], made["cell"] = ticks, cell
        self._marks.add(made)

    def _reach(self, samples: int) -> None:
        """Make room for so many samples."""
        if samples > MOST_SAMPLES:
            raise DataSizeError(
                self._where, f"makes {samples:,} samples of {self._options.window}, "
                f"{MOST_SAMPLES:,} are read", "Take a longer --window.")
        more = max(0, samples - len(self.counts))
        self.counts = np.concatenate([self.counts, np.zeros(more, np.int64)])

    def _require_sane(self, events: Array) -> None:
        """Refuse events outside of the sensor, and times that run backwards or very far."""
        t, (width, height) = events["t"], self._frame.size
        x, y = int(events["x"].max()), int(events["y"].max())
        if x >= width or y >= height:
            raise RecordingError(self._where, f"has events at x = {x} or y = {y}, its sensor has "
                                 f"{width} x {height} pixels",
                                 "If the file does not say its size, give --sensor.")
        before = int(t[0]) if self._begin is None else self._last
        back = np.flatnonzero(np.diff(t, prepend=before) < 0)
        if len(back):
            raise RecordingError(
                self._where, f"has times that run backwards, at {int(t[back[0]]):,} us",
                "Sort its events by time, or cut the file there.")
        begin = before if self._begin is None else self._begin
        if int(t[-1]) - begin > LONGEST_US:
            raise RecordingError(
                self._where, f"lasts {int(t[-1]) - begin:,} us, more than 115 days: "
                "it is damaged")
