"""A build folder that somebody changed is refused before a kernel indexes with it."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.networks import conv_network, small_target, spikes

from nmcompile.build import read_build, replaced_folder, write_build
from nmcompile.errors import NmcError
from nmcompile.files import replaced_file
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.pipeline import compile_stage


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    folder = tmp_path_factory.mktemp("builds") / "whole"
    write_build(compile_stage(traced, small_target(neurons=40)), folder, {})
    return folder


@pytest.fixture
def build(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "build")


def signed(build):
    """`build` with a manifest that was changed along with the program."""
    manifest = json.loads((build / "manifest.json").read_text())
    digest = hashlib.sha256((build / "program.h5").read_bytes()).hexdigest()
    manifest["sha256"]["program.h5"] = digest
    (build / "manifest.json").write_text(json.dumps(manifest))
    return build


def refusal(build):
    with pytest.raises(NmcError) as error:
        read_build(build)
    assert str(error.value).isprintable()
    assert str(error.value).endswith("Compile the model again.") or ".json" in str(error.value)
    return str(error.value)


FIELDS = [
    ("network/projections/0", "delay", "1.5"),
    ("network/projections/0", "delay", str(10**12)),
    ("network/projections/0/format", "exponent", "0.5"),
    ("network/projections/0/format", "exponent", "true"),
    ("network/projections/0/map", "stride", "[1.0, 1.0]"),
    ("network/populations/0", "start", "3.0"),
    ("network/populations/0", "start", str(10**9)),
    ("network/populations/0", "shape", "[10.0]"),
    ("network/populations/0", "name", "5"),
    ("network/populations/0/neuron", "bias_exponent", "1.5"),
    ("network/populations/0/neuron", "silent", '"x"'),
    ("network/populations/0/neuron", "reset", '"x"'),
    ("network/inputs/0/format", "payload_bits", '"a"'),
    ("network/inputs/0/format", "payload_bits", str(3 * 10**9)),
    ("network/inputs/0/format", "scale", "0"),
    ("network", "steps", '"x"'),
    ("network", "notes", "[" * 50_000 + "]" * 50_000),
]


@pytest.mark.parametrize(("place", "field", "value"), FIELDS)
def test_a_field_of_another_type_or_range_is_refused(build, place, field, value):
    with h5py.File(build / "program.h5", "r+") as file:
        file[place].attrs[field] = value
    assert "manifest.json" not in refusal(signed(build))


def replaced(file, name, change):
    values = change(file[name][()])
    del file[name]
    file.create_dataset(name, data=values)


def wrapping(start):
    """Axon numbers that rise only because their differences wrap around."""
    start = start.copy()
    start[1:] = start[-1]
    start[1:6] = [2**62, 2**63 - 1, -(2**63), -(2**62), 0]
    return start


ARRAYS = [
    ("mapping/axons/1/start", wrapping),
    ("mapping/axons/1/slice", lambda a: np.stack([a, a], axis=1)),
    ("mapping/axons/1/slice", lambda a: a + 1000),
    ("mapping/axons/3/synapses", lambda a: a + np.int32(2**31 - 40)),
    ("mapping/slices/high", lambda a: a + 1),
    ("network/projections/1/map/weight", lambda a: a.astype(a.dtype.newbyteorder(">"))),
    ("network/projections/1/map/weight", lambda a: a.astype(np.float32)),
    ("network/populations/0/neuron/du", lambda a: a + 0.5),
]


@pytest.mark.parametrize(("name", "change"), ARRAYS)
def test_an_array_that_would_lead_a_kernel_astray_is_refused(build, name, change):
    with h5py.File(build / "program.h5", "r+") as file:
        replaced(file, name, change)
    assert "manifest.json" not in refusal(signed(build))


def test_links_out_of_the_program_and_loops_in_it_are_refused(build):
    with h5py.File(build / "program.h5", "r+") as file:
        file["network"]["again"] = file["network"]
    assert "bytes or more, in a file of" in refusal(signed(build))
    with h5py.File(build / "program.h5", "r+") as file:
        del file["network/again"]
        del file["network/projections/1/map/weight"]
        file["network/projections/1/map"]["weight"] = h5py.ExternalLink("/etc/passwd", "x")
    assert "'weight' is a link to another place" in refusal(signed(build))


def test_a_program_that_changed_since_it_was_compiled_is_refused(build):
    data = bytearray((build / "program.h5").read_bytes())
    data[len(data) // 2] ^= 1
    (build / "program.h5").write_bytes(data)
    assert "program.h5 is not the file that manifest.json tells of" in refusal(build)


@pytest.mark.parametrize("text", ["[]", "3", "[" * 200_000, "not json"])
@pytest.mark.parametrize("name", ["report.json", "manifest.json"])
def test_figures_that_are_none_are_refused(build, name, text):
    (build / name).write_text(text)
    refusal(build)


def test_a_report_of_another_build_is_refused(build):
    report = json.loads((build / "report.json").read_text())
    report["layers"][0]["name"] = "other"
    (build / "report.json").write_text(json.dumps(report))
    assert refusal(build).endswith("its files are of different builds. Compile the model again.")


@pytest.mark.parametrize("change", [{"samples": 3}, {"energy_j": {}}, {"accuracy": "high"}])
def test_a_report_with_half_a_run_is_refused(build, change):
    report = json.loads((build / "report.json").read_text()) | change
    (build / "report.json").write_text(json.dumps(report))
    assert "is no report of this version (" in refusal(build)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_report_that_cannot_be_printed_is_refused(build):
    text = (build / "report.json").read_text()
    (build / "report.json").write_text(text.replace('"text": "', '"text": "\\ud800', 1))
    assert "\\ud800" in (build / "report.json").read_text()
    assert "report.json" in refusal(build)


def test_a_name_too_long_leaves_no_folders_behind(tmp_path):
    folder = tmp_path / "a" / "b" / ("x" * 300)
    with pytest.raises(NmcError, match="too long"), replaced_folder(folder):
        pytest.fail("a folder of such a name was made")
    assert not list(tmp_path.iterdir())


def test_a_folder_whose_manifest_is_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(NmcError, match="exists and is not a build"), replaced_folder(tmp_path):
        pass


@pytest.mark.parametrize("place", ["", ".", "none/x.npz", "x" * 300, "folder", "pipe"])
def test_a_file_is_written_in_the_place_of_nothing_but_a_file(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(NmcError), replaced_file(Path(place)) as fresh:
        fresh.write_text("new")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "pipe").is_fifo()
