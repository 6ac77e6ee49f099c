"""The page of builds beside each other in a real browser."""

import csv
import io
import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
from helpers.browser import MARKS, SIZES, TABLES, downloaded, opened, violations
from helpers.pages import HOSTILE, PAGES, deep

from nmcompile.build import Build
from nmcompile.comparison import compare, parse_gate
from nmcompile.report.compared_formats import rendered_comparison

pytestmark = pytest.mark.browser


def build_of(name, figures, **manifest):
    """A build of which a comparison takes figures and manifest alone."""
    return Build(folder=Path(name), program=None, figures=figures,
                 manifest={"nmcompile": "0.1.0", "model": "net.pt", "options": {}, **manifest})


def with_accuracy(figures, accuracy, joules):
    """`figures` with another accuracy, and all energies times a factor."""
    told = deepcopy(figures)
    told["accuracy"] = accuracy
    told["energy_per_sample_j"] *= joules
    for each in [told["energy_j"], *(row["energy_j"] for row in told["layers"])]:
        each.update({kind: value * joules for kind, value in each.items()})
    return told


def widths():
    relays = PAGES["relays"]()
    builds = [build_of("runs/8 bit", with_accuracy(relays, 0.9, 1.0), options={"bits": None}),
              build_of("runs/4 bit", with_accuracy(relays, 0.8, 0.5), options={"bits": "4"}),
              build_of("runs/2 bit", with_accuracy(relays, 0.7, 0.75), options={"bits": "2"})]
    for build, decisions in zip(builds, ([1, 1, 1], [1, 0, 0]), strict=False):
        build.figures["decisions"] = {"decision": decisions, "label": [1, 1, 1]}
        build.figures["data"] = {"name": "a.npz", "sha256": "0", "encoding": None, "seed": 0}
    return builds


def chips():
    return [build_of(name, PAGES[name]()) for name in ("akida", "xylo", "seventeen", "speck")]


def hostile():
    return [build_of("</script><img src=x onerror=alert(1)>", deep(HOSTILE)),
            build_of("=1+1", deep(HOSTILE[::-1])), build_of("=1+1", deep(("a", "b")))]


def unrun():
    figures = PAGES["relays"]()
    told = deepcopy(figures)
    of_layers = ("spikes", "synaptic_events", "neuron_updates", "packets", "hops", "energy_j",
                 "energy_range_j", "latency_s")
    told |= dict.fromkeys(("samples", "accuracy", "data", "timing", "latency_s", "energy_j",
                           "energy_range_j", "energy_per_sample_j", "energy_by_core",
                           "energy_by_constant", "outside", "late", "exit", "perturbed", "look"))
    for layer in told["layers"]:
        layer.update(dict.fromkeys(of_layers))
    return [build_of("run", figures), build_of("not run", told)]


