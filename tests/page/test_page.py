"""The page of a report in a real browser: whole, quiet, alone, by mouse and by keyboard."""

import json
import re
import time

import pytest
from helpers.browser import MARKS, SIZES, TABLES, opened, violations
from helpers.pages import HOSTILE, PAGES

from nmcompile.report import rendered

pytestmark = pytest.mark.browser
MOST_BYTES, MOST_FIGURES = 6_000_000, 1_000_000


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_of_a_page_has_marks_and_nothing_is_loaded_or_said(browser, made, name):
    figures, path = made(name)
    assert path.stat().st_size < MOST_BYTES
    assert len(json.dumps(figures, indent=1)) < MOST_FIGURES
    with opened(browser, path) as page:
        marks = page.evaluate(MARKS)
        without = {chart for chart, count in marks.items() if not count}
        assert without == set()
        assert {"cores", "floor"} <= set(marks)
        if figures["samples"]:
            assert {"spikes", "raster", "rates-0", "membrane-0"} <= set(marks)
        assert ("energy" in marks) == (figures["energy_j"] is not None)
        assert ("steps" in marks) == (figures["latency_s"] is not None)
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES["desktop"][0]
        tables = page.evaluate(TABLES)
        assert set(tables) == set(marks)
        assert {chart for chart, rows in tables.items() if not rows} == (
            {"raster"} if name == "silent" else set())


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


@pytest.mark.parametrize(("size", "colours"), [("desktop", "light"), ("phone", "dark")])
@pytest.mark.parametrize("name", ["demo", "hostile", "not simulated", "akida"])
def test_axe_finds_no_violation(browser, made, name, size, colours):
    with opened(browser, made(name)[1], size, colours) as page:
        assert violations(page) == []
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
        assert (f"all of it on estimates: {100 * share:.0f} % by energies of events, "
                f"{100 * (1 - share):.0f} % by time") in text


