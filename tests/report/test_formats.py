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
from nmcompile.report.certainty import (
    certainty,
    energy_error,
    guessed_times,
    guessed_words,
    known_bound,
    on_estimates,
    steps_words,
)
from nmcompile.report.schema import KINDS
from nmcompile.report.times import value_words
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
                           "energy_per_sample_j", "energy_by_core", "energy_by_constant",
                           "time_constants"))
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


def test_advice_says_by_spikes_and_events_of_each_why_a_layer_costs_most():
    told = PAGES["demo"]()
    layers = {row["name"]: row for row in told["layers"]}
    events = layers["lif2"]["synaptic_events"]
    assert layers["lif2"]["sources"] == ["lif1"]
    said = " ".join(row["what"] for row in advice(told))
    share = percent(events / sum(row["synaptic_events"] for row in told["layers"]))
    assert (f"It has {share} of all synaptic events: "
            f"{layers['lif1']['spikes']:,} spikes come in, and each sets off "
            f"{events / layers['lif1']['spikes']:,.3g} of them on average") in said


def test_without_its_sources_advice_does_not_say_what_an_event_comes_from():
    told = PAGES["demo"]()
    for row in told["layers"]:
        row["sources"] = None
    said = " ".join(row["what"] for row in advice(told))
    assert "of all synaptic events." in said
    assert "spikes come in" not in said


def test_static_power_stands_on_estimates_by_way_of_its_time(figures):
    rows = {row["constant"]: row for row in figures["energy_by_constant"]}
    assert rows["power_w.static"]["known_as"] == "measured"
    shares = on_estimates(figures)
    assert set(shares) == {"energies of events", "time"}
    assert shares["time"] == pytest.approx(
        figures["energy_j"]["static"] / figures["energy_j"]["total"])
    assert guessed_words(figures).startswith("all of it on estimates: ")
    known = {**figures, "estimated": [
        name for name in figures["estimated"] if name.startswith("energy_j.")]}
    assert set(on_estimates(known)) == {"energies of events"}
    assert guessed_words(known) == (
        f"{percent(shares['energies of events'])} of it on estimates, by energies of events")
    assert guessed_words(without_costs(figures)) is None


def test_the_error_of_a_part_is_said_where_that_of_the_whole_is_not_known(figures):
    static = next(row for row in figures["energy_by_constant"] if row["kind"] == "static")
    total, ends = figures["energy_j"]["total"], static["energy_range_j"]
    low, high, names = known_bound(figures)
    assert (low, high) == pytest.approx((total - static["energy_j"] + ends["low"],
                                         total - static["energy_j"] + ends["high"]))
    assert names == "static power"
    assert energy_error(figures).startswith(
        "error not known in all; that of static power alone makes ")
    known = {**figures, "energy_range_j": {**figures["energy_range_j"],
                                           "total": {"low": 0.0, "high": figures["samples"]}}}
    assert known_bound(known) is None
    assert energy_error(known) == "0 J to 1 J"


def test_a_sample_takes_the_steps_of_the_chip(figures):
    latency = figures["latency_s"]
    taken = round(latency["per_sample_mean"] / latency["per_step_mean"])
    assert taken > figures["steps"]
    assert steps_words(figures).startswith(
        f"{taken} steps of the chip ({figures['steps']} and {taken - figures['steps']} until")


@pytest.mark.parametrize(("row", "said"), [
    ({"value": 4.85e-9, "unit": "s"}, "4.85 ns"), ({"value": "yes", "unit": "yes/no"}, "yes"),
    ({"value": [[1.0, 6.67e-8], [2.0, 1.11e-7]], "unit": "[tiles, s]"},
     "1 tiles: 66.7 ns, 2 tiles: 111 ns"),
    ({"value": [[2.0], [3.0]], "unit": "cycles"}, "2 cycles, 3 cycles")])
def test_the_value_of_a_constant_has_its_unit(row, said):
    assert value_words(row) == said


@pytest.mark.parametrize("name", ["demo", "xylo", "seventeen", "speck"])
def test_constants_of_time_are_those_of_the_model_of_time(name):
    told = PAGES[name]()
    rows = {row["constant"]: row["known_as"] for row in told["time_constants"]}
    assert [n for n, known in rows.items() if known == "estimate"] == guessed_times(told)


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
