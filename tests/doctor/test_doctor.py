"""`nmc doctor` tells what works and what does not, whatever raises, hangs or crashes."""

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from helpers.command import nmc

from nmcompile.cli.doctor_command import PLACES
from nmcompile.device import Place, Standing
from nmcompile.devices.other_python import Tool, interpreter, standing
from nmcompile.devices.sim import SimDevice
from nmcompile.doctor import children, examination, packages
from nmcompile.doctor.machine import cache
from nmcompile.errors import NmcError

MODULES = {
    "fine": "print('what a module prints is not taken for an answer')",
    "odd": "raise ZeroDivisionError('one\\ntwo')",
    "exits": "raise SystemExit(0)",
    "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "leaves": "import os; os._exit(0)",
    "hangs": "while True: pass",
}
DEAF = Tool(name="deaf", variable="NMC_DEAF_PYTHON", module="deaf", ask="'1.0'", version="2.",
            install="Make one.")


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Modules and plug-ins of another distribution, none of which is as it should be."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    lines = ["[nmcompile.devices]", "odd = odd:Device", "crashes = crashes:Device",
             "[nmcompile.targets]", "half = half"]
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "__init__.py").touch()
    (tmp_path / "half" / "halfchip.toml").write_text("name = 'halfchip'")
    info = tmp_path / "nmc_broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nmc-broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def imports(*names):
    return [{"kind": "import", "module": name} for name in names]


def test_what_raises_or_ends_its_python_is_told_and_the_rest_is_tried(broken):
    (found,) = children.answers([imports("odd", "crashes", "exits", "leaves", "absent", "fine")], 300)
    assert [answer["state"] for answer in found] == ["broken"] * 5 + ["works"]
    assert [answer.get("told") for answer in found] == [
        "ZeroDivisionError: one two", "ends the Python that imports it (signal 11)",
        "SystemExit: 0", "ends the Python that imports it (exit code 0)",
        "ModuleNotFoundError: No module named 'absent'", None]


def test_what_takes_too_long_is_told_and_what_comes_behind_it_is_not_tried(broken):
    (found,) = children.answers([imports("fine", "hangs", "odd")], 5)
    assert [answer["state"] for answer in found[1:]] == ["untried", "untried"]
    assert found[2]["told"] == "no time within 5 s"


@pytest.fixture
def told(broken):
    """Exit code, and findings by section and name, in an environment with broken plug-ins."""
    done = subprocess.run(
        [sys.executable, "-c", "from nmcompile.cli import main; main()", "doctor", "--json",
         "--seconds", "300"], capture_output=True, text=True, check=False,
        env={**os.environ, "NMC_LAVA_PYTHON": "/no/python", "SHELL": "/bin/sh"})
    assert done.stderr == ""
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {(one["section"], one["name"]): one for one in found}


def test_broken_plugins_and_variables_are_told_with_what_to_do(told):
    code, found = told
    assert code == 1
    broken = {place for place, one in found.items() if one["state"] == "broken"}
    assert broken == {("devices", "odd"), ("devices", "crashes"), ("devices", "lava"),
                      ("targets", "halfchip")}
    assert all(found[place]["todo"] for place in broken)
    assert found["devices", "odd"]["told"] == "ZeroDivisionError: one two"
    assert found["devices", "odd"]["todo"] == "Mend or uninstall nmc-broken."
    assert found["devices", "lava"]["told"] == (
        "NMC_LAVA_PYTHON: '/no/python' is no program that can be run")
    assert found["targets", "halfchip"]["told"].startswith("halfchip.toml: ")
    assert found["targets", "loihi2"]["state"] == found["packages", "torch"]["state"] == "works"
    assert found["devices", "sim"]["state"] == "works"
    assert found["environment", "memory"]["figures"]["memory_bytes"] > 0
    assert "uses none" in found["GPU", "torch.cuda"]["told"]
    assert found["terminal", "completion"]["state"] == "absent"


def test_less_time_than_a_python_takes_to_start_is_refused(capsys, monkeypatch):
    outcome = nmc(capsys, monkeypatch, "doctor", "--seconds", "0.1")
    assert (outcome.code, outcome.out) == (2, "")
    assert "0.1 is not in the range" in outcome.err


def test_a_cache_that_cannot_be_written_is_broken(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    found = cache()
    assert (found.state, found.todo) == ("broken", "Set NUMBA_CACHE_DIR to a folder that can be.")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "kernel").write_bytes(b"12345")
    assert cache().figures == {"folder": str(tmp_path), "size_bytes": 5, "files": 2}


def test_every_extra_that_users_install_says_what_it_is_for():
    wanted = packages.wanted()
    assert {p.extra for p in wanted} - {""} <= set(packages.PURPOSES)
    assert {p.name for p in wanted if not p.extra} >= {"torch", "numba", "click", "packaging"}
    assert not {"pytest", "ruff"} & {p.name for p in wanted}


def test_another_version_than_asked_for_is_wrong():
    def made(version):
        return packages.Package(name="nir", asked=">=1.0.4", extra="", version=version)

    assert [packages.wrong_version(made(v)) for v in ("1.0.3", "1.0.4", None)] == [
        True, False, False]


def test_a_device_in_another_python_is_absent_or_broken_by_its_variable(monkeypatch):
    monkeypatch.delenv("NMC_DEAF_PYTHON", raising=False)
    assert standing(DEAF).state == "absent"
    monkeypatch.setenv("NMC_DEAF_PYTHON", sys.executable)
    with pytest.raises(NmcError) as error:
        interpreter(DEAF, Place())
    assert standing(DEAF) == Standing(
        state="broken", told=f"NMC_DEAF_PYTHON: {error.value.what}", hint="Make one.")
    assert SimDevice().look().state == "works"


@pytest.mark.parametrize("shell", PLACES)
def test_completion_is_found_where_the_shells_file_names_it(tmp_path, monkeypatch, shell):
    from nmcompile.cli.doctor_command import _completion

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    assert _completion().state == "absent"
    file = tmp_path / PLACES[shell][0]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'eval "$(nmc completion {shell})"')
    assert _completion().state == "works"


@pytest.mark.parametrize("fault", [PermissionError, RuntimeError])
def test_a_shells_file_that_cannot_be_read_ends_no_examination(tmp_path, monkeypatch, fault):
    from nmcompile.cli.doctor_command import _completion

    def refused(*_, **__):
        raise fault

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    (tmp_path / ".bashrc").write_text('eval "$(nmc completion bash)"')
    monkeypatch.setattr(Path, "read_text" if fault is PermissionError else "expanduser", refused)
    assert _completion().state == "absent"


def test_an_nmcompile_without_metadata_is_told_and_not_a_crash(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "requires", absent)
    jobs, found = examination._packages()
    assert jobs == []
    assert [(one.name, one.state) for one in found] == [("nmcompile", "broken")]


def test_requirements_that_cannot_be_read_are_passed_over(monkeypatch):
    monkeypatch.setattr(packages, "requires", lambda name: ["!!", "nir"])
    assert [p.name for p in packages.wanted()] == ["nir"]
