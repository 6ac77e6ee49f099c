"""What kind of recording a file is, judged by its content where it has a signature."""

from __future__ import annotations

import re
from pathlib import Path

from nmcompile.errors import FileKindError
from nmcompile.hdf5 import SIGNATURE

AEDAT2, AEDAT3, AEDAT4, DAT, ES, EVT, HDF5, NMNIST = (
    "AEDAT2", "AEDAT3", "AEDAT4", "DAT", "ES", "EVT", "HDF5", "N-MNIST")
HEAD = 4096
SIGNATURES = ((b"#!AER-DAT4.", AEDAT4), (b"#!AER-DAT3.", AEDAT3), (b"#!AER-DAT2.", AEDAT2),
              (b"Event Stream", ES), (SIGNATURE, HDF5))
NMNIST_EVENT = 5  # bytes; the format has no signature
RAW = re.compile(rb"^% (evt [0-9]|format EVT)", re.MULTILINE)


def format_of(path: Path) -> str | None:
    """The format of a recording, None for a file that is none."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    for signature, name in SIGNATURES:
        if head.startswith(signature):
            return name
    if head.startswith(b"% "):
        return EVT if RAW.search(head) else DAT
    size = path.stat().st_size
    if path.suffix.lower() == ".bin" and size and size % NMNIST_EVENT == 0:
        return NMNIST
    return None


def require_format(path: Path) -> str:
    """The format of a recording; NmcError for a file that is none, or of a format not read."""
    found = format_of(path)
    if found is None:
        raise FileKindError(
            str(path), "is no recording of events of a known format",
            "AEDAT2, AEDAT4, DAT, EVT2, EVT3, ES, HDF5 and N-MNIST's .bin are read.")
    if found == AEDAT3:
        raise FileKindError(str(path), "is of AEDAT 3, which is not read",
                            "Convert it to AEDAT4, as iniVation's DV does.")
    return found
