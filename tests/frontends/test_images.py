"""Images are values between 0 and 1, in folders of their classes."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import nmcompile as nmc
from nmcompile.errors import NmcError


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def some(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def refusal(path, **options):
    with pytest.raises(NmcError) as error:
        nmc.read_data(path, nmc.EventOptions(**options))
    return str(error.value).replace(str(path), "DATA")


def test_a_folder_for_each_class_gives_values_and_labels(tmp_path):
    given = [save(tmp_path / name / f"{i}.png", some(i, 6, 8, 3))
             for i, name in enumerate(("cat", "dog", "dog"))]
    data = nmc.read_data(tmp_path)
    assert data.x.shape == (3, 3, 6, 8)
    assert data.y.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(
        data.x, np.stack(given).transpose(0, 3, 1, 2).astype(np.float32) / 255)


def test_one_grey_image_is_one_sample_of_one_channel(tmp_path):
    given = some(0, 5, 4)
    Image.fromarray(given).save(tmp_path / "digit.dat", format="PNG")
    data = nmc.read_data(tmp_path / "digit.dat")
    np.testing.assert_array_equal(data.x, given[None, None].astype(np.float32) / 255)
    assert data.y is None


def test_a_jpeg_is_read_by_its_content(tmp_path):
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(tmp_path / "a", format="JPEG")
    np.testing.assert_allclose(nmc.read_data(tmp_path / "a").x, 200 / 255, atol=0.01)


def test_images_of_other_sizes_and_kinds_are_refused(tmp_path):
    save(tmp_path / "a.png", some(0, 5, 4))
    save(tmp_path / "b.png", some(0, 5, 5))
    assert "is of (channels, height, width) (1, 5, 5), those before it of (1, 5, 4)" in refusal(
        tmp_path)
    save(tmp_path / "b.png", np.zeros((5, 4), np.uint16))
    assert "has pixels of the kind I;16, expected 8 bits" in refusal(tmp_path)
    assert refusal(tmp_path / "a.png", bin="1ms") == (
        "--bin: is for recordings of events, DATA is none. Leave it out.")


def test_colours_of_16_bits_are_refused(tmp_path):
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data
                + struct.pack(">I", zlib.crc32(name + data)))

    row = b"\x00" + struct.pack(">6H", *range(6))  # two pixels of 16 bits a colour
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))
    assert "has pixels of 16 bits, expected 8" in refusal(tmp_path / "a.png")


def test_damaged_and_enormous_images_are_refused(tmp_path, monkeypatch):
    save(tmp_path / "a.png", some(0, 50, 40))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:200])
    assert "is no readable image" in refusal(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1999)
    assert refusal(tmp_path / "a.png").startswith("DATA: is no readable image")
    monkeypatch.undo()
    monkeypatch.setattr("nmcompile.frontends.images.MAX_BYTES", 7999)
    assert "holds 1 images of (1, 50, 40)" in refusal(tmp_path / "a.png")


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    save(tmp_path / "a.png", some(0, 5, 4))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refusal(tmp_path).endswith("pip install 'nmcompile[images]'.")
