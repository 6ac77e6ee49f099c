"""Damaged HDF5 files, on which the HDF5 library itself once crashed, are refused in one line."""

import gzip
import signal
from pathlib import Path

import pytest

from nmcompile import hdf5
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.nir_file import FRONTEND

GOLDENS = Path(__file__).parents[1] / "goldens" / "hostile"


@pytest.mark.parametrize("name", ["heap", "chunk"])
def test_a_file_that_crashed_the_hdf5_library_is_refused(tmp_path, name):
    path = tmp_path / "m.nir"
    path.write_bytes(gzip.decompress((GOLDENS / f"{name}.nir.gz").read_bytes()))
    with pytest.raises(NmcError, match=r"damaged|no readable NIR graph") as error:
        FRONTEND.load(Request(path=path))
    assert str(error.value).isprintable()


@pytest.mark.parametrize("ending", ["crash", "hang"])
def test_a_reader_that_crashes_or_hangs_takes_nothing_down(tmp_path, monkeypatch, ending):
    script = (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})" if ending == "crash"
              else "while True: pass")
    monkeypatch.setattr(hdf5, "WALK", script)
    monkeypatch.setattr(hdf5, "SECONDS", 0.5)
    path = tmp_path / "m.nir"
    path.write_bytes(b"anything")
    with pytest.raises(NmcError, match=r"crashes the HDF5 library|does not end"):
        hdf5.names_in(path)
