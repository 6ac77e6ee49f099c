"""Each format is read event by event as it was written; what it is, its content says."""

import h5py
import numpy as np
import pytest
from helpers import recordings as r

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.frontends.events.options import EventOptions
from nmcompile.frontends.events.reader import Decoder


def read(path, size, kind):
    """All events of a recording, and its size."""
    options = EventOptions(sensor=size if kind in r.UNSAID else None)
    with Decoder() as decoder:
        found = decoder.recording(path, options)
        return np.concatenate(list(found.pieces)), found.size


@pytest.mark.parametrize("kind", r.WRITERS)
def test_all_events_of_a_recording_are_read_as_they_were_written(tmp_path, kind):
    path, size = r.write(kind, tmp_path)
    found, said = read(path, size, kind)
    assert said == size
    np.testing.assert_array_equal(found, r.some_events(size=size))


def test_an_aedat4_file_is_read_as_the_package_aedat_reads_it(tmp_path):
    import aedat

    path, _ = r.write("AEDAT4", tmp_path)
    theirs = np.concatenate([p["events"] for p in aedat.Decoder(str(path)) if "events" in p])
    ours, _ = read(path, None, "AEDAT4")
    for name, other in zip("txyp", ("t", "x", "y", "on"), strict=True):
        np.testing.assert_array_equal(ours[name], theirs[other])


def test_vectors_of_evt3_are_events_of_one_time_and_row(tmp_path):
    path = tmp_path / "vectors.raw"
    words = [0x8001, 0x6002, 0x0007, 0x3800 | 4, 0x4005, 0x5081]  # from x = 4, on; then from 16
    path.write_bytes(b"% evt 3.0\n% format EVT3;height=28;width=34\n% end\n"
                     + np.array(words, "<u2").tobytes())
    found, _ = read(path, None, "EVT3")
    assert found.tolist() == [(4098, x, 7, 1) for x in (4, 6, 16, 23)]


def test_an_event_at_row_240_of_nmnist_is_time_that_went_round(tmp_path):
    path = tmp_path / "a.bin"
    first = r.some_events(3)
    marks = np.array([(0, 0, 240, 0)], r.EVENT)
    r.write_nmnist(path, np.concatenate([first, marks, first]))
    found, _ = read(path, (34, 34), "HDF5")
    assert found["t"].tolist() == [*first["t"], *(first["t"] + 8192)]


def test_aedat2_is_of_the_events_of_pixels_alone_and_its_time_goes_round(tmp_path):
    path, size = r.write("AEDAT2", tmp_path)
    other = np.array([[1 << 31 | 5 << 12, 50], [1 << 10, 60]], ">u4").tobytes()  # frame, external
    late = np.array([[7 << 12, 2**32 - 1], [8 << 12, 1]], ">u4").tobytes()
    path.write_bytes(path.read_bytes() + other + late)
    found, _ = read(path, size, "AEDAT2")
    assert len(found) == 402
    assert found["t"][-2:].tolist() == [2**32 - 1, 2**32 + 1]


def test_a_dvs128_has_an_address_of_its_own(tmp_path):
    path = tmp_path / "dvs128.aedat"
    path.write_bytes(b"#!AER-DAT2.0\r\n" + np.array([[3 << 8 | 5 << 1 | 1, 9]], ">u4").tobytes())
    with Decoder() as decoder:
        found = decoder.recording(path, EventOptions(sensor=(128, 128)))
        assert next(found.pieces).tolist() == [(9, 5, 124, 1)]
    with pytest.raises(NmcError, match=r"which camera it is: give --sensor, one of 128x128"):
        nmc.read_data(path, EventOptions(bin="1ms"))


def lists(path, events, layout):
    with h5py.File(path, "w") as file:
        if layout == "Metavision":
            table = np.zeros(len(events), [("x", "u2"), ("y", "u2"), ("p", "i2"), ("t", "i8")])
            for name in "xytp":
                table[name] = events[name]
            file["CD/events"] = table
            file.attrs["geometry"] = "34x28"
        elif layout == "event_utils":
            for name in "xy":
                file[f"events/{name}s"] = events[name]
            file["events/ts"], file["events/ps"] = events["t"] / 1e6, events["p"] * 2.0 - 1
            file.attrs["sensor_resolution"] = (28, 34)
        else:
            sent = np.stack([events["x"], events["y"], events["t"] / 1e6, events["p"] * 2.0 - 1], 1)
            file["davis/left/events"], file["davis/right/events"] = sent, sent[:5]


@pytest.mark.parametrize("layout", ["Metavision", "event_utils", "MVSEC"])
def test_layouts_of_hdf5_are_known(tmp_path, layout):
    path = tmp_path / "a.h5"
    lists(path, r.some_events(), layout)
    wishes = {"stream": "davis/left/events", "sensor": r.SIZE} if layout == "MVSEC" else {}
    with Decoder() as decoder:
        found = decoder.recording(path, EventOptions(**wishes))
        assert found.size == r.SIZE
        np.testing.assert_array_equal(np.concatenate(list(found.pieces)), r.some_events())


def test_a_list_that_is_packed_as_dsec_packs_it_is_read(tmp_path):
    import hdf5plugin

    path, events = tmp_path / "a.h5", r.some_events()
    with h5py.File(path, "w") as file:
        for name in "xytp":
            file.create_dataset(f"events/{name}", data=events[name], chunks=(100,),
                                **hdf5plugin.Blosc(cname="zstd"))
    found, _ = read(path, r.SIZE, "DAT")
    np.testing.assert_array_equal(found, events)


def test_one_of_several_lists_has_to_be_named(tmp_path):
    path = tmp_path / "a.h5"
    lists(path, r.some_events(), "MVSEC")
    with pytest.raises(NmcError, match="give --stream, one of davis/left/events, davis/right"):
        nmc.read_data(path, EventOptions(bin="1ms", sensor=r.SIZE))
    with pytest.raises(NmcError, match="has no stream 'davis/up'"):
        nmc.read_data(path, EventOptions(bin="1ms", sensor=r.SIZE, stream="davis/up"))


@pytest.mark.parametrize("kind", ["DAT", "EVT2"])
def test_a_size_that_no_file_says_has_to_be_given(tmp_path, kind):
    path, _ = r.write(kind, tmp_path)
    with pytest.raises(NmcError, match="how many pixels its sensor has: give --sensor"):
        nmc.read_data(path, EventOptions(bin="1ms"))


def test_a_size_that_is_given_is_that_of_the_file(tmp_path):
    path, _ = r.write("ES", tmp_path)
    with pytest.raises(NmcError, match="is of 34 x 28 pixels, --sensor says 346 x 260"):
        nmc.read_data(path, EventOptions(bin="1ms", sensor=(346, 260)))


def test_aedat3_is_refused_by_name(tmp_path):
    path = tmp_path / "a.aedat"
    path.write_bytes(b"#!AER-DAT3.1\r\n")
    with pytest.raises(NmcError, match="is of AEDAT 3, which is not read"):
        nmc.read_data(path, EventOptions(bin="1ms"))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    path, _ = r.write("ES", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NmcError, match=r"pip install 'nmcompile\[events\]'"):
        nmc.read_data(path, EventOptions(bin="1ms"))
