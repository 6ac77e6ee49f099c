"""The page of a report in a real browser: whole, quiet, alone, by mouse and by keyboard."""

import csv
import io
import json
import re
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.pages import HOSTILE, PAGES

from nmcompile.report import rendered

pytestmark = pytest.mark.browser
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
MOST_BYTES, MOST_FIGURES = 6_000_000, 1_000_000
DRAWN = "document.documentElement.dataset.drawn === 'all'"


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield running
        running.close()


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
    page.wait_for_function(DRAWN)
    try:
        yield page
        assert told == []
    finally:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_of_a_page_has_marks_and_nothing_is_loaded_or_said(browser, made, name):
    figures, path = made(name)
    assert path.stat().st_size < MOST_BYTES
    assert len(json.dumps(figures, indent=1)) < MOST_FIGURES
    with opened(browser, path) as page:
        marks = page.evaluate("""() => Object.fromEntries(
            [...document.querySelectorAll('[data-chart]')].map(place => [place.dataset.chart,
            place.querySelectorAll('svg .mark-rect path, svg .mark-symbol path, svg .mark-rule line,'
            + ' svg .mark-line path').length]))""")
        assert min(marks.values()) > 0, marks
        assert {"cores", "floor"} <= set(marks)
        if figures["samples"]:
            assert {"spikes", "raster", "rates-0", "membrane-0"} <= set(marks)
        assert ("energy" in marks) == (figures["energy_j"] is not None)
        assert ("steps" in marks) == (figures["latency_s"] is not None)
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["desktop"][0]


@pytest.mark.parametrize("name", ["million", "board"])
def test_a_large_network_opens_within_three_seconds(browser, made, name):
    _, path = made(name)
    context = browser.new_context()
    page, begun = context.new_page(), time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate("document.querySelector('[data-chart=floor]').scrollIntoView()")
    page.wait_for_selector("[data-chart=floor] svg")
    assert time.perf_counter() - begun < 3
    context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", ["demo", "hostile", "not simulated", "akida"])
def test_axe_finds_no_violation(browser, made, name, size, colours):
    from axe_playwright_python.sync_playwright import Axe

    with opened(browser, made(name)[1], size, colours) as page:
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]][:3])
                for rule in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


