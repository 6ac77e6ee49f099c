"""Vendors' simulators that run in a Python of their own: finding it, and running our part there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nmcompile.device import Place, Standing
from nmcompile.errors import (
    DeviceLostError,
    NmcError,
    VendorToolError,
    one_line,
    unknown_name,
)

SECONDS = 120  # that an interpreter may take to say whether it has what is needed
LINES = 200  # of what an interpreter writes about its errors that are kept


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What a device needs of another Python.

    name      of the device
    variable  of the environment that may name the interpreter
    module    that must be there
    ask       Python expression of the version
    version   that it must begin with
    install   what to type for such an environment
    """

    name: str
    variable: str
    module: str
    ask: str
    version: str
    install: str

    @property
    def needed(self) -> str:
        """The version in words."""
        return self.version.rstrip(".")


def interpreter(tool: Tool, place: Place) -> Path:
    """The Python that the address names, else the variable; it has the tool in its version."""
    for option in place.options:
        raise unknown_name(f"--device-option of {tool.name}", option, ())
    given = place.address or os.environ.get(tool.variable, "")
    where = f"--device {tool.name}"
    if not given:
        raise VendorToolError(
            where, f"needs a Python with {tool.module} {tool.needed}, and none is named",
            f"{tool.install} Then give --device {tool.name}:PYTHON, or set "
            f"{tool.variable}.")
    found = shutil.which(given)
    if found is None:
        raise VendorToolError(where, f"'{given}' is no program that can be run",
                              "Give the path of a Python.")
    command = [found, "-c", f"import importlib.metadata; print({tool.ask})"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS,
                              check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VendorToolError(
            where, f"'{given}' does not answer as a Python does ({error})") from error
    version = done.stdout.strip()
    if done.returncode or not version.startswith(tool.version):
        has = f"version {one_line(version[:40])} of it" if version else f"no {tool.module}"
        raise VendorToolError(where, f"'{given}' has {has}, {tool.needed} is needed", tool.install)
    return Path(found).absolute()  # "./python" is no Path: it would be sought on PATH


def standing(tool: Tool) -> Standing:
    """Whether the variable of `tool` names a Python that has it."""
    if not os.environ.get(tool.variable):
        return Standing(state="absent", told=f"{tool.variable} names no Python with {tool.module} "
                        f"{tool.needed}", hint=f"{tool.install} Then set {tool.variable}.")
    try:
        found = interpreter(tool, Place())
    except NmcError as error:
        return Standing(state="broken", told=f"{tool.variable}: {error.what}",
                        hint=error.hint or f"Set {tool.variable} to another one.")
    return Standing(state="works", told=f"{tool.module} {tool.needed}, {found}")


class Folder:
    """A temporary folder for what goes to another Python and comes back."""

    def __init__(self) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="nmcompile-")
        self.path = Path(self._made.name)

    def close(self) -> None:
        """Remove it."""
        self._made.cleanup()


def run_there(
    tool: Tool, python: Path, runner: Path, arguments: list[str], line: Callable[[], None]
) -> None:
    """Run the file `runner` with `python`.

    line  is called for each line that it prints

    Raises DeviceLostError where it is killed, NmcError with its last words where it fails.
    """
    plain = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    command = [str(python), str(runner), *arguments]
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                text=True, errors="replace", env=plain) as process:
            try:
                for _ in process.stdout or ():
                    line()
                code = process.wait()
            finally:
                process.kill()
        if code < 0:
            raise DeviceLostError(f"device {tool.name}", f"its Python was ended by signal {-code}")
        if code:
            errors.seek(0)
            last = [text.strip() for text in errors.readlines()[-LINES:] if text.strip()]
            raise VendorToolError(
                f"device {tool.name}", f"failed: {last[-1] if last else f'code {code}'}",
                f"{sys.executable} wrote the configuration; is it of this version?")
