"""Builds beside each other as Markdown, CSV and JSON."""

import csv
import io
import json
from copy import deepcopy
from math import isfinite
from pathlib import Path

import pytest
from helpers.pages import PAGES
from markdown_it import MarkdownIt

from nmcompile.build import Build
from nmcompile.comparison import METRICS, change, compare, parse_gate
from nmcompile.errors import NmcError
from nmcompile.report.compared_formats import (
    cell_text,
    change_text,
    judged_text,
    metric_text,
    rendered_comparison,
    sure_rows,
)


def build_of(name, figures, **manifest):
    return Build(folder=Path(name), program=None, figures=figures,
                 manifest={"model": "net.pt", **manifest})


@pytest.fixture(scope="module")
def relays():
    return PAGES["relays"]()


@pytest.fixture
def found(relays):
    other = deepcopy(relays)
    other["latency_s"]["per_sample_mean"] *= 2
    other["data"] = {"name": "b.npz", "sha256": "1", "encoding": "rate", "seed": 3}
    first = relays | {"data": {"name": "a.npz", "sha256": "0", "encoding": None, "seed": 0}}
    return compare([build_of("<a>|*", first), build_of("=b", other)],
                   [parse_gate("latency_s<+50%")])


def test_csv_has_a_row_for_each_metric_of_each_build_and_no_formula(found):
    rows = list(csv.DictReader(io.StringIO(rendered_comparison(found, "csv"), newline="")))
    assert [(row["build"], row["metric"]) for row in rows] == [
        (name, metric) for name in ("<a>|*", "'=b") for metric in METRICS]
    latency = [row for row in rows if row["metric"] == "latency_s"]
    assert float(latency[1]["value"]) == 2 * float(latency[0]["value"])
    assert float(latency[1]["change"]) == pytest.approx(1)
    assert {row["value"] for row in rows if row["metric"] == "accuracy"} == {""}


def test_json_is_what_was_found(found):
    assert json.loads(rendered_comparison(found, "json")) == json.loads(json.dumps(found))


def test_markdown_says_names_changes_causes_and_gates_as_they_are(found):
    tokens = MarkdownIt("commonmark").enable("table").parse(rendered_comparison(found, "md"))
    assert not [token for token in tokens if token.type == "html_block"]
    told = ["".join(part.content for part in token.children) for token in tokens
            if token.type == "inline"]
    assert told[0] == "<a>|* beside =b"
    assert "=b against <a>|*" in told
    assert "broken by =b" in told
    assert any(text.endswith("(+100.0 %)") for text in told)
    assert "the samples differ" in " ".join(told)
    assert "data's encoding none -> rate" in " ".join(told)


def test_the_cause_of_another_latency_is_its_steps_where_these_are_more(found):
    (causes,) = found["causes"]
    (told,) = [cause for cause in causes if cause.startswith("latency +")]
    assert "steps of the chip" in told
    assert "a step " not in told.partition(":")[2]


def test_a_format_that_there_is_not_is_refused(found):
    with pytest.raises(NmcError, match="'pdf' is not known"):
        rendered_comparison(found, "pdf")


@pytest.mark.parametrize(("path", "value"), [
    (("energy_per_sample_j",), 1e308), (("latency_s", "per_sample_mean"), 5e-324),
    (("latency_s", "per_sample_mean"), 1e308), (("latency_s", "per_sample_mean"), 0.0)])
def test_a_figure_beyond_all_numbers_is_not_known(relays, path, value):
    other = deepcopy(relays)
    within = other
    for key in path[:-1]:
        within = within[key]
    within[path[-1]] = value
    for builds in ([relays, other], [other, relays]):
        found = compare([build_of(str(k), figures) for k, figures in enumerate(builds)])
        numbers = [value for row in found["metrics"] for key in ("values", "changes")
                   for value in row[key] if value is not None]
        assert all(map(isfinite, numbers))
        for how in ("html", "md", "csv", "json"):
            assert rendered_comparison(found, how)


@pytest.mark.parametrize(("arguments", "text"), [
    (("accuracy", "", 0.97), "97.00 %"), (("energy_j", "J", 1.5e-6), "1.5 µJ"),
    (("spikes", "", 1340743.2), "1,340,743"), (("spikes", "", 12.34567), "12.3457"),
    (("footprint_bytes", "B", 2048), "2.0 KiB"), (("energy_j", "J", None), "not known"),
    (("energy_j", "J", 0.9999), "1 J"), (("energy_j", "J", 12345.0), "12.3 kJ")])
def test_a_metric_in_words(arguments, text):
    assert metric_text(*arguments) == text


@pytest.mark.parametrize(("metric", "values", "text"), [
    ("energy_j", [1.0, 1.0], "same"), ("hops", [0, 0], "same"), ("hops", [0, 3], ""),
    ("energy_j", [1.0, 1.0004], "below 0.1 %"), ("energy_j", [1.0, 0.9996], "below 0.1 %"),
    ("energy_j", [1.0, 1.0006], "+0.1 %"), ("energy_j", [1.0, 13.0], "+1,200.0 %"),
    ("accuracy", [0.9, 0.90004], "below 0.01 points"), ("accuracy", [0.9, 0.89], "-1.00 points"),
    ("energy_j", [None, 1.0], ""), ("energy_j", [None, None], "")])
def test_a_change_in_words_has_no_sign_where_there_is_none(metric, values, text):
    row = {"metric": metric, "unit": "", "values": values,
           "changes": [change(metric, value, values[0]) for value in values]}
    assert change_text(row, 1) == text
    assert cell_text(row, 0) == metric_text(metric, "", values[0])


def test_builds_whose_figures_are_as_sure_share_a_row():
    def build(name, guesses):
        return {"name": name, "estimates": {"figures": [
            ["spikes", "counted", []], ["energy", "counts", guesses]]}}
    found = {"builds": [build("a", ["x"]), build("b", []), build("c", ["x"])]}
    assert sure_rows(found) == [
        ("all", "spikes", "counted", []), ("a, c", "energy", "counts", ["x"]),
        ("b", "energy", "counts", [])]


def test_what_a_gate_judged_of_a_change_from_nothing(relays):
    other = deepcopy(relays)
    for layer in relays["layers"]:
        layer["hops"] = 0
    builds = [build_of("a", relays), build_of("b", other), build_of("c", relays)]
    (gate,) = compare(builds, [parse_gate("hops<+5%")])["gates"]
    assert [judged_text(gate, place) for place in range(3)] == [
        "0, held against", "up from nothing, broken", "same, kept"]
