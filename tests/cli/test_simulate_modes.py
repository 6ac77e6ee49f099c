"""`nmc simulate`: what is kept, what goes wrong, when samples stop, and what Ctrl-C leaves."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.command import nmc, refusal

import nmcompile as api
from nmcompile.errors import Interrupted

EXAMPLES = Path(str(files("nmcompile_examples")))
TEST = EXAMPLES / "digits_test.npz"
CODE = f"{EXAMPLES / 'train_digits.py'}:DigitsNet"
# A program starts with Ctrl-C ignored where what starts it ignores it, as a shell's "&" does.
LISTENING = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from nmcompile.cli import main
main()"""
STREAMED = 1 << 12  # bytes of a run file that show a run to be under way: a tenth of this run


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modes") / "build"
    compiled = api.compile(EXAMPLES / "digits.pt", target="loihi2", code=CODE)
    return api.write_build(compiled, folder, {}).folder


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """The first 40 digits."""
    path = tmp_path_factory.mktemp("data") / "few.npz"
    with np.load(TEST) as data:
        np.savez(path, x=data["x"][:40], y=data["y"][:40])
    return path


@pytest.fixture
def run(capsys, monkeypatch, build, few):
    return partial(nmc, capsys, monkeypatch, "simulate", build, "--input", few)


def test_a_run_file_in_hdf5_holds_what_one_in_npz_does(run, tmp_path):
    for name in ("run.npz", "run.H5"):
        result = run("--record", "lif1:spikes,v", "--record", "u", "-o", tmp_path / name)
        assert result.code == 0, result.err
    with np.load(tmp_path / "run.npz") as kept, h5py.File(tmp_path / "run.H5") as file:
        assert {"lif1/spikes", "lif1/v", "lif1/u", "lif3/u", "decision", "step_s"} <= set(kept)
        assert "lif2/spikes" not in kept
        for name in kept:
            np.testing.assert_array_equal(file[name][()], kept[name])


def test_samples_that_are_decided_stop_and_the_report_has_latency_against_accuracy(run):
    full = json.loads(run("--json").out)
    early = json.loads(run("--json", "--exit-confidence", 0.99).out)
    assert full["exit"] is None
    assert early["accuracy"] >= full["accuracy"] - 0.03
    assert early["latency_s"]["per_sample_mean"] < 0.8 * full["latency_s"]["per_sample_mean"]
    assert early["energy_per_sample_j"] < 0.8 * full["energy_per_sample_j"]
    curve = early["exit"]["curve"]
    assert [point["steps_mean"] for point in curve] == sorted(p["steps_mean"] for p in curve)
    assert curve[-1]["accuracy"] == early["accuracy"]
    shown = run("--exit-confidence", 0.99).out
    assert "exit      at confidence 0.99: " in shown
    assert "boundary  cores, mesh and links of the chips" in shown


def test_what_went_wrong_is_told_with_its_seed(run):
    options = ("--perturb", "weights=0.5,drop=0.2,stuck-cores=1", "--seed", 5)
    figures = json.loads(run("--json", *options).out)
    assert figures["perturbed"].pop("stuck_cores")[0] in (0, 1, 2)
    assert figures["perturbed"] == {"weights": 0.5, "drop": 0.2, "add": 0.0, "seed": 5}
    assert figures["accuracy"] < json.loads(run("--json").out)["accuracy"]
    assert "perturbed weights 0.5, drop 0.2, stuck cores " in run(*options).out


def test_where_there_is_no_terminal_lines_tell_it(run, monkeypatch):
    monkeypatch.setattr("nmcompile.cli._progress.LINE_EVERY_S", 0.0)
    lines = run("--steps", 300).err.splitlines()
    assert lines[0].startswith("nmc: simulate: ")
    assert f" % of {40 * 303:,} steps of samples, " in lines[0]
    assert " spikes/s, about " in lines[-1]
    assert lines[-1].endswith(" min left")


