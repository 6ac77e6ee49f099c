"""Recordings in each format, written by other libraries or by the published formats."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

EVENT = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
SIZE = (34, 28)  # width, height
BY_EVENT_STREAM = """import sys
import event_stream, numpy
events, (width, height) = numpy.load(sys.argv[1]), map(int, sys.argv[3:])
made = numpy.zeros(len(events), event_stream.dvs_dtype)
made["t"], made["x"], made["on"] = events["t"], events["x"], events["p"]
made["y"] = height - 1 - events["y"]
with event_stream.Encoder(sys.argv[2], "dvs", width, height) as encoder:
    encoder.write(made)
"""


def some_events(count=400, size=SIZE, seed=0, lasting=60_000):
    """(count,) events in the order of time, the first at 100 us."""
    draw = np.random.default_rng(seed)
    made = np.zeros(count, EVENT)
    made["t"] = 100 + np.sort(draw.integers(0, lasting, count))
    made["t"][0] = 100
    made["x"], made["y"] = draw.integers(0, size[0], count), draw.integers(0, size[1], count)
    made["p"] = draw.integers(0, 2, count)
    return made


def dense(events, bin_us, steps, size=SIZE):
    """(1, steps, 2, height, width): one event after the other."""
    frames = np.zeros((1, steps, 2, size[1], size[0]), np.float32)
    for t, x, y, p in events.tolist():
        frames[0, (t - int(events["t"][0])) // bin_us, p, y, x] += 1
    return frames


def write_aedat4(path: Path, events, size=SIZE):
    """By faery; tests read it with `aedat` as well."""
    import faery
    from faery.file_encoder import events_to_file

    made = np.zeros(len(events), faery.EVENTS_DTYPE)
    for name in "txyp":
        made["on" if name == "p" else name] = events[name]
    events_to_file(iter([made]), path, size, zero_t0=False, file_type="aedat")


def write_es(path: Path, events, size=SIZE):
    """By event_stream, whose y counts from the bottom.

    In a process of its own: event_stream 1.6.3 changes numpy's bool, whose `str` becomes "<b1".
    """
    plain = path.with_suffix(".npy")
    np.save(plain, events)
    subprocess.run([sys.executable, "-c", BY_EVENT_STREAM, plain, path, *map(str, size)],
                   check=True)
    plain.unlink()


def write_dat(path: Path, events, size=SIZE):
    """By expelliarmus; its head does not say the size of the sensor."""
    _by_expelliarmus("dat", path, events)


def write_evt2(path: Path, events, size=SIZE):
    """By expelliarmus; its head does not say the size of the sensor."""
    _by_expelliarmus("evt2", path, events)


def _by_expelliarmus(encoding, path, events):
    from expelliarmus import Wizard

    made = np.zeros(len(events), [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
    for name in "txyp":
        made[name] = events[name]
    written = path.with_suffix(".dat" if encoding == "dat" else ".raw")
    Wizard(encoding=encoding).save(fpath=written, arr=made)
    written.rename(path)


def write_evt3(path: Path, events, size=SIZE):
    """By docs.prophesee.ai, "EVT 3.0": words of 16 bits, their kind in the upper four."""
    words, before = [], (-1, -1, -1)
    for t, x, y, p in events.tolist():
        high, low = t >> 12 & 0xFFF, t & 0xFFF
        if high != before[0]:
            words.append(0x8 << 12 | high)
        if (high, low) != before[:2]:
            words.append(0x6 << 12 | low)
        if y != before[2]:
            words.append(y)
        words.append(0x2 << 12 | p << 11 | x)
        before = (high, low, y)
    head = f"% evt 3.0\n% format EVT3;height={size[1]};width={size[0]}\n% end\n".encode()
    path.write_bytes(head + np.array(words, "<u2").tobytes())


def write_nmnist(path: Path, events, size=SIZE):
    """By the page of the data set: 40 bits, x, y, polarity, and 23 bits of time."""
    path.write_bytes(b"".join(struct.pack(">BBBH", x, y, p << 7 | t >> 16, t & 0xFFFF)
                              for t, x, y, p in events.tolist()))


def write_aedat2(path: Path, events, size=(240, 180)):
    """As jAER has it for a DAVIS240: x counts from the right and y from the bottom."""
    head = (b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
            b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n")
    path.write_bytes(head + b"".join(
        struct.pack(">II", size[1] - 1 - y << 22 | size[0] - 1 - x << 12 | p << 11, t)
        for t, x, y, p in events.tolist()))


def write_hdf5(path: Path, events, size=SIZE):
    """As DSEC has it, with the size as attributes."""
    with h5py.File(path, "w") as file:
        for name in "xytp":
            file[f"events/{name}"] = events[name]
        file.attrs["width"], file.attrs["height"] = size


WRITERS = {"AEDAT2": write_aedat2, "AEDAT4": write_aedat4, "DAT": write_dat, "ES": write_es,
           "EVT2": write_evt2, "EVT3": write_evt3, "HDF5": write_hdf5, "N-MNIST": write_nmnist}
SIZES = {"AEDAT2": (240, 180)}
UNSAID = ("DAT", "EVT2", "N-MNIST")  # formats whose files, as written here, do not say the size


def write(kind: str, folder: Path, events=None) -> tuple[Path, tuple[int, int]]:
    """A recording of a kind, and the size of its sensor."""
    size = SIZES.get(kind, SIZE)
    path = folder / ("a.bin" if kind == "N-MNIST" else f"{kind}.recording")
    WRITERS[kind](path, some_events(size=size) if events is None else events, size)
    return path, size
