"""Tables of a report's page in a real browser: what they say, sort, hand over and where they go on."""

import csv
import io
import re

import pytest
from helpers.browser import downloaded, opened

from nmcompile.report import rendered
from nmcompile.report.page.frame import as_percent
from nmcompile.report.units import si

pytestmark = pytest.mark.browser


def test_what_is_taken_for_what_is_drawn_and_told(browser, made):
    figures, path = made("demo")
    cells = {(label, decision): count for label, row in enumerate(figures["confusion"])
             for decision, count in enumerate(row) if count}
    with opened(browser, path) as page:
        rows = page.evaluate("document.querySelector('[data-chart=classes]').view.data('rows')")
        drawn = {(int(row["label"]), int(row["decision"])): int(row["samples"]) for row in rows}
        assert drawn == cells
        texts = page.locator("[data-chart=classes] .mark-text.role-mark text").all_text_contents()
        assert sorted(texts) == sorted(map(str, cells.values()))
        assert "Most often wrong" not in page.inner_text("#of-classes")


@pytest.mark.parametrize(("counts", "said"), [
    ([[5, 0, 2], [3, 1, 0], [1, 1, 9]],
     "Most often wrong: 1 taken for 0: 3; 0 taken for 2: 2; 2 other samples besides, no two alike."),
    ([[5, 3, 4], [5, 1, 0], [0, 2, 9]],
     "Most often wrong: 1 taken for 0: 5; 0 taken for 2: 4; 0 taken for 1: 3; 2 other samples besides."),
    ([[5, 3], [0, 1]], "Most often wrong: 0 taken for 1: 3."),
    ([[5, 1], [1, 1]], "Wrong are 2 samples, no two alike."),
    ([[5, 1], [0, 1]], "Wrong is 1 sample."), ([[5, 0], [0, 1]], "rare errors are seen.</fig")])
def test_what_is_wrong_is_told_as_often_as_it_is(made, counts, said):
    assert said in rendered(made("demo")[0] | {"confusion": counts}, "net", "html")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_numbers_in_cells_are_read_on_every_shade_and_have_a_tooltip(
        browser, made, tmp_path, colours):
    path, shares = tmp_path / "shades.html", [[200 - 11 * k, 11 * k, *17 * [0]] for k in range(19)]
    path.write_text(rendered(made("demo")[0] | {"confusion": shares}, "net", "html"), "utf-8")
    with opened(browser, path, colours=colours) as page:
        texts, cells = (page.locator(f"[data-chart=classes] .role-mark.mark-{mark}")
                        for mark in ("text text", "rect path"))
        assert texts.count() == cells.count() == 37
        fills = [[each.get_attribute("fill") for each in marks.all()] for marks in (texts, cells)]
        assert min(map(contrast, *fills)) > 4.5
        texts.nth(4).hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        assert page.locator("#vg-tooltip-element td.key").all_inner_texts() == [
            "label", "decision", "samples", "share"]


def contrast(one, other):
    """Of two colours, as WCAG 2.2 defines it."""
    a, b = sorted(map(luminance, (one, other)))
    return (b + 0.05) / (a + 0.05)


def luminance(colour):
    named = {"white": "255,255,255", "black": "0,0,0"}
    parts = [int(part) / 255 for part in re.findall(r"\d+", named.get(colour, colour))]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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
        rows = list(csv.reader(io.StringIO(downloaded(page, "layers"), newline="")))
    assert rows[0][0] == "layer"
    assert {len(row) for row in rows} == {len(rows[0])}
    column = rows[0].index("total, J")
    *layers, last = rows[1:]
    assert [(row[0].removeprefix("'"), float(row[column])) for row in layers] == [
        (row["name"], row["energy_j"]["total"]) for row in figures["layers"]]
    assert float(last[column]) == figures["energy_j"]["total"]


def test_no_text_of_a_downloaded_table_is_a_formula(browser, made):
    figures, path = made("hostile")
    with opened(browser, path) as page:
        rows = list(csv.reader(io.StringIO(downloaded(page, "layers"), newline="")))
    told = list(csv.reader(io.StringIO(rendered(figures, "net", "csv"), newline="")))
    for table in (rows, told):
        names = [row[0] for row in table]
        assert "'=1+1" in names
        assert not [name for name in names if name[:1] in set("=+-@")]


