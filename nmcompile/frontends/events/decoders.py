"""Decoders of recordings, for the process of `worker`: the sensor's size, and events in pieces.

AEDAT4, DAT, EVT2, EVT3 and ES are read by faery, HDF5 by h5py. For AEDAT2 and N-MNIST there is no
such library; they are flat arrays. x counts from the left and y from the top in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmcompile.frontends.events import content
from nmcompile.frontends.events.raw_times import fault_of

EVENT = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])  # t in us, p 1 for on
LATEST = 1 << 60  # us
PIECE = 1 << 18  # events
UNSAID = (65535, 65535)
TEXT = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")  # in any encoding
NO_SENSOR = "does not say how many pixels its sensor has: give --sensor WIDTHxHEIGHT"
Pieces = Iterator[Any]
Decoded = tuple[tuple[int, int], Pieces]


class UnreadableError(Exception):
    """What is wrong with a file, in the words of an NmcError."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A recording to decode; sensor and stream as of `EventOptions`."""

    path: str
    format: str
    sensor: tuple[int, int] | None = None
    stream: str | None = None


def events(t: Any, x: Any, y: Any, on: Any) -> Any:
    """(k,) EVENT of columns; t in us."""
    made = np.empty(len(t), EVENT)
    for name, column in (("t", t), ("x", x), ("y", y)):
        if len(column) and (column.min() < 0 or column.max() > (LATEST if name == "t" else 65534)):
            raise UnreadableError(
                f"is damaged: {name} reaches from {column.min()} to {column.max()}")
        made[name] = column
    made["p"] = on
    return made


def microseconds(t: Any) -> Any:
    """Times in us: whole numbers are, others are seconds."""
    if t.dtype.kind in "iu":
        return t
    if t.dtype.kind != "f" or not np.all(np.abs(t) < LATEST / 1e6):
        raise UnreadableError(f"has times that are no numbers ({t.dtype}, or not finite)")
    return np.rint(t.astype(np.float64) * 1e6).astype(np.int64)


def whole(name: str, values: Any) -> Any:
    """`values`, if they are whole numbers."""
    if values.dtype.kind not in "iuf" or np.any(values != np.floor(values)):
        raise UnreadableError(f"has places {name} that are no whole numbers ({values.dtype})")
    return values


def _faery(file: File) -> Decoded:
    import faery

    kinds = {content.AEDAT4: "aedat", content.ES: "es", content.EVT: "evt"}
    if file.format == content.EVT:
        _require_sound(file)
    if file.format != content.AEDAT4 and file.stream is not None:
        raise UnreadableError(f"has no stream '{file.stream}'")
    track = _track(file) if file.format == content.AEDAT4 else None
    stream = faery.events_stream_from_file(
        file.path, track_id=track, dimensions_fallback=UNSAID, file_type=kinds[file.format])
    return _said(stream.dimensions(), file), (
        events(part["t"], part["x"], part["y"], part["on"]) for part in stream)


def _track(file: File) -> int:
    """Which stream of an AEDAT4 file is read."""
    from faery import aedat

    tracks = [str(track.id) for track in aedat.Decoder(file.path).tracks()
              if track.data_type == "events"]
    listed = ", ".join(tracks[:8])
    if not tracks:
        raise UnreadableError("holds no stream of events")
    if file.stream is not None and file.stream not in tracks:
        raise UnreadableError(f"has no stream '{file.stream}', only {listed}")
    if file.stream is None and len(tracks) > 1:
        raise UnreadableError(f"holds several streams of events: give --stream, one of {listed}")
    return int(tracks[0] if file.stream is None else file.stream)


def _dat(file: File) -> Decoded:
    from faery import dat

    _require_sound(file)
    decoder = dat.Decoder(file.path, dimensions_fallback=UNSAID, version_fallback="dat2")
    if decoder.event_type not in ("cd", "2d"):
        raise UnreadableError(f"holds events of the type {decoder.event_type}, none of pixels")
    return _said(decoder.dimensions, file), (
        events(part["t"], part["x"], part["y"], part["payload"] > 0) for part in decoder)


def _said(size: tuple[int, int], file: File) -> tuple[int, int]:
    """The size that the file says, or the user in its place."""
    if tuple(size) == UNSAID:
        if file.sensor is None:
            raise UnreadableError(NO_SENSOR)
        size = file.sensor
    return int(size[0]), int(size[1])


def _behind_head(head: bytes, mark: bytes) -> int:
    """Where events begin, behind the lines of text that begin with `mark`.

    An event may begin so, too: lines are of text, and all end as the first one does.
    """
    first = head.find(b"\n")
    end_of_line = b"\r\n" if head[:first].endswith(b"\r") else b"\n"
    start = 0
    while head.startswith(mark, start):
        at = head.find(end_of_line, start)
        if not TEXT.fullmatch(head, start, len(head) if at < 0 else at):
            return start
        if at < 0:
            raise UnreadableError("is damaged: its head does not end")
        start = at + len(end_of_line)
    return start


def _require_sound(file: File) -> None:
    """Refuse a file whose last event is cut off, or whose times run backwards."""
    with open(file.path, "rb") as opened:
        head = opened.read(1 << 16)
        end = opened.seek(0, 2)
    start = _behind_head(head, b"% ")
    if file.format == content.DAT:
        kind, start, size = "DAT", start + 2, 8
    elif re.search(rb"^% (evt 2|format EVT2(?!1))", head[:start], re.MULTILINE):
        kind, size = "EVT2", 4
    else:
        kind, size = "EVT3", 2
    if end < start or (end - start) % size:
        raise UnreadableError("is cut off within an event")
    if fault := fault_of(file.path, start, kind):
        raise UnreadableError(fault)


