"""Each error code has a page, whose example is what a run prints."""

import re
from pathlib import Path

import pytest
from helpers import explained_chips, explained_devices, explained_input
from helpers.explanations import PAGES, SECTIONS, example, headings, page, quoted, run

from nmcompile.cli import VERBS, group
from nmcompile.errors import kinds

DOCS = Path(__file__).parents[2] / "docs"
CODES = sorted(path.stem for path in PAGES.glob("*.md"))
FILES = [module.PREPARED for module in (explained_input, explained_chips, explained_devices)]
PREPARED = {code: prepare for files in FILES for code, prepare in files.items()}


def test_every_code_has_a_page_and_every_page_a_code():
    assert CODES == sorted(kinds())


def test_the_files_of_examples_are_those_of_pages():
    assert set(PREPARED) <= set(CODES)
    assert len(PREPARED) == sum(map(len, FILES))


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_a_title_and_says_when_what_to_do_and_an_example(code):
    title, *sections = headings(page(code))
    assert re.fullmatch(rf"# {code}: [A-Z].*[^.]", title)
    assert sections == [f"## {section}" for section in SECTIONS]
    for part in re.split(r"^#.*\n", page(code), flags=re.M)[1:]:
        assert part.strip()


@pytest.mark.parametrize("code", CODES)
def test_the_example_of_a_page_prints_what_the_page_says(code, tmp_path, capsys, monkeypatch):
    run(code, PREPARED.get(code, lambda folder: None), tmp_path, capsys, monkeypatch)


@pytest.mark.parametrize("code", [c for c in CODES if example(c)[0] == "pycon"])
def test_an_example_in_python_ends_with_the_error_of_its_page(code):
    last = example(code)[1].strip().splitlines()[-1]
    assert last.startswith(f"nmcompile.errors.{kinds()[code].__name__}: ")


@pytest.mark.parametrize("code", CODES)
def test_the_documents_that_a_page_links_to_exist(code):
    for path, anchor in re.findall(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)", page(code)):
        if path.startswith("https://"):
            continue
        linked = (DOCS / "errors" / path).resolve()
        if linked.parent == DOCS / "errors":
            linked = PAGES / linked.name
        assert linked.is_file(), path
        assert not anchor or anchor in map(_anchor, headings(linked.read_text("utf-8")))


def _anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")


@pytest.mark.parametrize("code", CODES)
def test_the_verbs_and_options_that_a_page_names_exist(code):
    known = {verb: _options(verb) for verb in VERBS}
    for text in quoted(page(code)):
        named = re.match(r"nmc ([a-z]+)(?: ([a-z]+))?", text)
        if named:
            verb, inner = named.groups()
            assert verb in known, text
            assert inner in (None, *getattr(group.get_command(None, verb), "commands", (inner,)))
            assert set(re.findall(r"(?<!\S)-[-\w]+", text)) <= known[verb], text
        elif text.startswith("--"):
            assert re.match(r"--[\w-]+", text).group() in set().union(*known.values()), text


def _options(verb):
    command = group.get_command(None, verb)
    commands = [command, *getattr(command, "commands", {}).values()]
    params = [param for each in commands for param in each.params]
    return {"--help", *(name for p in params for name in (*p.opts, *p.secondary_opts))}
