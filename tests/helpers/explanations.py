"""The pages of the error codes, and their examples as they are run."""

from __future__ import annotations

import doctest
import re
import shlex
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from helpers.command import nmc

PAGES = Path(__file__).parents[2] / "nmcompile" / "explanations"
SECTIONS = ["When it comes up", "What to do", "Example"]


def page(code):
    """The text of the page of `code`."""
    return (PAGES / f"{code}.md").read_text("utf-8")


def headings(text):
    """Titles and sections of a page, as they stand, outside of its blocks of code."""
    return re.findall(r"^#+ .*$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)


def quoted(text):
    """What a page quotes as code: spans in a line, and the lines of console blocks after $."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    consoles = re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)
    commands = [shown.command for block in consoles for shown in steps_of(block)]
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)] + commands


@dataclass(frozen=True)
class Step:
    """One command of an example, and what the page says that it prints."""

    command: str
    printed: str


def steps_of(block):
    """The commands of a console block; a line that ends with a backslash goes on in the next."""
    steps = []
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command = re.match(r"(?:.*\\\n)*.*\n", part).group()
        joined = " ".join(command.replace("\\\n", " ").split())
        steps.append(Step(command=joined, printed=part[len(command):]))
    return steps


def example(code):
    """Kind ("console" or "pycon") and text of the example of a page, its only block there."""
    section = page(code).partition("\n## Example\n")[2]
    (found,) = re.findall(r"^```(console|pycon)\n(.*?)^```$", section, re.M | re.S)
    return found


def run(code, prepare, folder, capsys, monkeypatch):
    """Run the example of the page of `code` in `folder`, and hold what it prints to the page.

    prepare  makes the files that the example names, in `folder`; a context that it returns, such
             as a server, is held while the example runs
    """
    monkeypatch.chdir(folder)
    kind, text = example(code)
    with prepare(folder) or nullcontext():
        if kind == "console":
            _run_commands(code, text, capsys, monkeypatch)
        else:
            _run_python(text)


def _run_commands(code, text, capsys, monkeypatch):
    for step in steps_of(text):
        program, *arguments = shlex.split(step.command)
        assert program == "nmc"
        outcome = nmc(capsys, monkeypatch, *arguments)
        assert outcome.out + outcome.err == step.printed
    assert outcome.code == 2
    assert outcome.err.endswith(f"  [{code}]\n")


def _run_python(text):
    said = []
    test = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
    doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(test, out=said.append)
    assert not said, "".join(said)
