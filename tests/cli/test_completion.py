"""Completion in shells, by the protocol that the printed scripts speak."""

import os
import subprocess
import sys

import click
import pytest
from helpers.command import nmc

from nmcompile.cli import VERBS, _complete, group
from nmcompile.frontends.events.options import POLARITIES
from nmcompile.installed import target_names
from nmcompile.passes.convert.convert import FIXED
from nmcompile.passes.partition.partitioners import BEST, OWN, PEER
from nmcompile.passes.quantize.precision import NAMES
from nmcompile.simulator import TIMINGS
from nmcompile.target import installed
from nmcompile.validation import references


@pytest.fixture
def offered(capsys, monkeypatch):
    """What bash is offered behind the words of a line, the last of them begun."""
    def ask(*words):
        monkeypatch.setenv("_NMC_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["nmc", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        outcome = nmc(capsys, monkeypatch)
        assert outcome.err == ""
        return outcome.out.split()

    return ask


def plain(*words):
    return [f"plain,{word}" for word in words]


def test_verbs_and_options_are_completed(offered):
    assert offered("comp") == plain("compile", "compare", "completion")
    assert set(offered("")) == set(plain(*VERBS))
    assert offered("simulate", "--exit-c") == plain("--exit-confidence")
    assert offered("targets", "sh") == plain("show")


def test_targets_and_devices_are_completed_by_name(offered):
    assert offered("compile", "--target", "xylo") == plain("xylo_a2", "xylo_a3", "xylo_imu")
    assert offered("targets", "show", "true") == plain("truenorth")
    assert offered("validate", "--device", "aki") == plain("akida", "akida_software")
    assert offered("serve", "spinn") == plain("spinnaker")


def test_the_names_offered_are_those_of_the_installed_targets():
    assert target_names() == list(installed())


def test_words_that_are_offered_are_those_that_passes_know():
    assert set(_complete.BALANCES) == {"auto", "layer-wise", *FIXED}
    assert set(_complete.BITS) == {"auto", *NAMES}
    assert set(_complete.PARTITIONERS) == {OWN, PEER, BEST}
    assert _complete.POLARITIES == POLARITIES
    assert _complete.REFERENCES == references.NAMES
    assert set(_complete.TIMINGS) == set(TIMINGS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with models, a build and others."""
    monkeypatch.chdir(tmp_path)
    for name in ("net.pt", "net.onnx", "net.txt", "lab.toml", "net.py", "with space.pt"):
        (tmp_path / name).touch()
    for name in ("build1", "models", "deep"):
        (tmp_path / name).mkdir()
    (tmp_path / "build1" / "manifest.json").touch()
    (tmp_path / "models" / "a.pt").touch()
    return tmp_path


@pytest.mark.parametrize(("words", "expected"), [
    (("compile", "net"), ["plain,net.onnx", "plain,net.pt"]),
    (("compile", "models/"), ["plain,models/a.pt"]),
    (("compile", "m"), ["file,m"]),
    (("compile", "w"), ["file,w"]),
    (("compile", "absent/"), ["file,absent/"]),
    (("compile", "~nobody_of_this_name/n"), ["file,~nobody_of_this_name/n"]),
    (("compile", "--code", "n"), ["plain,net.py"]),
    (("compile", "--constraints", "l"), ["plain,lab.toml"]),
    (("compile", "--target", "./"), ["plain,./build1/", "plain,./deep/", "plain,./lab.toml",
                                     "plain,./models/"]),
    (("simulate", "b"), ["plain,build1"]),
    (("simulate", "m"), ["dir,m"]),
    (("inspect", "b"), ["plain,build1"]),
    (("inspect", "net.p"), ["plain,net.pt"]),
    (("simulate", "build1", "--input", "n"), ["file,n"]),
])
def test_files_are_completed_by_what_the_verb_takes(offered, folder, words, expected):
    assert offered(*words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_asks_nmc(capsys, monkeypatch, shell):
    outcome = nmc(capsys, monkeypatch, "completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"_NMC_COMPLETE={shell}_complete" in outcome.out


def test_completing_imports_nothing_that_takes_long():
    code = ("import sys\nfrom nmcompile.cli import main\ntry:\n    main()\nexcept SystemExit:\n"
            "    pass\nprint(sorted({'torch', 'numpy', 'numba', 'pydantic', 'rich', 'h5py'} & "
            "set(sys.modules)), file=sys.stderr)")
    for words in ("nmc ", "nmc compile --target ", "nmc validate --device ", "nmc targets show "):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "_NMC_COMPLETE": "bash_complete", "COMP_WORDS": words,
                 "COMP_CWORD": str(len(words.split(" ")) - 1)})
        assert done.stdout
        assert done.stderr == "[]\n"


def test_every_option_that_takes_words_or_names_is_completed():
    """A verb that takes a target, a device or a build says so to the shell."""
    for name in VERBS:
        verb = group.get_command(click.Context(group), name)
        for option in verb.params:
            if option.name in ("target", "targets", "device", "folder", "builds", "build"):
                assert option._custom_shell_complete is not None, (name, option.name)
