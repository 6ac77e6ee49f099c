"""The site of the documents: whole, without a warning, made of what the project says of itself."""

import html
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from filelock import FileLock
from helpers.browser import chromium

import nmcompile
from nmcompile.cli import VERBS, group
from nmcompile.errors import kinds
from nmcompile.target import load_target

ROOT = Path(__file__).parents[2]
LOOKED_AT = ("index", "concepts", "targets/loihi2", "cli/compile",
             "api/device", "errors/index", "arithmetic")


def _mkdocs(configuration, folder):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", configuration, "-d", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built once for all processes that run tests."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with FileLock(shared / "site.lock"):
        told = shared / "site.txt"
        if not told.exists():
            done = _mkdocs(ROOT / "mkdocs.yml", shared / "site")
            told.write_text(f"{done.returncode}\n{done.stdout}{done.stderr}")
    code, _, output = told.read_text().partition("\n")
    assert (code, "WARNING" in output) == ("0", False), output
    return shared / "site"


def _text(path):
    """What a page says, without its marks."""
    told = html.unescape(re.sub(r"<[^>]*>", "", path.read_text("utf-8")))
    return re.sub(r"\s+", " ", told)


def test_every_document_is_a_page_that_the_navigation_leads_to(site):
    navigation = (site / "index.html").read_text("utf-8")
    for path in sorted((ROOT / "docs").rglob("*.md")):
        page = path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / page).exists(), page
        assert f'href="{page}"' in navigation, page


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "targets").glob("*.toml")))
def test_a_page_of_a_target_has_every_constant_with_its_kind_and_source(site, name):
    target, told = load_target(name), _text(site / "targets" / f"{name}.html")
    for field, constant in target.constants().items():
        assert f"{constant.kind} {' '.join(constant.source.split())}" in told, field
        assert field.rpartition(".")[2] in told
        if constant.spread is not None:
            assert " ".join(constant.spread.split()) in told


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_of_a_verb_has_every_option_in_the_words_of_its_help(site, verb):
    told = _text(site / "cli" / f"{verb}.html")
    context = click.Context(group, info_name="nmc")
    command = group.get_command(context, verb)
    for option in command.get_params(click.Context(command, context, verb)):
        if isinstance(option, click.Option):
            assert all(name in told for name in option.opts), option.name
            assert " ".join((option.help or "").replace("`", "").split()) in told, option.name


def test_every_code_of_an_error_is_in_the_index_and_every_explanation_has_a_page(site):
    told = _text(site / "errors" / "index.html")
    assert [code for code in kinds() if code not in told] == []
    for path in (ROOT / "nmcompile" / "explanations").glob("*.md"):
        assert (site / "errors" / path.name).with_suffix(".html").exists()


def test_every_name_of_the_package_is_in_its_reference(site):
    told = "".join(path.read_text("utf-8") for path in (site / "api").glob("*.html"))
    assert [name for name in nmcompile.__all__
            if name != "__version__" and not re.search(rf'id="nmcompile[\w.]*\.{name}"', told)] == []


def test_a_notebook_is_a_page_and_can_be_downloaded(site):
    for path in (ROOT / "examples" / "notebooks").glob("*.ipynb"):
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
        assert (site / "notebooks" / path.name).with_suffix(".html").exists()


def test_a_linked_file_of_the_project_is_shown(site):
    shown = _text(site / "source" / "backends" / "loihi" / "arithmetic.py.html")
    assert "The integer neuron of Loihi" in shown


def _small(folder, hook, **pages):
    """The configuration of a site of its own with one hook of ours."""
    for name, text in pages.items():
        path = folder / "docs" / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    configuration = folder / "mkdocs.yml"
    configuration.write_text(
        f"site_name: small\ntheme: mkdocs\nhooks: [{ROOT / 'tools' / 'site' / hook}]\n"
        "validation: {nav: {omitted_files: warn}, links: {not_found: warn}}\n"
        "nav:\n  - index.md\n  - not_yet.md\n  - Chips: chips/\n")
    return configuration


def test_a_page_that_no_nav_holds_fails_the_build(tmp_path):
    configuration = _small(tmp_path, "navigation.py", index="# a", forgotten="# b")
    done = _mkdocs(configuration, tmp_path / "site")
    assert done.returncode == 1
    assert "forgotten.md" in done.stderr


def test_a_folder_in_nav_stands_for_its_pages_and_what_does_not_exist_is_left_out(tmp_path):
    configuration = _small(tmp_path, "navigation.py", index="# a", chips__one="# 1", chips__two="# 2")
    done = _mkdocs(configuration, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    navigation = (tmp_path / "site" / "index.html").read_text()
    assert navigation.index("chips/one/") < navigation.index("chips/two/")
    assert "not_yet" not in navigation


@pytest.mark.parametrize(("link", "code"), [("../lab.toml", 0), ("../gone.toml", 1)])
def test_a_link_beside_docs_leads_to_the_file_or_fails_the_build(tmp_path, link, code):
    configuration = _small(tmp_path, "source_pages.py", index=f"[a file]({link})")
    configuration.write_text(configuration.read_text().partition("nav:\n")[0])
    (tmp_path / "lab.toml").write_text("reserve = ['7']\n")
    done = _mkdocs(configuration, tmp_path / "site")
    assert done.returncode == code, done.stderr
    if not code:
        assert "reserve" in _text(tmp_path / "site" / "source" / "lab.toml" / "index.html")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@contextmanager
def _opened(browser, path, width=1280, colours="light"):
    """A page as a file; it must have said nothing and asked for nothing of another place."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=colours)
    page, told = context.new_page(), []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url)
            if not request.url.startswith(("file:", "data:", "blob:")) else None)
    page.on("requestfailed", lambda request: told.append(f"not there: {request.url}"))
    page.goto(path.as_uri())
    try:
        yield page
        assert told == []
    finally:
        context.close()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "colours"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_loads_nothing_from_elsewhere_and_axe_finds_nothing_serious(
        site, browser, name, colours, width):
    from axe_playwright_python.sync_playwright import Axe

    with _opened(browser, site / f"{name}.html", width, colours) as page:
        found = [rule for rule in Axe().run(page, options={"preload": False}).response["violations"]
                 if rule["impact"] in ("serious", "critical")]
        assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]][:3])
                for rule in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_the_search_of_a_page_opened_as_a_file_finds_other_pages(site, browser):
    with _opened(browser, site / "index.html") as page:
        page.click("input.md-search__input")
        page.keyboard.type("splitters")
        page.wait_for_selector(".md-search-result__item a[href*='mapping.html']")
