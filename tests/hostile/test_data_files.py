"""Hostile data files and target files are refused in one line."""

import io
import os
import zipfile

import numpy as np
import pytest
from helpers import pickles as p

from nmcompile.errors import NmcError
from nmcompile.frontends.data_file import read_data
from nmcompile.target.load import parse_target, read_target


def refusal(path):
    with pytest.raises(NmcError) as error:
        read_data(path)
    assert str(error.value).isprintable()
    return str(error.value).replace(str(path), "FILE")


def npy(header):
    """An .npy file of version 1.0 with this text as its header."""
    data = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1" + "0" * 400 + ",)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1e400,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (((((",
        "__import__('os').system('true')",
    ],
)
def test_an_array_with_a_strange_header_is_refused(tmp_path, header):
    path = tmp_path / "x.npy"
    path.write_bytes(npy(header))
    refusal(path)


@pytest.mark.parametrize(("offset", "value"), [(6, 200), (8, 1), (10, 99), (8, 0x20)])
def test_an_archive_of_a_kind_that_cannot_be_read_is_refused(tmp_path, offset, value):
    path = tmp_path / "x.npz"
    np.savez(path, x=np.zeros((3, 4), np.float32))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + offset] |= value
    path.write_bytes(data)
    refusal(path)


def test_damaged_compressed_data_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    held = io.BytesIO()
    np.save(held, np.arange(4096, dtype=np.float32))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", held.getvalue())
    data = bytearray(path.read_bytes())
    data[600:700] = b"\xff" * 100
    path.write_bytes(data)
    assert refusal(path).startswith("FILE: is damaged (")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    assert refusal(tmp_path / "x.npy") == "FILE: is a pipe or a device, expected a file."
    os.mkfifo(tmp_path / "t.toml")
    with pytest.raises(NmcError, match="is a pipe"):
        read_target(tmp_path / "t.toml")


def test_torch_tensors_of_every_common_kind_are_read(tmp_path):
    import torch

    plain = torch.arange(12.0).reshape(3, 4)
    for tensor in (plain.requires_grad_(), torch.nn.Parameter(plain), plain.bfloat16(),
                   plain.half(), plain.t().contiguous().t(), plain.long()):
        torch.save(tensor, tmp_path / "x.pt")
        np.testing.assert_array_equal(read_data(tmp_path / "x.pt").x, plain.detach().numpy())


def test_a_tensor_file_that_names_code_is_refused(tmp_path):
    called = tmp_path / "called"
    pickled = p.name("os", "system") + p.tuple_of(p.text(f"touch {called}")) + b"R"
    said = refusal(p.archive(tmp_path / "x.pt", pickled))
    assert "os.system: the file asks to call it" in said
    assert not called.exists()


@pytest.mark.parametrize(
    "labels", [[0.5, 1, 2], [np.nan, 1, 2], [-1, 0, 1], ["a", "b", "c"], [1e30, 0, 0]])
def test_labels_that_are_no_class_numbers_are_refused(tmp_path, labels):
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 4)), y=np.array(labels))
    assert "values that are no class numbers. Give one whole number" in refusal(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "text",
    [
        "x=" + "[" * 5000 + "]" * 5000,
        "x=" + "{a=" * 3000 + "1" + "}" * 3000,
        "a." * 3000 + "b=1",
        "a" + ".a" * 60_000 + "=1",
        "x=" + "9" * 5000,
        'x="\0"',
    ],
)
def test_a_target_file_that_nests_or_counts_without_end_is_refused(text):
    with pytest.raises(NmcError) as error:
        parse_target(text, "t.toml")
    assert str(error.value).startswith("t.toml: ")
