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
from nmcompile.comparison import METRICS, compare, parse_gate
from nmcompile.errors import NmcError
from nmcompile.report.compared_formats import metric_text, rendered_comparison


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


def test_the_cause_of_another_latency_is_its_steps_and_how_long_they_are(found):
    (causes,) = found["causes"]
    assert [cause for cause in causes if cause.startswith("latency +")]


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
