"""Damaged recordings are refused in one line, or read as far as their format says; never a crash."""

import sys

import h5py
import numpy as np
import pytest
from helpers import recordings as r
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.frontends.events import reader
from nmcompile.frontends.events.binning import binned
from nmcompile.frontends.events.options import EventOptions
from nmcompile.frontends.events.reader import Decoder

SENSOR = {kind: r.SIZES.get(kind, r.SIZE) for kind in r.UNSAID}


def refusal(path, **options):
    with pytest.raises(NmcError) as error:
        nmc.read_data(path, EventOptions(bin="1ms", **options))
    assert str(error.value).isprintable()
    return str(error.value).replace(str(path), "FILE")


@pytest.mark.parametrize("kind", r.WRITERS)
def test_a_damaged_recording_is_refused_in_one_line_or_read(tmp_path, kind):
    """Bytes are changed, cut out and cut off; one process decodes them all, or is begun anew."""
    path, _ = r.write(kind, tmp_path, r.some_events(150, size=r.SIZES.get(kind, r.SIZE)))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    options = EventOptions(bin="10ms", sensor=SENSOR.get(kind))
    outcomes, decoders = [], [Decoder()]

    @settings(max_examples=25, deadline=None, derandomize=True,
              suppress_health_check=list(HealthCheck))
    @given(st.data())
    def damaged(data):
        made = whole.copy()
        where = st.integers(0, len(whole) - 1) | st.integers(0, 120)
        for at in data.draw(st.lists(where, min_size=1, max_size=6)):
            made[at] = data.draw(st.integers(0, 255))
        cut = sorted(data.draw(st.tuples(where, where)))
        how = data.draw(st.sampled_from(["change", "cut off", "cut out"]))
        if how != "change":
            made = made[: cut[0]] if how == "cut off" else np.delete(made, slice(*cut))
        path.write_bytes(made.tobytes())
        try:
            binned(iter([decoders[-1].recording(path, options)]), options, "FILE")
            outcomes.append("")
        except NmcError as error:
            outcomes.append(str(error))
            decoders[-1].__exit__()
            decoders.append(Decoder())

    damaged()
    decoders[-1].__exit__()
    assert any(outcomes)
    assert all(said.isprintable() for said in outcomes if said)


@pytest.mark.parametrize("kind", ["AEDAT2", "DAT", "EVT2", "EVT3"])
def test_a_file_that_ends_within_an_event_is_refused(tmp_path, kind):
    path, size = r.write(kind, tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(path, sensor=size).startswith("FILE: is cut off within an event")


def test_a_list_that_claims_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name in "xytp":
            file.create_dataset(name, (10**15,), "u2", chunks=(1 << 16,))
        file["x"][:10] = 1
    assert "claims 1,000,000,000,000,000 values" in refusal(path, sensor=r.SIZE)


def test_a_list_in_another_file_is_not_read(tmp_path):
    other, path = tmp_path / "other.h5", tmp_path / "a.h5"
    r.write_hdf5(other, r.some_events())
    with h5py.File(path, "w") as file:
        for name in "xytp":
            file[name] = h5py.ExternalLink(str(other), f"events/{name}")
    assert "holds no list of events" in refusal(path, sensor=r.SIZE)


def test_sizes_that_no_sensor_has_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    for width in (-5, 0, 65_536, 2**32):
        r.write_hdf5(path, r.some_events(10), (width, 28))
        assert refusal(path) == (
            f"FILE: says that its sensor has {width} x 28 pixels, expected 1 to 65,535 a side.")


def test_links_that_lead_back_to_a_group_are_gone_once(tmp_path):
    path = tmp_path / "a.h5"
    r.write_hdf5(path, r.some_events(10))
    with h5py.File(path, "a") as file:
        for name in ("again", "and again", "and once more"):
            file[f"events/{name}"] = file["/"]
    assert len(nmc.read_data(path, EventOptions(bin="1s")).x) == 1


def test_columns_of_other_kinds_and_lengths_are_refused(tmp_path):
    events = r.some_events(10)
    for name, wrong, said in (("x", events["x"][:5], "has columns of 5 to 10 events"),
                              ("t", np.full(10, np.nan), "has times that are no numbers"),
                              ("y", events["y"] + 0.5, "has places y that are no whole numbers"),
                              ("x", events["x"].astype("i4") - 99, "is damaged: x reaches from"),
                              ("p", events["p"][:, None], "has shape (10, 1), expected a list"),
                              ("p", np.full(10, np.nan), "has polarities that are no numbers"),
                              ("p", np.array([b"on"] * 10), "has polarities that are no numbers")):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            for column in "xytp":
                file[column] = wrong if column == name else events[column]
        assert said in refusal(path, sensor=r.SIZE)


def test_events_outside_of_the_sensor_are_refused(tmp_path):
    path, _ = r.write("N-MNIST", tmp_path)
    assert "FILE: has events at x = 33 or y = 27, its sensor has 20 x 20 pixels" in refusal(
        path, sensor=(20, 20))


def test_a_reader_that_takes_for_ever_is_given_up(tmp_path, monkeypatch):
    path, _ = r.write("ES", tmp_path)
    monkeypatch.setattr(reader, "SECONDS", 0.2)
    monkeypatch.setattr(reader, "START", "import time; {path!r}; time.sleep(60)")
    assert refusal(path) == "FILE: is a damaged file: reading it does not end."


def test_a_reader_that_dies_is_told(tmp_path, monkeypatch):
    path, _ = r.write("ES", tmp_path)
    monkeypatch.setattr(reader, "START", "import os; {path!r}; input(); os.abort()")
    assert refusal(path) == "FILE: is a damaged file: reading it ends the decoder."


def test_tables_of_labels_are_looked_over(tmp_path):
    r.write_es(tmp_path / "a.es", r.some_events())
    for text, said in (("file\na.es\n", "has no columns file and label"),
                       ("file,label\n", "names no file"),
                       ("file,label\n../a.es,1\n", "expected a file in the folder and its class"),
                       ("file,label\n/a.es,1\n", "expected a file in the folder and its class"),
                       ("file,label\na.es\n", "expected a file in the folder and its class"),
                       ('file,label\n"a.es', "is no readable table")):
        (tmp_path / "labels.csv").write_text(text)
        assert said in refusal(tmp_path)
    (tmp_path / "labels.csv").write_text("file,label\na.es,7\n")
    assert nmc.read_data(tmp_path, EventOptions(bin="1ms")).y.tolist() == [7]


def test_tonic_is_asked_for_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tonic", None)
    assert refusal("tonic:NMNIST:data") == (
        "tonic:NMNIST: is read by the package tonic, which is not installed. pip install tonic.")


def test_data_sets_that_are_none_are_refused(tmp_path):
    path = tmp_path / "mine.py"
    for text, said in (("def f(): return 5", "is of the type int, expected a data set"),
                       ("def f(): return [5]", "sample 0: is of the type int, expected (events, label)"),
                       ("def f(): return [(5, 0)]", "does not say how many pixels"),
                       ("def f(a): return []", "needs arguments: a")):
        path.write_text(text)
        assert said in refusal(f"{path}:f")
    path.write_text("def f(): return [([1, 2], 0)]")
    assert "expected a numpy array with the fields t, x, y and p" in refusal(
        f"{path}:f", sensor=r.SIZE)
    assert "'g' is not known" in refusal(f"{path}:g")