def test_a_chart_is_there_as_a_table_too(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        page.click("details[data-table=steps] summary")
        page.wait_for_selector("details[data-table=steps] tbody tr")
        cells = page.locator("details[data-table=steps] tbody tr").all_inner_texts()
        told = [float(row.split("\t")[1]) for row in cells]
        assert told == pytest.approx(figures["look"]["steps"]["seconds"], rel=5e-4)
        heads = page.locator("details[data-table=steps] thead th").all_inner_texts()
        assert heads == ["step", "s", "s of work of the last core", "last core", "its layer"]


@pytest.mark.parametrize(("chart", "heads"), [
    ("raster", ["layer", "neuron", "step"]), ("energy", ["layer", "kind", "J a sample"]),
    ("cores", ["core", "layers", "limit", "used"])])
def test_the_table_of_a_chart_has_the_columns_of_its_tooltip_and_no_places(
        browser, made, chart, heads):
    with opened(browser, made("demo")[1]) as page:
        page.click(f"details[data-table={chart}] summary")
        page.wait_for_selector(f"details[data-table={chart}] tbody tr")
        table = page.locator(f"details[data-table={chart}]")
        assert table.locator("thead th").all_inner_texts() == heads
        assert not [cell for cell in table.locator("tbody td").all_inner_texts()
                    if len(re.sub(r"\D", "", cell.split("e")[0]).lstrip("0")) > 5]


def test_the_constants_of_time_stand_with_their_sources(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        names = page.locator("#times tbody td:first-child").all_inner_texts()
        text = page.inner_text("#times")
    assert names == [row["constant"] for row in figures["time_constants"]]
    assert {name.partition(".")[0] for name in names} == {"time_s", "network"}
    assert all(re.sub(r"\s+", " ", row["source"]) in re.sub(r"\s+", " ", text)
               for row in figures["time_constants"])


def test_a_table_that_is_too_wide_says_where_it_goes_on_and_keeps_its_first_column(browser, made):
    def said(page):
        return page.evaluate("""getComputedStyle(document.querySelector(
            '.scroll:has(#layers)'), '::before').content.replaceAll('"', '')""")

    with opened(browser, made("demo")[1], "phone") as page:
        place = page.locator(".scroll:has(#layers)")
        assert said(page) == "Goes on to the right \u2192"
        cell = page.locator("#layers tbody td").first
        before = cell.bounding_box()["x"]
        place.evaluate("place => { place.scrollLeft = 300; }")
        page.wait_for_selector(".scroll[data-left]:has(#layers)")
        assert cell.bounding_box()["x"] == before
        place.scroll_into_view_if_needed()
        head = page.locator("#layers thead th").first.bounding_box()
        assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).textContent.trim()", [
            head["x"] + 3, head["y"] + head["height"] - 12]) == "layer"
        place.evaluate("place => { place.scrollLeft = place.scrollWidth; }")
        page.wait_for_selector(".scroll[data-right]:has(#layers)")
        assert said(page) == "\u2190 Goes on to the left"
    with opened(browser, made("demo")[1]) as page:
        assert page.locator(".scroll:has(#layers)").get_attribute("data-wide") is None


def test_a_long_table_of_a_chart_says_that_it_goes_on_until_its_end(browser, made):
    with opened(browser, made("demo")[1]) as page:
        page.click("details[data-table=raster] summary")
        place = page.locator("details[data-table=raster] .scroll[data-tall]")
        place.wait_for()
        place.evaluate("place => { place.scrollTop = place.scrollHeight; }")
        place.wait_for(state="detached")


def test_lines_of_the_chain_are_marked_where_nothing_differs(made):
    figures = made("demo")[0]
    page = rendered(figures, "net", "html")
    assert (page.count("same spikes"), page.count("same decisions")) == (3, 1)
    other = [{**check, "figures": {**check["figures"], "spikes_differing": 1, "decisions_equal": 0.9}}
             for check in figures["checks"]]
    page = rendered(figures | {"checks": other}, "net", "html")
    assert (page.count("same spikes"), page.count("same decisions")) == (0, 0)


def test_a_constant_without_events_has_no_range_and_time_has_its_unit(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        rows = {row.split("\t")[0]: row.split("\t") for row in page.locator(
            "#constants tbody tr").all_inner_texts()}
    seconds = next(row["events"] for row in figures["energy_by_constant"] if row["kind"] == "static")
    assert rows["power_w.static"][3] == si(seconds, "s")
    assert rows["energy_j.hop_x"][5] == "no events"
    assert rows["energy_j.packet_in"][5] == "in other constants"
    assert not [row for row in rows.values() if "0 J to 0 J" in row]


@pytest.mark.parametrize(("share", "said"), [(0.0625, "6.3 %"), (0.0125, "1.3 %"), (0.1235, "12.3 %"), (1.0, "100.0 %")])
def test_shares_are_rounded_as_the_charts_round_them(share, said):
    assert as_percent(share) == said


def test_sorting_moves_no_column(browser, made):
    def places(page):
        return [page.locator("#layers thead th").nth(k).bounding_box()["x"] for k in range(5)]

    with opened(browser, made("demo")[1]) as page:
        before = places(page)
        page.click("#layers thead button:text-is('spikes')")
        assert places(page) == before


def test_the_table_of_a_chart_without_marks_says_so(browser, made):
    with opened(browser, made("silent")[1]) as page:
        details = page.locator("details[data-table=raster]")
        details.locator("summary").click()
        page.wait_for_function(
            "document.querySelector('details[data-table=raster]').textContent.includes('nothing')")
        assert details.locator("table").count() == 0
