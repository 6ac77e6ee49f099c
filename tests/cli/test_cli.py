"""The shipped digits network through the command line: figures, files, JSON."""

import json
import shutil
import subprocess
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from helpers.command import nmc, refusal

EXAMPLES = Path(str(files("nmcompile_examples")))
MODEL, TEST = EXAMPLES / "digits.pt", EXAMPLES / "digits_test.npz"
CODE = f"{EXAMPLES / 'train_digits.py'}:DigitsNet"
KINDS = ("synapse", "neuron", "router", "link", "static")


@pytest.fixture
def run(capsys, monkeypatch):
    return partial(nmc, capsys, monkeypatch)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The folder of a build that all tests have a copy of."""
    folder = tmp_path_factory.mktemp("compiled") / "build"
    arguments = ["compile", MODEL, "--target", "loihi2", "--code", CODE, "-o", folder,
                 "--calibrate", EXAMPLES / "digits_calibration.npz"]
    subprocess.run([sys.executable, "-m", "nmcompile", *arguments], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture
def build(compiled, tmp_path):
    return shutil.copytree(compiled, tmp_path / "build")


def test_compile_prints_one_line_for_each_check(run, tmp_path):
    result = run("compile", MODEL, "--target", "loihi2", "--code", CODE, "-o", tmp_path / "b")
    lines = result.out.splitlines()
    assert lines[0] == "digits.pt -> loihi2"
    assert [line.split()[0] for line in lines[1:5]] == ["trace", "lower", "quantize", "map"]
    assert lines[1].split()[1:3] == ["0", "of"]
    assert lines[2].split()[1:3] == ["0", "of"]
    assert lines[4].split()[1:3] == ["0", "of"]


def test_the_chip_loses_at_most_half_a_point_on_the_test_split(run, build, monkeypatch):
    figures = json.loads(run("simulate", build, "--input", TEST, "--json").out)
    in_torch = accuracy_in_torch(monkeypatch)
    assert in_torch >= 0.96
    assert figures["accuracy"] >= in_torch - 0.005


def accuracy_in_torch(monkeypatch):
    """What torch itself, unpickling with the example's classes, says of the test split."""
    import torch
    from nmcompile_examples import train_digits, training

    monkeypatch.setitem(sys.modules, "training", training)
    monkeypatch.setattr(sys.modules["__main__"], "DigitsNet", train_digits.DigitsNet,
                        raising=False)
    model = torch.load(MODEL, weights_only=False).eval()
    with np.load(TEST) as data:
        x, y = torch.as_tensor(data["x"]), torch.as_tensor(data["y"])
    return training.accuracy(model, x, y)


def test_layers_energies_add_up_to_the_total_and_estimates_are_listed(run, build):
    figures = json.loads(run("simulate", build, "--input", TEST, "--json").out)
    total = figures["energy_j"]["total"]
    assert total == pytest.approx(sum(figures["energy_j"][kind] for kind in KINDS))
    assert total == pytest.approx(sum(layer["energy_j"]["total"] for layer in figures["layers"]))
    assert [layer["name"] for layer in figures["layers"]] == ["input", "lif1", "lif2", "lif3"]
    assert figures["samples"] == 599
    assert figures["latency_s"]["per_step_mean"] <= figures["latency_s"]["per_step_max"]
    assert "energy_j.synaptic_event" in figures["estimated"]


def test_the_report_is_that_of_the_last_simulation(run, build):
    before = json.loads(run("report", build, "--json").out)
    assert before["accuracy"] is None
    assert before["yardsticks"]["float"]["samples"] == 32
    after = json.loads(run("simulate", build, "--input", TEST, "--json").out)
    assert json.loads(run("report", build, "--json").out) == after
    told = run("report", build).out
    assert "accuracy" in told
    assert "(float: the model on 32 samples; chip: 599 samples)" in told


