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
    words = np.array([[3 << 8 | 5 << 1 | 1, 9], [0, 9]], ">u4")  # x from the right, 0 is on
    path.write_bytes(b"#!AER-DAT2.0\r\n" + words.tobytes())
    with Decoder() as decoder:
        found = decoder.recording(path, EventOptions(sensor=(128, 128)))
        assert next(found.pieces).tolist() == [(9, 122, 124, 0), (9, 127, 127, 1)]
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


def evt3(path, times):
    """A recording whose upper bits of time are told where they change, and at no other place."""
    events = np.zeros(len(times), r.EVENT)
    events["t"] = times
    r.write_evt3(path, events)
    return path


def refusal(path, **options):
    with pytest.raises(NmcError) as error:
        nmc.read_data(path, EventOptions(bin="1ms", **options))
    return str(error.value).replace(str(path), "FILE")


def test_times_of_evt3_go_round_after_16_seconds(tmp_path):
    turn = 1 << 24
    times = [turn // 2, turn - 5000, turn - 10, turn, turn + 5000, turn + 9000]
    found, _ = read(evt3(tmp_path / "a.raw", times), None, "EVT3")
    assert found["t"].tolist() == times


def test_times_of_evt3_that_faery_would_hold_still_are_refused(tmp_path):
    """faery 0.7.1 reads 16,777,000, 16,777,000 and 16,777,000 here, without a word."""
    times = [1 << 23, (1 << 24) - 216, (1 << 24) + 4100, (1 << 24) + 9000]
    assert refusal(evt3(tmp_path / "a.raw", times)) == (
        "FILE: has upper bits of time (TIME_HIGH) that go from 4095 to 1, which the decoder does "
        "not follow: cut the file there, or convert it to EVT2 or DAT.")
    assert "(TIME_HIGH) that go from 3 to 1" in refusal(evt3(tmp_path / "a.raw", [12_288, 4096]))
    assert "(TIME_HIGH) that go from 0 to 4095" in refusal(
        evt3(tmp_path / "a.raw", [(1 << 24) - 1, 1 << 24]))


@pytest.mark.parametrize(("kind", "times", "said"), [
    ("DAT", (500, 470), "has times that run backwards, at 470 us"),
    ("EVT2", (6400, 64), "has times that run backwards, at 64 us")])
def test_times_that_run_backwards_are_refused_where_the_decoder_hides_it(
        tmp_path, kind, times, said):
    events = np.zeros(2, r.EVENT)
    events["t"] = times
    path, size = r.write(kind, tmp_path, events)
    assert said in refusal(path, sensor=size)


def test_a_sensor_that_steps_back_within_a_word_of_time_stands_still(tmp_path):
    """As EVK3's do in EVT3, by up to 11 us: open-neuromorphic/expelliarmus, evt3_sample.raw."""
    found, _ = read(evt3(tmp_path / "a.raw", [4096 + 811, 4096 + 800, 4096 + 820]), None, "EVT3")
    assert found["t"].tolist() == [4096 + 811, 4096 + 811, 4096 + 820]


def test_times_of_dat_and_evt2_go_round(tmp_path):
    path = tmp_path / "a.dat"
    path.write_bytes(b"% Version 2\n% Height 28\n% Width 34\n\x0c\x08"
                     + np.array([[2**32 - 5, 1], [7, 1]], "<u4").tobytes())
    found, _ = read(path, None, "AEDAT4")
    assert np.diff(found["t"]).tolist() == [12]
    path = tmp_path / "a.raw"
    path.write_bytes(b"% evt 2.0\n% geometry 34x28\n% end\n" + np.array(
        [0x8FFFFFFF, 1 << 28 | 63 << 22, 0x80000000, 1 << 28 | 5 << 22], "<u4").tobytes())
    found, _ = read(path, None, "AEDAT4")
    assert np.diff(found["t"]).tolist() == [6]


def test_an_event_that_begins_as_a_line_of_the_head_does_is_one(tmp_path):
    """In AEDAT2 the upper byte of an address is # in rows 140 to 143, counted from the bottom."""
    events = r.some_events(3, size=(240, 180))
    events["y"] = 179 - 140
    path, size = r.write("AEDAT2", tmp_path, events)
    found, _ = read(path, size, "AEDAT2")
    np.testing.assert_array_equal(found, events)


def test_aedat2_of_640_pixels_has_to_say_its_camera(tmp_path):
    """jAER's DAVIS640 and DVS640 are of one size and have other addresses."""
    path = tmp_path / "a.aedat"
    path.write_bytes(b"#!AER-DAT2.0\r\n" + bytes(8))
    assert "does not say of which camera it is" in refusal(path, sensor=(640, 480))


def write_aedat4_streams(path, sizes):
    """Two events in each of several streams of an AEDAT4 file; `sizes` by their numbers."""
    import faery
    from faery import aedat

    def text(value):
        return aedat.DescriptionAttribute("string", value)

    def node(name, place, attributes, nodes):
        return aedat.DescriptionNode(name, f"/mainloop/Recorder/{place}", attributes, nodes)

    streams = [node(str(n), f"outInfo/{n}/",
                    {"originalOutputName": text("events"), "compression": text("NONE"),
                     "typeIdentifier": text("EVTS")},
                    [node("info", f"outInfo/{n}/info/",
                          {"sizeX": aedat.DescriptionAttribute("int", width),
                           "sizeY": aedat.DescriptionAttribute("int", height),
                           "source": text("test")}, [])])
               for n, (width, height) in sizes.items()]
    with aedat.Encoder(str(path), [node("outInfo", "outInfo/", {}, streams)], None) as encoder:
        for n in sizes:
            encoder.write(n, np.zeros(2, faery.EVENTS_DTYPE))


def test_one_of_several_streams_of_aedat4_has_to_be_named(tmp_path):
    path, sizes = tmp_path / "two.aedat4", {3: (34, 28), 5: (17, 14)}
    write_aedat4_streams(path, sizes)
    assert "holds several streams of events: give --stream, one of 3, 5" in refusal(path)
    assert "has no stream '4', only 3, 5" in refusal(path, stream="4")
    for stream, size in sizes.items():
        with Decoder() as decoder:
            assert decoder.recording(path, EventOptions(stream=str(stream))).size == size
