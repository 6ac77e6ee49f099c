"""What the guides say is what happens: their commands run, their code is that of the files."""

import re
from importlib.util import find_spec

import pytest
from helpers.documents import DOCS, ROOT, Reader, blocks, in_the_checkout, pages

LIBRARY = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
LIBRARIES = {"amaranth", "brevitas", "lava", "norse", "rockpool", "sinabs", "sklearn", "snntorch",
             "spikingjelly"}
ALWAYS = ("start.md", "concepts.md", "snntorch.md")  # others are slow
RUN = [page for page in pages() if any(block.language == "bash" for block in blocks(page))]


def needed(page):
    """Libraries that a page's code imports, and of the example packages that it installs."""
    text = page.read_text("utf-8")
    imported = {name for block in blocks(page) for name in LIBRARY.findall(block.text)}
    return {*(imported & LIBRARIES), *({"amaranth"} if "examples/plugins/device" in text else ())}


@pytest.mark.parametrize("page", [
    page if page.name in ALWAYS else pytest.param(page, marks=pytest.mark.slow) for page in RUN
], ids=lambda page: str(page.relative_to(DOCS)))
def test_the_commands_of_a_page_run_and_print_what_it_says(page, tmp_path):
    missing = sorted(name for name in needed(page) if find_spec(name) is None)
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    reader = Reader(tmp_path)
    for block in blocks(page):
        reader.read(block)


def test_every_file_of_an_example_package_is_named_on_a_page():
    named = "".join(page.read_text("utf-8") for page in (DOCS / "plugins").glob("*.md"))
    files = [path for path in (ROOT / "examples" / "plugins").rglob("*")
             if path.suffix in (".py", ".toml") and "build" not in path.parts]
    unnamed = [str(path.relative_to(ROOT)) for path in sorted(files)
               if str(path.relative_to(ROOT)) not in named]
    assert unnamed == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_code_on_a_page_is_that_of_the_file_it_names(page):
    for block in filter(in_the_checkout, blocks(page)):
        assert block.text in (ROOT / block.title).read_text("utf-8"), block.title
