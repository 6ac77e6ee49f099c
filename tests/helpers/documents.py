"""The fenced blocks of a page, and a folder in which its commands run as a reader would run them.

A block's first line says what it is to the tests:

    ```bash                               runs; an error of any command fails the test
    ```text                               behind a bash block: how lines that it prints begin, in
                                          their order, with whatever numbers
    ```python title="net.py"              is written to that file ahead of the next command
    ```python title="examples/plugins/x"  is lines of that file of the checkout

`pip install FOLDER` installs into a folder of the test's own, without what the package depends on.
`pip install .` with extras only has its extras looked up: the test runs where they are installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d[\d,.]*(?:e[+-]?\d+)?")
SHIM = '''#!{python}
import re, subprocess, sys
SITE = {site!r}
if sys.argv[1] != "install":
    sys.exit(f"pip {{sys.argv[1]}} is not known to this test")
extras = {extras!r}
for asked in sys.argv[2:]:
    own = re.fullmatch(r"\\.(?:\\[(.*)\\])?", asked)
    if own and not set(filter(None, (own[1] or "").split(","))) <= set(extras):
        sys.exit(f"no such extra: {{asked}}")
folders = [a for a in sys.argv[2:] if a.startswith("examples/plugins/")]
if folders:
    sys.exit(subprocess.call([{python!r}, "-m", "pip", "install", "-q", "--no-deps", "--upgrade",
                              "--no-build-isolation", "--target", SITE, *folders]))
'''


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of `page`, in their order."""
    found = FENCE.findall(page.read_text("utf-8"))
    return [Block(language, title, text) for language, title, text in found]


def pages() -> list[Path]:
    """Every page of the guides."""
    folders = ("frontends", "backends", "plugins")
    return [DOCS / "start.md", DOCS / "concepts.md",
            *(page for folder in folders for page in sorted((DOCS / folder).glob("*.md")))]


def in_the_checkout(block: Block) -> bool:
    """Whether a block is lines of a file of the checkout."""
    return block.title.startswith("examples/")


class Reader:
    """Somebody who types a page's commands into a shell, in a checkout's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.printed = folder, ""
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=ignored)
        tools = folder / ".bin"
        tools.mkdir()
        text = (ROOT / "pyproject.toml").read_text("utf-8")
        table = text.split("[project.optional-dependencies]")[1].split("[project.scripts]")[0]
        programs = {
            "pip": SHIM.format(python=sys.executable, site=str(folder / ".site"),
                               extras=re.findall(r"^(\w+) = \[", table, re.MULTILINE)),
            "nmc": f"#!{sys.executable}\nfrom nmcompile.cli import main\nmain()\n",
            "python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'}
        for name, program in programs.items():
            (tools / name).write_text(program)
            (tools / name).chmod(0o755)
        self._environment = {
            **os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "110",
            "PYTHONPATH": f"{folder / '.site'}{os.pathsep}{folder}", "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

    def read(self, block: Block) -> None:
        """Do what a block says; AssertionError where it is not true."""
        if in_the_checkout(block):
            assert block.text in (ROOT / block.title).read_text("utf-8"), block.title
        elif block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")
        elif block.language == "bash":
            self._run(block.text)
        elif block.language == "text" and self.printed:
            self._compare(block.text)

    def _run(self, text: str) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=self.folder, env=self._environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        self.printed = done.stdout

    def _compare(self, text: str) -> None:
        printed = iter([_shape(line) for line in self.printed.splitlines()])
        for line in text.splitlines():
            if line.strip() and not any(told.startswith(_shape(line)) for told in printed):
                raise AssertionError(f"not printed in this place: {line}\n\n{self.printed}")
        self.printed = ""


def _shape(line: str) -> str:
    """A line with its numbers and spaces taken away."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", line)).strip()