def test_a_timeline_is_written_beside_the_figures(run, tmp_path):
    result = run("--timeline", tmp_path / "t.json", "--steps", 4)
    assert result.code == 0, result.err
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    steps = [event["name"] for event in events if event["ph"] == "X" and event["tid"] == 0]
    assert steps == [f"step {i}" for i in range(4 + 3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--record", "v"), "--record: there is no file to keep the variables in. Add -o RUN.npz."),
        (("--record", "lif9:v", "-o", "{}/r.h5"), "--record: 'lif9' is not known. Did you mean "
         "'lif3'? Known: lif1, lif2, lif3."),
        (("--exit-confidence", 2), "--exit-confidence: is 2, expected above 0 and at most 1."),
        (("--exit-scale", 2), "--exit-scale: is of no use by itself. Add --exit-confidence."),
        (("--perturb", "drop=x"), "--perturb: drop is 'x', expected a share from 0 to 1."),
        (("--timing", "slow"), "--timing: 'slow' is not known. "),
        (("-o", "{}/run.json"), "{}/run.json: ends with '.json', expected .npz, .h5 or .hdf5."),
        (("-o", "{}/run"), "{}/run: ends with '', expected .npz, .h5 or .hdf5."),
        (("-o", "{}/r.npz", "--timeline", "{}/x/../r.npz"), "--timeline: '{}/x/../r.npz' is the "
         "file of -o. Name another file."),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_and_leaves_nothing(run, tmp_path, options, message):
    result = run(*(str(option).format(tmp_path) for option in options))
    assert result.code == 2
    assert result.err.startswith("nmc: error: " + message.replace("{}", str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["-o", "--timeline"])
def test_neither_the_data_nor_the_build_is_written_over(run, build, few, tmp_path, option):
    link = tmp_path / "link.npz"
    link.symlink_to(few)
    for path, told in ((few, "--input"), (link, "--input"),
                       (build / "program.h5", "the build's program.h5")):
        before = path.read_bytes()
        result = run(option, path)
        assert result.code == 2
        assert refusal(result.err) == (
            f"{option}: '{path}' is the file of {told}. Name another file.")
        assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["run.h5", "run.npz"])
def test_an_interrupted_run_says_how_far_it_came_and_leaves_no_file(
        build, few, tmp_path, monkeypatch, name):
    monkeypatch.setattr("nmcompile.simulator.run.BATCH", 16)
    monkeypatch.setattr("nmcompile.simulator.engine.BLOCK", 4)
    done = []

    def stop(steps, total):
        done.append(steps)
        if sum(done) > 16 * 23:
            raise KeyboardInterrupt

    (tmp_path / name).write_bytes(b"an earlier run")
    with pytest.raises(Interrupted) as error:
        api.simulate(api.read_build(build), api.read_data(few), record=("*",), progress=stop,
                     output=tmp_path / name)
    assert str(error.value) == (
        "interrupted after 4 of 23 steps of samples 17 to 32; 16 of 40 samples were done")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"an earlier run"


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("after", [0, 1])
def test_a_run_that_ends_while_its_files_are_written_leaves_none(
        run, build, tmp_path, monkeypatch, trouble, after):
    before, written = (build / "report.json").read_bytes(), []

    def fail(value):
        written.append(value)
        if len(written) > after:
            raise trouble
        return "{}"

    monkeypatch.setattr("nmcompile.simulation.json_text", fail)
    result = run("--steps", 2, "-o", tmp_path / "r.npz", "--timeline", tmp_path / "t.json")
    place = tmp_path / "t.json" if after == 0 else build / "report.json"
    assert (result.code, result.err.strip()) in [
        (130, "nmc: interrupted; nothing was written"),
        (2, f"nmc: error: {place}: cannot be written: No space left on device.  [NMC-E0202]")]
    assert list(tmp_path.iterdir()) == []
    assert (build / "report.json").read_bytes() == before
    assert {path.name for path in build.iterdir()} == {
        "program.h5", "float.h5", "manifest.json", "report.json", "config"}


def test_ctrl_c_ends_a_run_with_130_and_leaves_the_report_alone(build, few, tmp_path):
    before, digit = (build / "report.json").read_bytes(), tmp_path / "data" / "one.npy"
    digit.parent.mkdir()
    with np.load(few) as data:
        np.save(digit, data["x"][:1])
    place = tmp_path / "here"
    place.mkdir()
    command = [sys.executable, "-c", LISTENING, "simulate", build,
               "--input", digit, "--steps", "100000", "--encode", "rate", "-o", place / "run.h5",
               "--record", "lif3:spikes"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        while sum(path.stat().st_size for path in place.iterdir()) < STREAMED:
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"ended with {running.wait(0.05)}")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert err.strip().startswith("nmc: interrupted")
    assert err.endswith("; nothing was written\n")
    assert list(place.iterdir()) == []
    assert (build / "report.json").read_bytes() == before