GATES = {"widths": ("accuracy>=0.75", "energy_j<+0%"), "chips": ("cores<10",)}
COMPARISONS = {"widths": widths, "chips": chips, "hostile": hostile, "unrun": unrun}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What is found, and file of a page by name."""
    folder, known = tmp_path_factory.mktemp("compared"), {}

    def make(name):
        if name not in known:
            gates = [parse_gate(gate) for gate in GATES.get(name, ())]
            found, path = compare(COMPARISONS[name](), gates), folder / f"{name}.html"
            path.write_text(rendered_comparison(found, "html"), "utf-8")
            known[name] = found, path
        return known[name]

    return make


@pytest.mark.parametrize(("name", "charts"), [
    ("widths", {"kinds", "energy", "spikes", "time", "pareto"}),
    ("chips", {"kinds", "energy", "spikes", "time"}),
    ("hostile", {"kinds", "energy", "spikes", "time"}),
    ("unrun", {"kinds", "energy", "spikes", "time"})])
def test_every_chart_has_marks_and_nothing_is_loaded_or_said(browser, made, name, charts):
    _, path = made(name)
    assert path.stat().st_size < 6_000_000
    with opened(browser, path) as page:
        marks = page.evaluate(MARKS)
        assert set(marks) == charts
        assert min(marks.values()) > 0
        assert page.locator("img, iframe, object").count() == 0
        tables = page.evaluate(TABLES)
        assert set(tables) == charts
        assert min(tables.values()) > 0


@pytest.mark.parametrize(("size", "colours"), [("desktop", "light"), ("phone", "dark")])
@pytest.mark.parametrize("name", COMPARISONS)
def test_axe_finds_no_violation_and_nothing_is_wider_than_the_page(
        browser, made, name, size, colours):
    with opened(browser, made(name)[1], size, colours) as page:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


def test_cards_say_values_with_their_change_and_range(browser, made):
    with opened(browser, made("widths")[1]) as page:
        cards = [re.sub(r"\s+", " ", text)
                 for text in page.locator(".builds .card").all_inner_texts()]
    assert "accuracy 90.00 %" in cards[0]
    assert "with 95 % (Wilson)" in cards[0]
    assert "-10.00 points" in cards[1]
    assert "2 samples decided otherwise: 0 won, 2 lost (McNemar's exact p = 0.5" in cards[1]
    assert "decided otherwise" not in cards[0] + cards[2]
    assert "-50.0 %" in cards[1]
    assert "-25.0 %" in cards[2]
    assert all("of the energy on estimates" in card for card in cards)


def test_gates_say_who_keeps_them(browser, made):
    with opened(browser, made("widths")[1]) as page:
        rows = page.locator("#gates ~ .scroll tbody tr").all_inner_texts()
        heads = page.locator("#gates ~ .scroll th").all_inner_texts()
        assert page.locator("#gates ~ .scroll tbody td:first-child span").first.evaluate(
            "each => getComputedStyle(each).whiteSpace") == "nowrap"
    cells = [row.split("\t") for row in rows]
    assert heads[:3] == ["gate", "result", "runs/8 bit"]
    assert cells[0][:2] == ["accuracy >= 75 %", "broken"]
    assert cells[0][2:] == ["90.00 %, kept", "80.00 %, kept", "70.00 %, broken"]
    assert cells[1][:2] == ["energy of a sample < +0 % against runs/8 bit on estimates", "kept"]
    assert [cell.split(", ")[-1] for cell in cells[1][2:]] == ["held against", "kept", "kept"]
    assert cells[1][3].startswith("-50 %")


def test_the_front_says_who_is_beaten_and_of_what_no_range_is_known(browser, made):
    with opened(browser, made("widths")[1]) as page:
        told = page.locator("#of-pareto").inner_text()
    assert "runs/2 bit is beaten" in told
    assert "of the energies no range is known" in told


def test_what_all_have_is_listed_and_rows_that_are_alike_are_one(browser, made):
    with opened(browser, made("widths")[1]) as page:
        same = page.locator("#causes ~ ul").first.locator("li").all_inner_texts()
        sure = page.locator("#certainty ~ .scroll tbody td:first-child").all_inner_texts()
        told = page.locator("#certainty ~ p").inner_text()
    assert {"target: loihi2", "timing: cycle", "nmcompile: 0.1.0"} <= set(same)
    assert sure.count("all") == 3
    assert "Builds for one target share its constants" in told


def test_the_title_names_what_all_have(made):
    found = deepcopy(made("widths")[0])
    for build in found["builds"]:
        build |= {"model": "net.pt", "data": {"name": "<a>.npz", "sha256": "0"}}
    title = "<title>{}: 3 builds</title>".format
    assert title("net.pt on loihi2, run on &lt;a&gt;.npz") in rendered_comparison(found, "html")
    found["builds"][1]["data"] = {"name": "<a>.npz", "sha256": "1"}
    assert title("net.pt on loihi2") in rendered_comparison(found, "html")
    found["builds"][1]["model"] = "other.pt"
    assert "<title>3 builds beside each other" in rendered_comparison(found, "html")


def test_causes_name_what_was_made_otherwise(browser, made):
    with opened(browser, made("widths")[1]) as page:
        lists = page.locator("#causes ~ ul").all_inner_texts()[1:]
    assert lists[0].split("\n")[0] == "--bits none -> 4"
    assert re.search(r"^energy -[0-9.]+ µJ a sample: static -[0-9.]+ µJ", lists[0], re.MULTILINE)


def test_bars_add_up_to_the_energies_of_the_builds(browser, made):
    found, path = made("widths")
    energy = next(row for row in found["metrics"] if row["metric"] == "energy_j")
    with opened(browser, path) as page:
        for chart, field in (("kinds", "joules"), ("energy", "energy")):
            rows = page.evaluate(
                f"document.querySelector('[data-chart={chart}]').view.data('rows')")
            for build, value in zip(found["builds"], energy["values"], strict=True):
                assert sum(float(row[field]) for row in rows if row["build"] == build["name"]) == (
                    pytest.approx(value))


def test_the_front_goes_through_the_builds_that_no_other_beats(browser, made):
    with opened(browser, made("widths")[1]) as page:
        rows = page.evaluate("document.querySelector('[data-chart=pareto]').view.data('rows')")
    assert {row["build"]: row["beaten"] for row in rows} == {
        "runs/8 bit": "no", "runs/4 bit": "no", "runs/2 bit": "yes"}
    assert all(float(row["low"]) < float(row["accuracy"]) < float(row["high"]) for row in rows)


def test_the_table_sorts_with_what_is_not_known_at_its_end_and_downloads(browser, made):
    found, path = made("chips")
    energy = next(row for row in found["metrics"] if row["metric"] == "energy_j")["values"]
    with opened(browser, path) as page:
        for order in ("descending", "ascending"):
            page.click("#figures thead button:text-is('energy of a sample, J')")
            names = page.locator("#figures tbody td:first-child").all_inner_texts()
            known = sorted((value, build["name"]) for value, build in zip(
                energy, found["builds"], strict=True) if value is not None)
            wanted = [name for _, name in (known[::-1] if order == "descending" else known)]
            assert [name for name in names if name != "akida"] == wanted
        rows = list(csv.reader(io.StringIO(downloaded(page, "figures"), newline="")))
        column = rows[0].index("energy of a sample, J")
        told = {row[0]: row[column] for row in rows[1:]}
        assert told.pop("akida") == "not known"
        assert {name: float(cell) for name, cell in told.items()} == {
            name: value for value, name in known}


def test_of_a_chip_without_costs_no_number_is_said(browser, made):
    with opened(browser, made("chips")[1]) as page:
        card = re.sub(r"\s+", " ", page.locator(".builds .card").first.inner_text())
        assert "energy of a sample not known" in card
        assert "latency of a sample not known" in card
        rows = page.evaluate("document.querySelector('[data-chart=kinds]').view.data('rows')")
    assert {row["build"] for row in rows} == {"xylo", "seventeen", "speck"}


def test_yardsticks_stand_beside_each_other_where_all_have_them(browser, made):
    found, path = made("widths")
    with opened(browser, path) as page:
        table = page.locator("#yardsticks ~ .scroll").first
        assert table.locator("th").all_inner_texts() == [
            "figure", *(build["name"] for build in found["builds"]), "what it counts"]
    without = deepcopy(found)
    without["builds"][1]["yardsticks"] = None
    assert "id=\"yardsticks\"" not in rendered_comparison(without, "html")


def test_the_keyboard_chooses_builds_and_sees_where_it_is(browser, made):
    with opened(browser, made("widths")[1]) as page:
        box = page.locator("figure:has([data-chart=time])").get_by_role(
            "checkbox", name="runs/4 bit")
        box.focus()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        page.keyboard.press("Space")
        assert page.evaluate("""async () => {
            const { view } = document.querySelector('[data-chart=time]');
            return (await view.runAsync()).signal('hidden'); }""") == ["runs/4 bit"]


def test_all_is_printed(browser, made):
    with opened(browser, made("widths")[1], colours="dark") as page:
        page.emulate_media(media="print")
        assert page.locator("nav, .only-screen, .legend input, .legend button").evaluate_all(
            "all => all.filter(each => each.checkVisibility()).length") == 0
        assert page.locator(".legend label:visible").count() > 0
        assert len(page.pdf()) > 20_000


def test_names_are_only_names_and_builds_of_one_folder_are_told_apart(browser, made):
    found, path = made("hostile")
    names = ["</script><img src=x onerror=alert(1)>", "=1+1", "=1+1 (2)"]
    assert [build["name"] for build in found["builds"]] == names
    with opened(browser, path) as page:
        assert page.locator(".builds h3").all_inner_texts() == names
        rows = list(csv.reader(io.StringIO(downloaded(page, "figures"), newline="")))
    assert [row[0] for row in rows[2:]] == ["'=1+1", "'=1+1 (2)"]


def test_the_same_builds_give_the_same_bytes(made):
    found, path = made("widths")
    assert rendered_comparison(json.loads(json.dumps(found)), "html") == path.read_text("utf-8")