def test_a_tooltip_has_the_value_under_the_mouse(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        page.locator("[data-chart=spikes] .mark-symbol path").first.hover()
        page.wait_for_selector("#vg-tooltip-element.visible")
        names, values = (page.locator(f"#vg-tooltip-element td.{kind}").all_inner_texts()
                         for kind in ("key", "value"))
        assert names == ["layer", "step", "spikes"]
        steps = figures["look"]["steps"]
        spikes = {"input": steps["inputs"], **steps["spikes"]}[values[0]]
        assert int(values[2].replace(",", "")) == spikes[int(values[1])]


def test_the_raster_has_the_steps_of_the_chip_and_the_names_of_its_layers(browser, made):
    figures, path = made("demo")
    first, lags = figures["look"]["steps"]["spikes"], {
        layer["name"]: layer["lag"] for layer in figures["look"]["layers"]}
    assert len(set(lags.values())) == len(lags)
    with opened(browser, path) as page:
        rows = page.evaluate("document.querySelector('[data-chart=raster]').view.data('rows')")
        for row in rows:
            assert first[row["layer"]][int(row["step"])] > 0
        labels = page.locator("[data-chart=raster] .role-axis-label text").all_text_contents()
        assert set(lags) <= set(labels)


def test_without_static_power_the_bars_are_those_of_events(browser, made):
    figures, path = made("demo")
    with opened(browser, path) as page:
        drawn = page.evaluate("""document.querySelector('[data-chart=events]').view
            .data('rows').reduce((sum, row) => sum + Number(row.joules), 0)""")
    joules = figures["energy_j"]
    assert drawn == pytest.approx((joules["total"] - joules["static"]) / figures["samples"])


def test_what_has_the_focus_is_never_under_the_bar_of_sections(browser, made):
    with opened(browser, made("demo")[1]) as page:
        bar = page.locator("nav").bounding_box()["height"]
        page.locator("#yardsticks").scroll_into_view_if_needed()
        page.locator("footer").click()
        for _ in range(40):
            page.keyboard.press("Shift+Tab")
            top, inside = page.evaluate("""() => { const at = document.activeElement;
                return [at.getBoundingClientRect().top, !!at.closest('main')]; }""")
            assert top >= bar or not inside


def test_words_open_where_they_are_asked_for(browser, made):
    with opened(browser, made("demo")[1]) as page:
        words = page.locator("section[aria-labelledby=words] dl")
        for _ in range(2):
            assert not words.is_visible()
            page.click("nav a[href='#words']")
            words.wait_for()
            page.click("section[aria-labelledby=words] summary")


def test_the_page_says_that_nothing_ran_on_a_chip(made):
    said = "this network did not run on a chip, and nothing of it was measured on one"
    assert said in rendered(made("demo")[0], "net", "html")
    assert said not in rendered(made("not simulated")[0], "net", "html")


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
            'a[href], button, summary, input, [tabindex="0"]')].length""")
        met = []
        for _ in range(wanted):
            page.keyboard.press("Tab")
            met.append(page.evaluate("""() => {
                const at = document.activeElement, style = getComputedStyle(at);
                const all = [...document.querySelectorAll(
                    'a[href], button, summary, input, [tabindex="0"]')];
                return [all.indexOf(at), style.outlineStyle !== 'none' && style.outlineWidth !== '0px'];
            }"""))
        assert [place for place, _ in met] == list(range(wanted))
        assert all(seen for _, seen in met)
        page.locator("#layers thead button").nth(3).focus()
        page.keyboard.press("Enter")
        assert page.locator("#layers thead th[aria-sort]").count() == 1


def test_what_layers_send_after_their_own_steps_is_said_where_it_is_not_shown(made):
    figures = made("demo")[0]
    spikes = figures["look"]["steps"]["spikes"]
    after = sum(spikes["lif1"][21:]) + sum(spikes["lif2"][22:])
    assert after > 0
    said = "own 20 steps: what it sends after them, while later layers finish ({} spikes in all)"
    assert said.format(after) in rendered(figures, "net", "html")
    assert "what it sends after them" not in rendered(made("one layer")[0], "net", "html")


def shown(page, chart, field):
    """What the marks of a chart are of."""
    return set(page.evaluate("""async ([chart, field]) => {
        const place = document.querySelector(`[data-chart="${chart}"]`), marks = [];
        await place.drawing;
        const view = await place.view.runAsync();
        const visit = item => { if (item.datum?.[field] !== undefined) marks.push(item.datum[field]);
            (item.items ?? []).forEach(visit); };
        visit(view.scenegraph().root);
        return marks; }""", [chart, field]))


@pytest.mark.parametrize(("chart", "field", "all_of"), [
    ("energy", "kind", {"synapse", "neuron", "router", "link", "static"}),
    ("spikes", "layer", {"input", "lif1", "lif2", "lif3"}),
    ("raster", "layer", {"lif1", "lif2", "lif3"}), ("floor", "layers", {"lif1", "lif2", "lif3"})])
def test_the_keyboard_chooses_what_a_chart_shows(browser, made, chart, field, all_of):
    with opened(browser, made("demo")[1]) as page:
        assert shown(page, chart, field) == all_of
        boxes = page.locator(f"figure:has([data-chart={chart}]) .legend")
        first, second, *_ = boxes.locator("label").all_inner_texts()
        boxes.locator("input").first.focus()
        page.keyboard.press("Space")
        assert shown(page, chart, field) == all_of - {first}
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert shown(page, chart, field) == all_of - {first, second}
        page.click("#theme")
        assert shown(page, chart, field) == all_of - {first, second}
        for button, wanted in (("All", all_of), ("None", set())):
            boxes.locator(f"button:text-is('{button}')").focus()
            page.keyboard.press("Enter")
            assert shown(page, chart, field) == wanted
            assert boxes.locator("input:checked").count() == len(wanted)


def test_many_layers_are_chosen_in_a_list_that_is_folded_away(browser, made):
    with opened(browser, made("deep")[1]) as page:
        folded = page.locator("figure:has([data-chart=raster]) details").first
        assert folded.locator("input:visible").count() == 0
        folded.locator("summary").focus()
        page.keyboard.press("Enter")
        assert folded.locator("input:visible").count() == 60
        folded.locator("button:text-is('None')").click()
        folded.get_by_role("checkbox", name="layer7", exact=True).check()
        assert shown(page, "raster", "layer") == {"layer7"}


def test_a_core_of_several_layers_has_an_entry_of_its_own(browser, made):
    figures, path = made("relays")
    names = {row["name"] for row in figures["layers"]}
    cores = set(figures["floor"]["cores"]["layers"])
    assert cores - names
    with opened(browser, path) as page:
        assert shown(page, "floor", "layers") == cores
        page.locator("figure:has([data-chart=floor])").get_by_role(
            "checkbox", name="several layers").uncheck()
        assert shown(page, "floor", "layers") == cores & names


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


def test_seventeen_cores_have_places_of_their_own_in_one_tile(browser, made):
    figures, path = made("seventeen")
    cores = figures["floor"]["cores"]
    places = list(zip(cores["column"], cores["row"], strict=True))
    assert max(places.count(place) for place in places) == 17
    with opened(browser, path) as page:
        boxes = page.evaluate("""[...document.querySelectorAll(
            '[data-chart=floor] .mark-rect.role-mark path')].map(each => {
            const { left, top, right, bottom } = each.getBoundingClientRect();
            return [left, top, right, bottom]; })""")
    assert len(boxes) == len(places)
    apart = [a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
             for k, a in enumerate(boxes) for b in boxes[:k]]
    assert all(apart)


def test_no_number_stands_for_a_time_or_an_energy_that_is_not_known(browser, made):
    _, path = made("akida")
    with opened(browser, path) as page:
        cards = page.locator(".card").all_inner_texts()
        told = {card.split("\n")[0]: card.split("\n")[1] for card in cards}
        assert told["Latency of a sample"] == told["Energy of a sample"] == "not known"
        assert page.locator("#layers thead").inner_text().strip().split("\t") == [
            "layer", "neurons", "cores", "spikes", "synaptic events", "packets"]
        text = page.inner_text("main")
    assert not re.findall(r"\d\s?[munpµ]?[JWs]\b", text.split("Common yardsticks")[0])
