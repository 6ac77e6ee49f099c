"""Pages in Debian's Chromium, which must say nothing and load nothing."""

from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
DRAWN = "document.documentElement.dataset.drawn === 'all'"
PATIENCE_MS = 120_000  # on a machine that does other things as well
MARKS = """() => Object.fromEntries(
    [...document.querySelectorAll('[data-chart]')].map(place => [place.dataset.chart,
    place.querySelectorAll(['rect path', 'symbol path', 'rule line', 'line path'].map(
        mark => `svg .role-mark.mark-${mark}`).join()).length]))"""  # without those of axes

TABLES = """async () => {
    const all = [...document.querySelectorAll('details[data-table]')];
    for (const each of all) each.open = true;
    while (all.some(each => !each.querySelector('td') && !each.textContent.includes('nothing')))
        await new Promise(done => setTimeout(done, 10));
    return Object.fromEntries(
        all.map(each => [each.dataset.table, each.querySelectorAll('tbody tr').length])); }"""


@contextmanager
def chromium():
    """A running browser; the test is skipped where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield running
        running.close()


@contextmanager
def opened(browser, path, size="desktop", colours="light"):
    """The page with all charts drawn; it must have said nothing and asked for nothing."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height},
                                  color_scheme=colours, accept_downloads=True)
    page, told = context.new_page(), []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.on("request", lambda request: told.append(request.url[:80])
            if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
    try:
        yield page
        assert told == []
    finally:
        context.close()


def violations(page):
    """What axe finds: rules, and the first elements that break them."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]][:3]) for rule in found]


def downloaded(page, table):
    """The text of a table's CSV."""
    with page.expect_download() as download:
        page.click(f"button[data-csv={table}]")
    return Path(download.value.path()).read_bytes().decode()
