"""A browser, and pages of the figures of several kinds of chips."""

import pytest
from helpers.browser import chromium
from helpers.pages import PAGES

from nmcompile.report import rendered


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Figures and file of a page by name."""
    folder, known = tmp_path_factory.mktemp("pages"), {}

    def make(name):
        if name not in known:
            figures, path = PAGES[name](), folder / f"{name.replace(' ', '_')}.html"
            path.write_text(rendered(figures, f"{name}.pt", "html"), "utf-8")
            known[name] = figures, path
        return known[name]

    return make
