"""HDF5 files that would crash or never leave the HDF5 library are refused in one line."""

import gzip
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from nmcompile import hdf5
from nmcompile.dump import is_stage
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.nir_file import FRONTEND
from nmcompile.mapping.files import load_network, load_program, program_family

GOLDENS = Path(__file__).parents[1] / "goldens" / "hostile"


@pytest.fixture
def endless(tmp_path):
    """A program with a string in its heap that claims -16 bytes: HDF5 2.0.0 never returns."""
    path = tmp_path / "program.h5"
    path.write_bytes(gzip.decompress((GOLDENS / "endless.h5.gz").read_bytes()))
    return path


@pytest.mark.parametrize("name", ["heap", "chunk"])
def test_a_file_that_crashed_the_hdf5_library_is_refused(tmp_path, name):
    path = tmp_path / "m.nir"
    path.write_bytes(gzip.decompress((GOLDENS / f"{name}.nir.gz").read_bytes()))
    with pytest.raises(NmcError, match="is a damaged HDF5 file") as error:
        FRONTEND.load(Request(path=path))
    assert str(error.value).isprintable()


@pytest.mark.parametrize("read", [program_family, lambda path: load_program(path, ()),
                                  load_network, is_stage, FRONTEND.claims, hdf5.names_in])
def test_a_file_that_holds_the_hdf5_library_for_ever_is_refused(endless, monkeypatch, read):
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    with pytest.raises(NmcError, match="is a damaged HDF5 file: reading it does not end"):
        read(endless)


@pytest.mark.parametrize("ending", ["crash", "hang", "wait"])
def test_a_reader_that_crashes_or_hangs_takes_nothing_down(tmp_path, monkeypatch, ending):
    scripts = {"crash": f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})",
               "hang": "while True: pass", "wait": "import time; time.sleep(1000)"}
    script = tmp_path / "walk.py"
    script.write_text(scripts[ending])
    monkeypatch.setattr(hdf5, "WALK", script)
    monkeypatch.setattr(hdf5, "SECONDS", 1)
    monkeypatch.setattr(hdf5, "PATIENCE", 0.5)
    path = tmp_path / "m.nir"
    path.write_bytes(b"anything")
    with pytest.raises(NmcError, match=r"crashes the HDF5 library|does not end"):
        hdf5.names_in(path)


def unreadable(file):
    data = file.create_dataset("aaa", (4,), "i4", chunks=(4,), compression="gzip")
    data.id.write_direct_chunk((0,), b"junk" * 4)


def inflated(file):
    data = file.create_dataset("x", ((1 << 30) // 8,), "f8", chunks=(1 << 20,), compression="gzip")
    data[:8] = 1


def doubled(file):
    file["x"] = np.zeros(100_000)
    for number in range(10):
        file[f"again{number}"] = file["x"]


def references(file):
    file.create_dataset("x", data=["a" * 1000] * 100, dtype=h5py.string_dtype())


def texts(file):
    file.attrs.create("x", ["a" * 1000] * 100, dtype=h5py.string_dtype())


@pytest.mark.parametrize(("write", "told"), [
    (unreadable, "is a damaged HDF5 file: reading it fails (OSError: Can't synchronously read"),
    (inflated, "'x' claims more data than it has"),
    (doubled, "claims 1,600,000 bytes or more, in a file of"),
    (references, "'x' claims more data than it has, or is of no numbers"),
    (texts, "'x' of '/' is no single value"),
])
def test_a_program_that_claims_more_than_it_has_is_refused_by_another_process(tmp_path, write, told):
    path = tmp_path / "program.h5"
    with h5py.File(path, "w") as file:
        write(file)
    with pytest.raises(NmcError) as error:
        program_family(path)
    assert told in str(error.value)
    assert str(error.value).endswith("Compile the model again.")
