"""What holds for every verb: -q, --json, and no colours where there is no terminal."""

import io
import json
import signal
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path

import click
import numpy as np
import pytest
from helpers.command import nmc

import nmcompile as api
from nmcompile.cli import VERBS, group, main

EXAMPLES = Path(str(files("nmcompile_examples")))
MODEL, CODE = EXAMPLES / "digits.pt", f"{EXAMPLES / 'train_digits.py'}:DigitsNet"
TRACE = "src,dst,created\n0,3,0\n1,2,1\n"
# Of each verb, what it is called with; {} is a folder with a build, data and a trace.
ARGUMENTS = {
    "compile": (MODEL, "--target", "loihi2", "--code", CODE, "-o", "{}/new"),
    "quantize": (MODEL, "--code", CODE),
    "check": (MODEL, "--code", CODE, "--target", "loihi2"),
    "map": ("{}/build",),
    "simulate": ("{}/build", "--input", "{}/few.npz", "--steps", 4),
    "validate": ("{}/build", "--input", "{}/few.npz", "--steps", 4, "--device", "sim"),
    "noc": ("{}/trace.csv", "--mesh", "2x2"),
    "report": ("{}/build",),
    "compare": ("{}/build", "{}/build"),
    "inspect": ("{}/build",),
    "export": (MODEL, "--code", CODE, "-o", "{}/net.nir"),
    "targets": (),
    "explain": (),
    "doctor": ("--seconds", 0.5),
}
APART = {"serve", "demo", "completion"}  # see below
NO_FIGURES = {"export", "completion"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("verbs")
    compiled = api.compile(MODEL, target="loihi2", code=CODE)
    api.write_build(compiled, made / "build", {})
    with np.load(EXAMPLES / "digits_test.npz") as data:
        np.savez(made / "few.npz", x=data["x"][:8], y=data["y"][:8])
    (made / "trace.csv").write_text(TRACE)
    return made


@pytest.fixture
def run(capsys, monkeypatch, folder):
    def call(verb, *options, ahead=()):
        given = [str(argument).format(folder) for argument in ARGUMENTS[verb]]
        return partial(nmc, capsys, monkeypatch)(*ahead, verb, *given, *options)

    return call


def verbs():
    return {name: group.get_command(click.Context(group), name) for name in VERBS}


def test_no_verb_is_left_out_here():
    assert set(ARGUMENTS) | APART == set(VERBS)


def test_every_verb_and_what_is_below_it_takes_quiet():
    found = verbs()
    for command in (*found.values(), *found["targets"].commands.values()):
        assert [option.opts for option in command.params].count(["-q", "--quiet"]) == 1


def test_every_verb_with_figures_gives_them_as_json():
    without = {name for name, verb in verbs().items()
               if not any("--json" in option.opts for option in verb.params)}
    assert without == NO_FIGURES


@pytest.mark.parametrize("verb", ARGUMENTS)
def test_quiet_prints_nothing_and_ends_as_ever(run, verb):
    quiet = run(verb, "-q")
    assert (quiet.out, quiet.err) == ("", "")
    loud = run(verb)
    assert loud.code == quiet.code
    assert loud.out
    assert "\x1b" not in loud.out + loud.err


@pytest.mark.parametrize("verb", sorted(set(ARGUMENTS) - NO_FIGURES))
def test_json_is_one_object_also_with_quiet_ahead_of_the_verb(run, verb):
    told = run(verb, "--json", ahead=["-q"])
    assert isinstance(json.loads(told.out), dict)
    assert told.err == ""


def test_an_error_is_told_also_with_quiet(run):
    told = run("simulate", "--timing", "slow", ahead=["--quiet"])
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("nmc: error: --timing: 'slow' is not known.")


def test_what_is_asked_for_as_a_format_is_printed_also_with_quiet(run):
    assert run("report", "--format", "csv", "-q").out.startswith("layer,neurons,")
    assert run("inspect", "--text", "-q").out.startswith("input input ")


def test_errors_are_coloured_only_where_that_is_asked_for(run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = run("simulate", "--timing", "slow").err
    assert coloured.startswith("nmc: \x1b[31m\x1b[1merror:\x1b[0m --timing: ")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("simulate", "--timing", "slow").err


def test_letters_that_a_terminal_lacks_are_question_marks(folder, monkeypatch):
    monkeypatch.setattr("sys.argv", ["nmc", "inspect", str(folder / "build"), "--text"])
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    sys.stdout.reconfigure(errors="strict")
    interrupts = signal.getsignal(signal.SIGINT)
    main()
    signal.signal(signal.SIGINT, interrupts)
    print("\N{MICRO SIGN}", flush=True)
    assert written.getvalue().endswith(b"?\n")


def test_a_single_target_is_told_as_json(capsys, monkeypatch, tmp_path):
    call = partial(nmc, capsys, monkeypatch, "targets")
    told = json.loads(call("show", "loihi2", "--json").out)
    assert told["constants"]["board.chips"] == {
        "value": 8, "unit": "chips", "kind": "published",
        "source": "Kapoho Point: Intel Loihi 2 product pages (8 chips a board)"}
    file = tmp_path / "own.toml"
    file.write_text((files("nmcompile_targets") / "loihi2.toml").read_text("utf-8"))
    assert json.loads(call("check", str(file), "--json").out)["name"] == "loihi2"
    assert call("--json", "show", "loihi2").code == 2


@pytest.mark.slow
def test_the_demo_gives_its_figures_as_one_object(capsys, monkeypatch, tmp_path):
    told = nmc(capsys, monkeypatch, "demo", "-o", tmp_path / "demo", "--json")
    assert json.loads(told.out)["samples"] == 599