def test_the_page_says_the_totals_of_the_report(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        assert float(page.get_attribute("#total", "data-value")) == figures["energy_j"]["total"]
        rows = page.locator("#layers tbody tr")
        column = page.locator("#layers thead th").all_inner_texts().index("total, J")
        cells = [rows.nth(k).locator("td").nth(column) for k in range(rows.count())]
        told = [float(cell.get_attribute("data-value")) for cell in cells]
        assert told == [row["energy_j"]["total"] for row in figures["layers"]]
        drawn = page.evaluate("""document.querySelector('[data-chart=energy]').view
            .data('rows').reduce((sum, row) => sum + Number(row.joules), 0)""")
        assert drawn == pytest.approx(figures["energy_per_sample_j"])
        text = page.inner_text("main")
        assert f"{100 * figures['accuracy']:.2f} %" in text
        assert figures["checks"][0]["text"] in text
        share = sum(row["energy_j"] for row in figures["energy_by_constant"]
                    if row["known_as"] == "estimate") / figures["energy_j"]["total"]
        assert f"{100 * share:.0f} % of it on estimates" in text


def test_a_tooltip_has_the_value_under_the_mouse(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        page.locator("[data-chart=spikes] .mark-symbol path").first.hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        names, values = (page.locator(f"#vg-tooltip-element td.{kind}").all_inner_texts()
                         for kind in ("key", "value"))
        assert names == ["layer", "step", "spikes"]
        steps = figures["look"]["steps"]
        spikes = {"inputs": steps["inputs"], **steps["spikes"]}[values[0]]
        assert int(values[2].replace(",", "")) == spikes[int(values[1])]


def test_a_click_on_a_head_sorts_and_again_the_other_way(browser, made):
    figures, path = made("deep")
    with opened(browser, path) as page:
        for order in ("descending", "ascending"):
            page.click("#layers thead button:text-is('spikes')")
            heads = page.locator("#layers thead th[aria-sort]")
            assert (heads.count(), heads.first.get_attribute("aria-sort")) == (1, order)
            told = page.evaluate("""[...document.querySelectorAll('#layers tbody tr')]
                .map(row => Number(row.cells[3].dataset.value))""")
            assert told == sorted((row["spikes"] for row in figures["layers"]),
                                  reverse=order == "descending")


@pytest.mark.parametrize("name", ["demo", "hostile"])
def test_a_table_is_downloaded_as_csv_with_whole_numbers(browser, made, name):
    figures, path = made(name)
    with opened(browser, path) as page:
        with page.expect_download() as download:
            page.click("button[data-csv=layers]")
        rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
        assert rows[0][0] == "layer"
        column = rows[0].index("total, J")
        assert [(row[0], float(row[column])) for row in rows[1 : 1 + len(figures["layers"])]] == [
            (row["name"], row["energy_j"]["total"]) for row in figures["layers"]]


def test_a_chart_is_there_as_a_table_too(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        page.click("details[data-table=steps] summary")
        page.wait_for_selector("details[data-table=steps] tbody tr")
        cells = page.locator("details[data-table=steps] tbody tr").all_inner_texts()
        assert [float(row.split("\t")[1]) for row in cells] == figures["look"]["steps"]["seconds"]


def test_the_button_changes_the_colours_of_text_and_charts(browser, made):
    def seen(page):
        return page.evaluate("""[getComputedStyle(document.body).backgroundColor, document
            .querySelector('[data-chart=energy] .role-axis-label text').getAttribute('fill')]""")

    with opened(browser, made("demo")[1]) as page:
        light, label = seen(page), page.inner_text("#theme")
        page.click("#theme")
        page.wait_for_function("document.querySelector('[data-chart=energy] svg') !== null")
        dark = seen(page)
        assert light[0] != dark[0]
        assert light[1] != dark[1]
        assert page.inner_text("#theme") != label
        page.click("#theme")
        assert seen(page) == light


def test_the_keyboard_reaches_all_in_the_order_of_the_page_and_is_never_caught(browser, made):
    with opened(browser, made("demo")[1]) as page:
        wanted = page.evaluate("""[...document.querySelectorAll(
            'a[href], button, summary, [tabindex="0"]')].length""")
        met = []
        for _ in range(wanted):
            page.keyboard.press("Tab")
            met.append(page.evaluate("""() => {
                const at = document.activeElement, style = getComputedStyle(at);
                const all = [...document.querySelectorAll('a[href], button, summary, [tabindex="0"]')];
                return [all.indexOf(at), style.outlineStyle !== 'none' && style.outlineWidth !== '0px'];
            }"""))
        assert [place for place, _ in met] == list(range(wanted))
        assert all(seen for _, seen in met)
        page.locator("#layers thead button").nth(3).focus()
        page.keyboard.press("Enter")
        assert page.locator("#layers thead th[aria-sort]").count() == 1


def test_all_charts_are_printed_in_light_colours_though_nobody_came_to_them(browser, made):
    _, path = made("demo")
    context = browser.new_context(color_scheme="dark", viewport={"width": 800, "height": 300})
    page = context.new_page()
    page.goto(path.as_uri())
    found = page.evaluate("""() => {
        window.dispatchEvent(new Event('beforeprint'));
        return new Promise(done => setTimeout(() => done([
            document.documentElement.dataset.theme,
            [...document.querySelectorAll('[data-chart]')].filter(
                place => !place.querySelector('svg')).length]), 0)); }""")
    assert found == ["light", 0]
    page.emulate_media(media="print")
    assert len(page.pdf()) > 20_000
    context.close()


def test_names_of_layers_are_only_names(browser, made):
    figures, path = made("hostile")
    assert [row["name"] for row in figures["layers"]][1 : 1 + len(HOSTILE)] == list(HOSTILE)
    with opened(browser, path) as page:
        cells = page.locator("#layers tbody td:first-child").all_inner_texts()
        assert [re.sub(r"\s+", " ", cell) for cell in cells][1 : 1 + len(HOSTILE)] == list(HOSTILE)
        assert page.locator("img, iframe, object").count() == 0


def test_the_same_figures_give_the_same_bytes(made):
    figures, path = made("demo")
    assert rendered(figures, "demo.pt", "html") == path.read_text("utf-8")
