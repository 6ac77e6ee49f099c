"""What the wire takes, and that it takes nothing else."""

import contextlib
import json
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nmcompile import wire
from nmcompile.errors import NmcError
from nmcompile.serve.upload import Upload

KINDS = ["|b1", "|i1", "|u1", "<i2", ">u2", "<i4", ">i4", "<u4", "<i8", "<u8", "<f4", ">f8"]
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=9), inner, max_size=3), max_leaves=5)
SAYINGS = st.fixed_dictionaries(
    {"say": st.sampled_from(["load", "run", "hello", "welcome"])},
    optional={name: JSON for name in ("size", "inputs", "wanted", "protocol", "nmcompile", "who")})


def cut(data, sizes):
    """`data` in parts of these sizes, over and over."""
    first, turn = 0, 0
    while first < len(data):
        yield data[first : first + sizes[turn % len(sizes)]]
        first, turn = first + sizes[turn % len(sizes)], turn + 1


@given(st.lists(st.sampled_from(KINDS).flatmap(
    lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=4, max_side=5))), min_size=1,
    max_size=3))
def test_arrays_arrive_as_they_were_sent(sent):
    heads = [wire.head(str(i), values) for i, values in enumerate(sent)]
    arrival = wire.Arrival(heads, 1 << 20, "client")
    for values in sent:
        for part in wire.chunks(values):
            arrival.take(part)
    assert arrival.is_whole
    for values, arrived in zip(sent, arrival.arrays().values(), strict=True):
        assert arrived.dtype == values.dtype.newbyteorder("=")
        np.testing.assert_array_equal(arrived, values)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_bytes_may_come_in_parts_of_any_size(sizes):
    values = np.arange(30, dtype=np.int32).reshape(5, 6)
    arrival = wire.Arrival([wire.head("x", values)], 1 << 20, "client")
    for part in cut(values.tobytes(), sizes):
        arrival.take(part)
    np.testing.assert_array_equal(arrival.arrays()["x"], values)


@pytest.mark.parametrize(("message", "told"), [
    ("{}", "client: sent a message where bytes were due."),
    (b"", "client: sent a message where bytes were due."),
    (bytes(13), "client: sent 1 bytes more of 'x' than it announced."),
])
def test_an_arrival_takes_no_more_than_was_announced(message, told):
    arrival = wire.Arrival([wire.ArrayHead(name="x", dtype="<i4", shape=(3,))], 100, "client")
    with pytest.raises(wire.WireError) as error:
        arrival.take(message)
    assert str(error.value) == told


def test_arrays_that_are_too_large_are_refused_before_there_is_room_for_them():
    huge = wire.ArrayHead(name="x", dtype="<f8", shape=(1 << 31,) * 16)
    with pytest.raises(wire.WireError, match="at most 1,000 are taken"):
        wire.Arrival([huge], 1000, "client")


def test_two_arrays_of_one_name_are_refused():
    head = wire.ArrayHead(name="x", dtype="|u1", shape=(1,))
    with pytest.raises(wire.WireError, match="two arrays of one name"):
        wire.Arrival([head, head], 1000, "client")


@given(st.text() | JSON.map(json.dumps) | SAYINGS.map(json.dumps) | st.binary() | st.none())
def test_whatever_is_no_message_is_refused_as_such(text):
    for parse in (wire.parse_order, wire.parse_hello, wire.parse_answer):
        with contextlib.suppress(wire.WireError):  # whatever else it raises is a fault
            assert parse(text, "client").say in text


@pytest.mark.parametrize("message", [
    {"say": "run", "inputs": [{"name": "x", "dtype": "|O", "shape": [1]}], "wanted": {}},
    {"say": "run", "inputs": [{"name": "x", "dtype": "<i4", "shape": [-1]}], "wanted": {}},
    {"say": "run", "inputs": [{"name": "x", "dtype": "<i4", "shape": [1 << 40]}], "wanted": {}},
    {"say": "run", "inputs": [{"name": "x", "dtype": "<i4", "shape": [1.0]}], "wanted": {}},
    {"say": "run", "inputs": [{"name": "x", "dtype": "<i4", "shape": [1] * 17}], "wanted": {}},
    {"say": "run", "inputs": [], "wanted": {}},
    {"say": "load"},
    {"say": "load", "size": -1},
    {"say": "load", "size": True},
    {"say": "load", "size": (2 << 30) + 1},
    {"say": "load", "size": 1, "more": 1},
])
def test_an_order_of_wrong_types_or_ranges_is_refused(message):
    with pytest.raises(wire.WireError, match="sent a message that is none"):
        wire.parse_order(json.dumps(message), "client")


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(1, 7), min_size=1))
def test_a_program_arrives_as_it_was_sent(tmp_path_factory, data, sizes):
    path = tmp_path_factory.mktemp("upload") / "program.h5"
    upload = Upload(path, len(data), "client")
    for part in cut(data, sizes):
        assert not upload.is_whole
        upload.take(part)
    upload.close()
    assert upload.is_whole
    assert path.read_bytes() == data


@pytest.mark.parametrize(("message", "told"), [
    ("{}", "client: sent a message where bytes were due."),
    (b"", "client: sent a message where bytes were due."),
    (bytes(4), "client: sent 1 bytes more of the program than it announced."),
])
def test_an_upload_takes_no_more_than_was_announced(tmp_path, message, told):
    upload = Upload(tmp_path / "program.h5", 3, "client")
    with pytest.raises(wire.WireError) as error:
        upload.take(message)
    upload.close()
    assert str(error.value) == told
    assert (tmp_path / "program.h5").read_bytes() == b""


def test_a_new_key_is_its_owners_and_replaces_nothing(tmp_path):
    wire.new_key(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(NmcError, match="exists already"):
        wire.new_key(tmp_path / "key")


def test_a_key_that_others_may_read_is_refused(tmp_path):
    wire.new_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(NmcError) as error:
        wire.server_context(tmp_path / "key")
    assert str(error.value) == (f"{tmp_path / 'key'}: others may read or write this key. "
                                f"Type chmod 600 {tmp_path / 'key'}")


def test_a_file_that_is_no_key_is_refused(tmp_path):
    path = tmp_path / "key"
    path.write_text("secret")
    path.chmod(0o600)
    with pytest.raises(NmcError, match="holds no key of nmc serve"):
        wire.client_context(path)


def test_the_environment_may_name_the_key(monkeypatch):
    monkeypatch.delenv("NMC_KEY_FILE", raising=False)
    with pytest.raises(NmcError, match="none was given, and NMC_KEY_FILE names none"):
        wire.key_file(None)
    monkeypatch.setenv("NMC_KEY_FILE", "lab.key")
    assert wire.key_file(None) == Path("lab.key")
    assert wire.key_file("own.key") == Path("own.key")
