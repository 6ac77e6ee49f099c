"""Reports as Markdown, CSV and JSON, and what is said of limits and estimates."""

import csv
import io
import json
from copy import deepcopy

import pytest
from helpers.pages import HOSTILE, PAGES, deep
from markdown_it import MarkdownIt

from nmcompile.errors import NmcError
from nmcompile.report import rendered
from nmcompile.report.advice import advice
from nmcompile.report.certainty import certainty
from nmcompile.report.schema import KINDS


@pytest.fixture(scope="module")
def figures():
    return PAGES["relays"]()


@pytest.fixture(scope="module")
def hostile():
    return deep(HOSTILE)


def without_costs(figures):
    """The figures of a run on a target that has no constants of time and energy."""
    told = deepcopy(figures)
    told |= dict.fromkeys(("timing", "latency_s", "energy_j", "energy_range_j",
                           "energy_per_sample_j", "energy_by_core", "energy_by_constant"))
    told["outside"] |= {"boundary": None, "energy_j": {}, "energy_range_j": {}}
    for layer in told["layers"]:
        layer.update(dict.fromkeys(("energy_j", "energy_range_j", "latency_s")))
    return told


def test_csv_has_a_row_for_each_layer_with_numbers_as_they_are(hostile):
    rows = list(csv.DictReader(io.StringIO(rendered(hostile, "net", "csv"), newline="")))
    assert [row["layer"] for row in rows] == [row["name"] for row in hostile["layers"]]
    for row, layer in zip(rows, hostile["layers"], strict=True):
        assert int(row["spikes"]) == layer["spikes"]
        assert float(row["busy_s_per_step"]) == layer["latency_s"]
        assert {kind: float(row[f"{kind}_j"]) for kind in KINDS} == {
            kind: layer["energy_j"][kind] for kind in KINDS}


def test_json_is_the_report_itself(figures):
    assert json.loads(rendered(figures, "net", "json")) == figures


def cells(text):
    """What a Markdown reader sees in tables, and whether it found HTML of ours or of a name."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    seen = [part for token in tokens if token.type == "inline" for part in token.children]
    assert not [part for part in seen if part.type not in (
        "text", "strong_open", "strong_close", "softbreak")]
    assert not [token for token in tokens if token.type == "html_block"]
    return ["".join(part.content for part in token.children) for token in tokens
            if token.type == "inline"]


def test_markdown_says_names_checks_and_limits_as_they_are(hostile):
    told = cells(rendered(hostile, "*net* <b>|`x`", "md"))
    assert told[0] == f"*net* <b>|`x` on {hostile['title']}"
    assert set(HOSTILE) <= set(told)
    for row in advice(hostile):
        assert any(row["what"] in text and row["relief"] in text for text in told)


def test_a_format_that_there_is_not_is_refused(figures):
    with pytest.raises(NmcError, match="'pdf' is not known"):
        rendered(figures, "net", "pdf")


@pytest.mark.parametrize("how", ["html", "md", "csv"])
def test_what_is_not_known_is_said_to_be_so_and_no_number_stands_for_it(figures, how):
    told = rendered(without_costs(figures), "net", how)
    if how == "csv":
        assert {row["energy_j"] for row in csv.DictReader(io.StringIO(told))} == {""}
    else:
        assert told.count("not known") >= 2


def test_advice_names_the_costliest_layer_its_cause_and_what_comes_next(figures):
    said = " ".join(row["what"] for row in advice(figures))
    kinds = [kind for kind in KINDS if kind != "static"]
    cost = {row["name"]: sum(row["energy_j"][kind] for kind in kinds) for row in figures["layers"]}
    costliest = max(cost, key=cost.get)
    share = 100 * cost[costliest] / sum(cost.values())
    assert f"{costliest} takes {share:.0f} % of the energy of events" in said
    ends = [name for name in figures["look"]["steps"]["layer"] if name]
    last = max(sorted(set(ends)), key=ends.count)
    assert f"{last} is the last to be done" in said
    busy = {row["name"]: row["latency_s"] for row in figures["layers"] if row["name"] != last}
    assert f"Next comes {max(busy, key=busy.get)}," in said


def test_estimates_are_named_by_the_figure_that_they_enter(figures):
    rows = {figure: guesses for figure, _, guesses in certainty(figures)}
    assert {name for guesses in rows.values() for name in guesses} == {
        name for name in figures["estimated"] if not name.startswith("io.")}
    assert all(name.startswith(("energy_j.", "power_w.")) for name in rows["energy"])
    assert "energy" not in {figure for figure, *_ in certainty(without_costs(figures))}
