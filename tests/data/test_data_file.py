"""Data files are judged by content, and nothing in them is executed."""

import io
import zipfile

import numpy as np
import pytest
from helpers import recordings

from nmcompile.errors import NmcError
from nmcompile.frontends.data_file import read_data
from nmcompile.frontends.events import EventOptions


@pytest.fixture
def x():
    return np.arange(12, dtype=np.float32).reshape(3, 4)


def refusal(path):
    with pytest.raises(NmcError) as error:
        read_data(path)
    return str(error.value).replace(str(path), "FILE")


def test_npz_npy_and_torch_tensors_are_read(tmp_path, x):
    import torch

    np.savez(tmp_path / "a.npz", x=x, y=np.array([0, 1, 2]))
    np.save(tmp_path / "b.npy", x)
    torch.save(torch.tensor(x), tmp_path / "c.pt")
    torch.save({"x": torch.tensor(x), "y": torch.tensor([0, 1, 2])}, tmp_path / "d.pt")
    for name in ("a.npz", "b.npy", "c.pt", "d.pt"):
        data = read_data(tmp_path / name)
        np.testing.assert_array_equal(data.x, x)
        assert (data.y is None) == (name in ("b.npy", "c.pt"))


def test_the_name_of_a_file_does_not_matter(tmp_path, x):
    path = tmp_path / "data.txt"
    np.save(tmp_path / "data.npy", x)
    (tmp_path / "data.npy").rename(path)
    np.testing.assert_array_equal(read_data(path).x, x)


def test_a_pickled_object_array_is_refused_unread(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, x=np.array([{"run": "me"}], dtype=object))
    assert refusal(path) == (
        "FILE: holds object of shape (1,), expected numbers of at most 4 GiB. "
        "Save numbers.")


def test_a_header_that_claims_petabytes_is_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)})
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    assert "expected numbers of at most 4 GiB" in refusal(path)


def test_text_a_missing_file_and_a_truncated_file_are_refused(tmp_path, x):
    (tmp_path / "a.npz").write_text("hello")
    assert refusal(tmp_path / "a.npz") == (
        "FILE: is neither .npz, .npy, a .pt tensor nor a known recording of events. "
        "Save it with numpy.savez(path, x=data, y=labels).")
    assert refusal(tmp_path / "none.npz") == "FILE: No such file or directory."
    np.savez(tmp_path / "whole.npz", x=x)
    data = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    assert refusal(tmp_path / "cut.npz").startswith("FILE: is damaged (")


def test_labels_of_another_length_and_a_missing_x_are_refused(tmp_path, x):
    np.savez(tmp_path / "a.npz", x=x, y=np.zeros(2))
    assert refusal(tmp_path / "a.npz") == "FILE: y has shape (2,), x has 3 samples."
    np.savez(tmp_path / "b.npz", images=x)
    assert refusal(tmp_path / "b.npz").startswith("FILE: holds no array x, only: images.")


def test_what_is_held_of_recordings_is_a_choice_of_all_classes(tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / name).mkdir()
        for i in range(4):
            recordings.write_es(tmp_path / name / f"{i}.es", recordings.some_events(30, seed=i))
    data = read_data(tmp_path, EventOptions(bins=3))
    assert data.y.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    monkeypatch.setattr("nmcompile.frontends.data_file.HELD_BYTES", 4 * 6 * 3 * 2 * 34 * 28)
    held = data.held()
    assert held.x.shape == (6, 3, 2, 28, 34)
    assert len(set(held.y.tolist())) == 3
    order = np.random.default_rng(0).permutation(12)[:6]
    np.testing.assert_array_equal(held.x, data.x[:][order])
    assert data.held(2).y.tolist() == data.y[order[:2]].tolist()
    np.testing.assert_array_equal(data.first(5).x[:], data.x[:5])