def test_a_report_goes_to_the_file_that_its_name_or_format_says(run, build, tmp_path):
    page = run("report", build, "--format", "html")
    assert (page.code, page.out) == (0, f"report    {build / 'report.html'}\n")
    assert (build / "report.html").read_text("utf-8").startswith("<!doctype html>")
    for name, begin in (("r.html", "<!doctype html>"), ("r.md", "# digits.pt on "),
                        ("r.csv", "layer,neurons,"), ("r.json", "{\n")):
        assert run("report", build, "-o", tmp_path / name).code == 0
        assert (tmp_path / name).read_text("utf-8").startswith(begin)
        how = name.partition(".")[2]
        assert run("report", build, "-o", tmp_path / "any", "--format", how).code == 0
        assert (tmp_path / "any").read_bytes() == (tmp_path / name).read_bytes()
    printed = run("report", build, "--format", "csv").out
    assert printed.encode() == (tmp_path / "r.csv").read_bytes()
    assert run("report", build, "--format", "json").out == run("report", build, "--json").out
    assert run("report", build, "--format", "text").out == run("report", build).out


def test_a_verb_on_a_build_waits_for_no_library_that_it_does_not_use():
    slow = ("torch", "onnx", "pandas", "scipy.signal", "scipy.stats", "vl_convert")
    told = f"import sys, nmcompile.api; print(*[m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("verb", [("report",), ("compare", "--format", "html")])
def test_a_page_is_opened_and_a_browser_that_is_not_there_is_told(
        run, build, monkeypatch, tmp_path, verb):
    shown = []
    monkeypatch.setattr("webbrowser.open", lambda page: shown.append(page) or len(shown) < 2)
    page, builds = tmp_path / "page.html", [build] * (1 + (verb[0] == "compare"))
    first, second = (run(*verb, *builds, "-o", page, "--open") for _ in range(2))
    assert shown == [page.as_uri()] * 2
    assert (first.code, first.err) == (0, "")
    assert (second.code, second.err) == (
        0, f"nmc: no browser could be started; open {page} yourself\n")


@pytest.mark.parametrize(("options", "said"), [
    (("-o", "r.pdf"), "r.pdf: does not say by its name what it shall hold. "
     "End it with .html, .htm, .md, .csv, .json, or add --format."),
    (("--format", "text", "-o", "r.md"), "--format text: is printed, not written. Leave out -o, or "
     "take md."),
    (("--json", "--open"), "--format: is both html and json. --open shows the page; --json is "
     "--format json."),
    (("-o", "r.md", "--open"), "--open: shows a page, and -o r.md is none. Name a file .html, or "
     "add --format html."),
    (("-o", "no/such/r.html"), "no/such/r.html: cannot be written: there is no such folder."),
    (("-o", "build/report.json"), "-o: 'build/report.json' is the file of the build's report.json. "
     "Name another file."),
])
def test_a_report_that_cannot_be_written_says_why_and_writes_nothing(
        run, build, monkeypatch, options, said):
    monkeypatch.chdir(build.parent)
    before = sorted(path.name for path in build.iterdir())
    result = run("report", build, *options)
    assert (result.code, refusal(result.err)) == (2, said)
    assert sorted(path.name for path in build.iterdir()) == before


def test_a_page_of_an_earlier_build_goes_when_it_is_compiled_anew(run, build):
    assert run("report", build, "--format", "html").code == 0
    assert run("compile", MODEL, "--target", "loihi2", "--code", CODE, "-o", build).code == 0
    assert not (build / "report.html").exists()


def test_recorded_variables_have_samples_and_steps_in_front(run, build, tmp_path):
    path = tmp_path / "run.npz"
    result = run("simulate", build, "--input", TEST, "--steps", 7, "--record", "spikes,v,u", "-o",
                 path)
    assert result.code == 0, result.err
    with np.load(path) as recorded:
        assert recorded["lif1/spikes"].shape == (599, 7, 16, 8, 8)
        assert recorded["lif3/v"].shape == (599, 7, 10)
        assert recorded["lif2/u"].shape == (599, 7, 32, 4, 4)
        decided = recorded["lif3/spikes"].sum(axis=1).argmax(axis=1)
        np.testing.assert_array_equal(decided, recorded["decision"])


