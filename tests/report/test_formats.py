"""Reports as Markdown, CSV and JSON, and what is said of limits and estimates."""

import csv
import io
import json
from copy import deepcopy

import pytest
from helpers.pages import HOSTILE, PAGES, deep
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pydantic import ValidationError

from nmcompile.errors import NmcError
from nmcompile.report import ReportFile, rendered
from nmcompile.report.advice import advice
from nmcompile.report.certainty import certainty
from nmcompile.report.schema import KINDS
from nmcompile.report.units import percent


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
    told["look"]["steps"] |= {"seconds": None, "busy_s": None}
    for layer in told["layers"]:
        layer.update(dict.fromkeys(("energy_j", "energy_range_j", "latency_s", "hops")))
    return told


def test_csv_has_a_row_for_each_layer_with_numbers_as_they_are(hostile):
    rows = list(csv.DictReader(io.StringIO(rendered(hostile, "net", "csv"), newline="")))
    names = [row["name"] for row in hostile["layers"]]
    assert [row["layer"] for row in rows] == [
        f"'{name}" if name.startswith("=") else name for name in names]
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
    known = ReportFile.model_validate(without_costs(figures)).model_dump()
    told = rendered(known, "net", how)
    if how == "csv":
        assert {row["energy_j"] for row in csv.DictReader(io.StringIO(told))} == {""}
    else:
        assert told.count("not known") >= 2


def test_advice_names_the_costliest_layer_its_cause_and_what_comes_next(figures):
    said = " ".join(row["what"] for row in advice(figures))
    kinds = [kind for kind in KINDS if kind != "static"]
    cost = {row["name"]: sum(row["energy_j"][kind] for kind in kinds) for row in figures["layers"]}
    costliest = max(cost, key=cost.get)
    share = percent(cost[costliest] / sum(cost.values()))
    assert f"{costliest} takes {share} of the energy of events" in said
    ends = [name for name in figures["look"]["steps"]["layer"] if name]
    last = max(sorted(set(ends)), key=ends.count)
    assert f"{last} is the last to be done" in said
    busy = {row["name"]: row["latency_s"] for row in figures["layers"] if row["name"] != last}
    assert f"Next comes {max(busy, key=busy.get)}," in said


def test_estimates_are_named_by_the_figure_that_they_enter(figures):
    rows = {figure: guesses for figure, _, guesses in certainty(figures)}
    assert {name for guesses in rows.values() for name in guesses} <= set(figures["estimated"])
    assert rows["accuracy, spikes, membranes, packets"] == []
    assert "time_s.synaptic_event" in rows["time"]
    assert "core.input_axons" in rows["cores in use"]
    spent = {row["constant"]: row["energy_j"] for row in figures["energy_by_constant"]
             if row["known_as"] == "estimate"}
    events = {name: spent[name] for name in rows["energy"] if name in spent}
    assert events == {k: v for k, v in spent.items() if v}
    assert set(rows["energy"]) - set(events) == set(rows["time"])
    assert "energy" not in {figure for figure, *_ in certainty(without_costs(figures))}


@pytest.mark.parametrize(("share", "said"), [
    (0.0, "0 %"), (0.001, "less than 1 %"), (0.006, "1 %"), (0.37, "37 %"), (0.994, "99 %"),
    (0.999, "more than 99 %"), (1.0, "100 %")])
def test_a_share_is_nothing_or_all_only_where_it_is(share, said):
    assert percent(share) == said


def test_a_chip_of_one_core_is_not_said_to_have_others():
    said = " ".join(row["what"] + row["relief"] for row in advice(PAGES["xylo"]()))
    assert "--search" not in said
    assert "--chips" not in said
    assert "Static power takes 100 % of the energy" in said
    rows = {figure: guesses for figure, _, guesses in certainty(PAGES["xylo"]())}
    assert not [name for name in rows["time"] if not name.startswith("cycle_formula.")]


def leaves(value, path=()):
    """Paths to the numbers, texts and holes of plain values, of a list's first three entries."""
    inner = value.items() if isinstance(value, dict) else (
        enumerate(value[:3]) if isinstance(value, list) else None)
    if inner is None:
        yield path
    else:
        for key, part in inner:
            yield from leaves(part, (*path, key))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_report_with_any_value_is_refused_or_shown(data):
    told = PAGES["relays"]()
    path = data.draw(st.sampled_from(list(leaves(told))))
    within = told
    for key in path[:-1]:
        within = within[key]
    within[path[-1]] = data.draw(st.sampled_from(
        [0, -1, 1, 0.5, 1e308, 5e-324, 10**40, None, "", "x"]))
    try:
        known = ReportFile.model_validate(told).model_dump()
    except ValidationError:
        return
    for how in ("html", "md", "csv"):
        assert rendered(known, "net", how)