def _nmnist(file: File) -> Decoded:
    """N-MNIST's and N-Caltech101's: 40 bits an event, big-endian.

    x, y of 8 bits, polarity of 1, time of 23 bits in us; an event with y = 240 says that the time
    went beyond 2^13 us (Orchard et al. 2015, and the Matlab functions that come with the data).
    """
    return file.sensor or (34, 34), _nmnist_pieces(Path(file.path))


def _nmnist_pieces(path: Path) -> Pieces:
    passed = 0
    with path.open("rb") as file:
        while True:
            raw = np.frombuffer(file.read(PIECE * content.NMNIST_EVENT), np.uint8)
            if not len(raw):
                return
            if len(raw) % content.NMNIST_EVENT:
                raise UnreadableError("is cut off within an event")
            x, y, high, middle, low = raw.reshape(-1, content.NMNIST_EVENT).T.astype(np.int64)
            beyond = y == 240
            t = ((high & 0x7F) << 16 | middle << 8 | low) + 8192 * (passed + np.cumsum(beyond))
            passed += int(np.count_nonzero(beyond))
            kept = ~beyond
            yield events(t[kept], x[kept], y[kept], high[kept] >> 7)


@dataclass(frozen=True, kw_only=True)
class Camera:
    """How an address of AEDAT2 is made up.

    x, y      shift and bits; x counts from the right and y from the bottom
    polarity  its bit; `on` is what it is in events that are on
    clear     bits that are 0 in events
    """

    size: tuple[int, int]
    x: tuple[int, int]
    y: tuple[int, int]
    polarity: int
    on: int
    clear: int


# Bits: docs.inivation.com, "AEDAT 2.0". It does not say that x is turned over and that DVS128's
# polarity is 0 for on, as jAER, which writes these files, has it (DVS128, DavisBaseCamera; so have
# libcaer's dvs128.c, "hardware is like this", and v2e's writer).
DVS128 = Camera(size=(128, 128), x=(1, 7), y=(8, 7), polarity=0, on=0, clear=1 << 15)
CAMERAS = {"DVS128": DVS128} | {
    name: Camera(size=size, x=(12, 10), y=(22, 9), polarity=11, on=1, clear=1 << 31 | 1 << 10)
    for name, size in (("DAVIS240", (240, 180)), ("DAVIS346", (346, 260)),
                       ("DAVIS640", (640, 480)))}


def _aedat2(file: File) -> Decoded:
    with open(file.path, "rb") as opened:
        head = opened.read(1 << 20)
        end = opened.seek(0, 2)
    start = _behind_head(head, b"#")
    if (end - start) % 8:
        raise UnreadableError("is cut off within an event")
    camera = _camera(head[:start], file.sensor)
    return camera.size, _aedat2_pieces(Path(file.path), start, camera)


def _camera(head: bytes, sensor: tuple[int, int] | None) -> Camera:
    said = re.search(rb"^#\s*AEChip:\s*(\S+)", head, re.MULTILINE)
    name = said[1].decode("latin-1").upper() if said else ""
    for known, camera in CAMERAS.items():
        if known in name:
            return camera
    unsaid = [camera for name, camera in CAMERAS.items() if name != "DAVIS640"]  # jAER's DVS640
    for camera in unsaid:  # is of that size, too
        if not said and sensor is not None and camera.size == tuple(sensor):
            return camera
    sizes = ", ".join(f"{c.size[0]}x{c.size[1]}" for c in unsaid)
    raise UnreadableError(
        f"is of the camera '{name[:60]}', known are {', '.join(CAMERAS)}" if said
        else f"does not say of which camera it is: give --sensor, one of {sizes}")


def _aedat2_pieces(path: Path, start: int, camera: Camera) -> Pieces:
    wraps, last = 0, 0
    with path.open("rb") as file:
        file.seek(start)
        while len(raw := np.frombuffer(file.read(PIECE * 8), ">u4").reshape(-1, 2)):
            address, stamp = raw.T.astype(np.int64)
            fell = np.diff(stamp, prepend=last) < -(1 << 31)  # 32 bits of us went round
            t = stamp + ((wraps + np.cumsum(fell)) << 32)
            wraps, last = wraps + int(np.count_nonzero(fell)), int(stamp[-1])
            mine = address & camera.clear == 0
            address, t = address[mine], t[mine]
            x, y = (address >> shift & (1 << bits) - 1 for shift, bits in (camera.x, camera.y))
            for name, place, size in (("x", x, camera.size[0]), ("y", y, camera.size[1])):
                if np.any(place >= size):
                    raise UnreadableError(f"has an event at {name} = {place.max()} of {size}")
            on = (address >> camera.polarity & 1) == camera.on
            yield events(t, camera.size[0] - 1 - x, camera.size[1] - 1 - y, on)


def _hdf5(file: File) -> Decoded:
    from nmcompile.frontends.events.hdf5_lists import decode

    size, columns = decode(file.path, file.stream, file.sensor)
    return size, (events(*part) for part in columns)


DECODERS: dict[str, Callable[[File], Decoded]] = {
    content.AEDAT2: _aedat2, content.AEDAT4: _faery, content.DAT: _dat, content.ES: _faery,
    content.EVT: _faery, content.HDF5: _hdf5, content.NMNIST: _nmnist}