def test_the_same_command_twice_gives_the_same_bytes(run, tmp_path):
    for name in ("a", "b"):
        result = run("compile", MODEL, "--target", "loihi2", "--code", CODE, "-o", tmp_path / name)
        assert result.code == 0, result.err
    first = {p.relative_to(tmp_path / "a"): p.read_bytes()
             for p in sorted((tmp_path / "a").rglob("*")) if p.is_file()}
    second = {p.relative_to(tmp_path / "b"): p.read_bytes()
              for p in sorted((tmp_path / "b").rglob("*")) if p.is_file()}
    assert first == second
    assert len(first) >= 5


def test_without_code_the_order_of_layers_is_said_to_be_assumed(run, tmp_path):
    result = run("compile", MODEL, "--target", "loihi2", "-o", tmp_path / "b")
    assert result.code == 0, result.err
    assert "registration" in result.out


def test_rate_coded_digits_run_on_the_binary_spikes_of_loihi1(run, tmp_path):
    folder = tmp_path / "l1"
    result = run("compile", MODEL, "--target", "loihi1", "--code", CODE, "-o", folder)
    assert result.code == 0, result.err
    assert "rate" in result.out
    refused = run("simulate", folder, "--input", TEST)
    assert refused.code == 2
    assert refusal(refused.err).endswith("Add --encode rate, or give spikes.")
    figures = json.loads(run("simulate", folder, "--input", TEST, "--encode", "rate", "--json").out)
    assert figures["accuracy"] > 0.9


def test_export_writes_a_graph_that_compiles_to_the_same(run, tmp_path):
    path = tmp_path / "digits.nir"
    assert run("export", MODEL, "--code", CODE, "-o", path).code == 0
    own = run("inspect", MODEL, "--code", CODE, "--text").out
    found = run("inspect", path, "--text").out
    for line in ("reset=zero reset_at=leak", "conv 1x8x8 to 16x8x8"):
        assert line in own
        assert line in found
    first = path.read_bytes()
    assert run("export", MODEL, "--code", CODE, "-o", path).code == 0
    assert path.read_bytes() == first


def test_inspect_shows_the_float_and_the_integer_network(run, build):
    assert "population lif1 16x8x8 lif" in run("inspect", MODEL, "--code", CODE, "--text").out
    assert "population lif1 16x8x8 loihi" in run("inspect", build, "--text").out


def test_inspect_prints_tables_and_json_and_draws(run, build, tmp_path):
    lines = run("inspect", build, "--graph", tmp_path / "net.svg").out.splitlines()
    assert lines[0].split() == [
        "population", "shape", "neurons", "kind", "parameters", "reset", "bias"]
    assert any(line.split()[:4] == ["lif2", "32x4x4", "512", "loihi"] for line in lines)
    assert (tmp_path / "net.svg").read_text("utf-8").startswith("<svg ")
    found = json.loads(run("inspect", build, "--json").out)
    assert found["totals"]["neurons"] == 1546
    result = run("inspect", build, "--graph", tmp_path / "none" / "net.svg")
    assert (result.code, result.out) == (2, "")


def test_targets_are_listed_shown_and_checked(run):
    assert "loihi2" in run("targets").out
    shown = run("targets", "show", "loihi1").out
    assert "energy_j.synaptic_event" in shown
    assert "Nahuku" in shown
    assert run("targets", "check", files("nmcompile_targets") / "loihi1.toml").code == 0


def test_demo_prints_accuracy_latency_energy_and_where_the_configuration_lies(run, tmp_path):
    result = run("demo", "-o", tmp_path / "demo")
    assert result.code == 0, result.err
    for word in ("accuracy", "latency", "energy", "lif2", str(tmp_path / "demo" / "config")):
        assert word in result.out
    assert (tmp_path / "demo" / "config" / "registers.json").is_file()


def test_version_and_help(run):
    assert run("--version").out.startswith("nmc, version ")
    for verb in ("compile", "simulate", "report", "inspect", "export", "targets", "demo"):
        assert verb in run("--help").out
        assert run(verb, "--help").code == 0
