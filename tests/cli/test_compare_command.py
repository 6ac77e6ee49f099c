"""`nmc compare`: builds beside each other, where they differ, and bounds for CI."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.command import nmc
from nmcompile_examples import __file__ as examples

import nmcompile as api
from nmcompile.comparison import METRICS, parse_gate
from nmcompile.errors import NmcError
from nmcompile.report.compared import RUN, made_otherwise, width_note
from nmcompile.report.compared_causes import where_from
from nmcompile.report.units import si

TEST = examples.replace("__init__.py", "digits_test.npz")
MODEL = examples.replace("__init__.py", "digits.pt")


def _number(text):
    """The value of a number with a unit, as "+1,024" or "-3.1 nJ"."""
    number, _, unit = text.replace(",", "").partition(" ")
    return float(number) * {"": 1, "J": 1, "µJ": 1e-6, "nJ": 1e-9}[unit]


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """8 bits and 4 bits, both run on 40 digits; a third that was not."""
    folder = tmp_path_factory.mktemp("compare")
    with np.load(TEST) as data:
        np.savez(folder / "few.npz", x=data["x"][:40], y=data["y"][:40])
    made = {bits: api.compile(MODEL, target="loihi2", bits=bits) for bits in (None, "4")}
    for name, bits in (("wide", None), ("narrow", "4"), ("unrun", "4")):
        compiled = made[bits]
        build = api.write_build(compiled, folder / name, api.api.origin(Path(MODEL), bits=bits))
        if name != "unrun":
            api.simulate(build, api.read_data(folder / "few.npz"), save_figures=True)
    return folder


@pytest.fixture
def compare(capsys, monkeypatch, builds):
    def of(*names, options=()):
        return nmc(capsys, monkeypatch, "compare", *(builds / name for name in names), *options)
    return of


def test_every_metric_is_that_of_the_reports_and_changes_are_against_the_first(compare, builds):
    found = json.loads(compare("wide", "narrow", options=["--json"]).out)
    reports = [api.read_build(builds / name).figures for name in ("wide", "narrow")]
    rows = {row["metric"]: row for row in found["metrics"]}
    assert set(rows) == set(METRICS)
    assert rows["energy_j"]["values"] == [r["energy_per_sample_j"] for r in reports]
    assert rows["latency_s"]["values"] == [r["latency_s"]["per_sample_mean"] for r in reports]
    spikes = [sum(layer["spikes"] for layer in r["layers"]) / 40 for r in reports]
    assert rows["spikes"]["values"] == spikes
    assert rows["spikes"]["changes"] == [0.0, spikes[1] / spikes[0] - 1]
    assert rows["edp_js"]["values"][0] == pytest.approx(
        rows["power_w"]["values"][0] * rows["latency_s"]["values"][0] ** 2)


def test_the_causes_name_what_was_made_otherwise_and_add_up_to_the_difference(compare):
    found = json.loads(compare("wide", "narrow", options=["--json"]).out)
    (causes,) = found["causes"]
    assert "--bits none -> 4" in causes
    assert "bits of weights: lif1 8 -> 4, lif2 8 -> 4, lif3 8 -> 4" in causes
    for name in ("energy by layer", "spikes", "synaptic events"):
        (told,) = [cause for cause in causes if cause.startswith(f"{name} ")]
        whole, *parts = map(_number, re.findall(r"[+-][0-9.,]+(?: [µn]?J)?", told))
        assert sum(parts) == pytest.approx(whole, rel=0.02)
    assert json.loads(compare("wide", "wide", options=["--json"]).out)["causes"] == [[]]
    assert "nothing was made otherwise" in compare("wide", "wide").out


def test_a_build_with_a_report_of_format_1_stands_beside_one_of_format_2(compare, builds):
    old = shutil.copytree(builds / "wide", builds / "old")
    told = json.loads((old / "report.json").read_text("utf-8")) | {"format": 1}
    del told["model"], told["data"]
    steps = told["look"]["steps"]
    steps["spikes"]["inputs"] = steps.pop("inputs")
    (old / "report.json").write_text(json.dumps(told))
    found = json.loads(compare("wide", "old", options=["--json"]).out)
    assert [build["model"] for build in found["builds"]] == ["digits.pt", "digits.pt"]
    assert [build["data"] is None for build in found["builds"]] == [False, True]
    assert found["causes"] == [[]]


def run_of(**layers):
    """What `where_from` takes of a run of 8 samples: spikes of each layer, no costs."""
    return {"samples": 8, "energy_j": None, "latency_s": None, "layers": [
        {"name": name, "spikes": count, "synaptic_events": 0} for name, count in layers.items()]}


@pytest.mark.parametrize(("spikes", "said"), [
    (2, "spikes -0.25 a sample: hidden -0.25"), (2004, "spikes +250 a sample: hidden +250")])
def test_few_spikes_of_a_sample_are_told_in_parts_of_one(spikes, said):
    assert where_from(run_of(hidden=4), run_of(hidden=spikes)) == [said]


def test_what_the_named_parts_of_a_difference_leave_is_told():
    before = run_of(a=0, b=0, c=0, d=0, e=0)
    assert where_from(before, run_of(a=80, b=40, c=32, d=16, e=-8)) == [
        "spikes +20 a sample: a +10, b +5, c +4, others +1"]
    assert where_from(before, run_of(a=800, b=8, c=0, d=0, e=0)) == [
        "spikes +101 a sample: a +100, others +1"]


@pytest.mark.parametrize(("after", "steps", "said"), [
    ({"a": 4e-6, "b": 7e-6}, 10,
     "a step 10 µs -> 12 µs on average, of which the busiest part of b works 6 µs -> 7 µs"),
    ({"a": 1e-6, "b": 6e-6}, 10, "a step 10 µs -> 12 µs on average"),
    ({"other": 9e-6}, 20, "steps of the chip 10 -> 20, a step 10 µs -> 12 µs on average")])
def test_the_cause_of_another_latency_is_what_changed_of_it(after, steps, said):
    def timed(steps, each, work):
        return {"samples": 1, "energy_j": None, "layers": [
            {"name": name, "spikes": 0, "synaptic_events": 0, "latency_s": seconds}
            for name, seconds in work.items()],
            "latency_s": {"per_sample_mean": steps * each, "per_step_mean": each}}
    (told,) = where_from(timed(10, 10e-6, {"a": 4e-6, "b": 6e-6}), timed(steps, 12e-6, after))
    assert told.endswith(f" a sample: {said}")


def test_bits_that_all_layers_have_as_asked_are_told_once():
    def told(bits, *widths):
        return {"options": {"bits": bits}, "layers": [
            {"name": f"lif{k}", "weight_bits": width} for k, width in enumerate(widths)]}
    run = dict.fromkeys((*RUN, "cores", "chips")) | {"target": "loihi2"}
    assert made_otherwise((run, told("8", "8", "8")), (run, told("4", "4", "4"))) == [
        "--bits 8 -> 4"]
    assert made_otherwise((run, told("8", "8", "8")), (run, told("4", "4", "8"))) == [
        "--bits 8 -> 4", "bits of weights: lif0 8 -> 4"]


def test_what_widths_do_not_change_is_said_where_events_alone_are_counted():
    def run(bits, timing):
        return ({"latency_s": {}, "timing": timing},
                {"layers": [{"name": "lif", "weight_bits": bits}]})
    assert "only by the spikes" in width_note([run("8", "cycle"), run("4", "fast")])
    assert width_note([run("8", "cycle"), run("8", "fast")]) is None
    assert width_note([run("8", "cycle formula"), run("4", "cycle formula")]) is None


def test_the_same_samples_are_held_together_and_what_is_the_same_is_listed(compare, builds):
    wide, narrow = (api.read_build(builds / name).figures for name in ("wide", "narrow"))
    found = json.loads(compare("wide", "narrow", options=["--json"]).out)
    (decided,) = found["decided"]
    assert decided["won"] - decided["lost"] == round(
        40 * (narrow["accuracy"] - wide["accuracy"]))
    assert decided["otherwise"] == sum(
        a != b for a, b in zip(wide["decisions"]["decision"], narrow["decisions"]["decision"],
                               strict=True))
    same = dict(found["same"])
    assert same["target"] == "loihi2"
    assert same["model"] == f"digits.pt (SHA-256 {wide['model']['sha256'][:12]})"
    assert same["samples"] == "40"
    assert same["options of nmc compile"] == "all but --bits"
    assert "narrower weights save memory" in found["notes"]["widths"]
    assert "share its constants" in found["notes"]["constants"]
    alone = json.loads(compare("wide", "unrun", options=["--json"]).out)
    assert alone["decided"] == [None]
    assert "samples" not in dict(alone["same"])
    assert alone["notes"] == {"widths": None, "constants": None}


@pytest.mark.parametrize(("gate", "code"), [
    ("cores<=3", 0), ("cores<3", 1), ("accuracy>0.5", 0), ("energy_j<1e-9", 1),
    ("energy_j<+50%", 0), ("energy_j<-50%", 1), ("cores<=+0%", 0),
])
def test_a_gate_that_is_broken_ends_with_1(compare, gate, code):
    result = compare("wide", "narrow", options=["--gate", gate])
    assert result.code == code, result.err
    assert (f"gate {gate}: kept" in result.out) == (code == 0)


def test_a_gate_says_what_was_judged_of_each_build(compare, builds):
    first, other = (api.read_build(builds / name).figures["energy_per_sample_j"]
                    for name in ("wide", "narrow"))
    said = compare("wide", "narrow", options=["--gate", "energy_j<-50%"]).out
    name, narrow = builds / "wide", builds / "narrow"
    assert (f"  energy of a sample < -50 % against {name} (on estimates): "
            f"{name} {si(first, 'J')}, held against; "
            f"{narrow} {100 * (other / first - 1):+.4g} %, broken\n") in said
    (gate,) = json.loads(
        compare("wide", "narrow", options=["--gate", "energy_j<-50%", "--json"]).out)["gates"]
    assert gate["judged"] == [0.0, other / first - 1]
    assert gate["on_estimates"]


@pytest.mark.parametrize(("gate", "words"), [
    ("accuracy>=-1%", "-1 points"), ("accuracy>=0.97", "97 %"), ("energy_j<1e-3", "0.001 J"),
    ("cores<=3", "3"), ("hops<+5%", "+5 %")])
def test_the_bound_of_a_gate_has_its_unit(gate, words):
    assert parse_gate(gate).bound_words == words


def test_accuracy_changes_in_points(compare, builds):
    accuracy = [api.read_build(builds / name).figures["accuracy"] for name in ("wide", "narrow")]
    lost = accuracy[1] - accuracy[0]
    row = json.loads(compare("wide", "narrow", options=["--json"]).out)["metrics"][0]
    assert (row["metric"], row["changes"]) == ("accuracy", [0.0, lost])
    assert (f"({100 * lost:+.2f} points)" if lost else "(same)") in compare("wide", "narrow").out
    assert parse_gate("accuracy>=-2%").holds(0.48, 0.5)
    assert not parse_gate("accuracy>-2%").holds(0.48, 0.5 + 1e-9)


def test_a_relative_gate_leaves_out_the_build_that_it_is_relative_to():
    gate = parse_gate("energy_j < -5%")
    assert gate.holds(0.9, 1.0)
    assert not gate.holds(1.0, 1.0)
    assert not parse_gate("hops<+5%").holds(1.0, 0.0)
    assert parse_gate("hops<+5%").holds(0.0, 0.0)


@pytest.mark.parametrize(("text", "told"), [
    ("energy<1", "'energy' is not known"), ("energy_j", "no METRIC<VALUE"),
    ("energy_j=1", "no METRIC<VALUE"), ("energy_j<1.2.3", "is no number"),
    ("accuracy>97%", "Write it with its sign"), ("", "no METRIC<VALUE"),
])
def test_what_is_no_gate_is_told_before_anything_is_read(text, told):
    with pytest.raises(NmcError, match=told):
        parse_gate(text)


def test_what_is_not_known_of_a_build_is_told(compare):
    assert "not known" in compare("wide", "unrun").out
    for names, options, told in (
            (("wide",), (), "two builds or more"),
            (("wide", "nowhere"), (), "is not a folder"),
            (("wide", "unrun"), ("--gate", "energy_j<1"), "is not known. Run nmc simulate")):
        result = compare(*names, options=options)
        assert result.code == 2
        assert told in result.err


def test_the_model_and_the_data_are_in_the_report(builds, tmp_path, capsys, monkeypatch):
    folder = shutil.copytree(builds / "unrun", tmp_path / "build")
    told = nmc(capsys, monkeypatch, "simulate", folder, "--input", builds / "few.npz",
               "--seed", "3", "--json")
    figures = json.loads(told.out)
    assert figures["data"] == {
        "name": "few.npz", "encoding": None, "seed": 3,
        "sha256": api.read_data(builds / "few.npz").digest()}
    build = api.read_build(folder)
    assert build.figures["data"] == figures["data"]
    assert build.figures["model"] == {
        "name": "digits.pt", "sha256": hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()}


@pytest.mark.parametrize("how", ["html", "md", "csv", "json"])
def test_what_is_compared_is_written_as_the_name_says(compare, builds, how):
    path = builds / f"compared.{how}"
    result = compare("wide", "narrow", options=["-o", path, "--gate", "cores<=+0%"])
    assert (result.code, result.out) == (0, f"compare   {path}\n")
    if how != "html":
        printed = compare("wide", "narrow", options=["--format", how, "--gate", "cores<=+0%"]).out
        assert printed.encode() == path.read_bytes()
    else:
        assert path.read_text("utf-8").startswith("<!doctype html>")


def test_a_page_without_a_name_goes_to_the_first_folder_even_where_a_gate_is_broken(
        compare, builds):
    result = compare("wide", "narrow", options=["--format", "html", "--gate", "cores<1"])
    assert (result.code, result.out) == (1, f"compare   {builds / 'wide' / 'compare.html'}\n")
    assert (builds / "wide" / "compare.html").is_file()


@pytest.mark.parametrize(("options", "told"), [
    (("-o", "page.pdf"), "does not say by its name what it shall hold"),
    (("--format", "text", "-o", "page.md"), "is printed, not written"),
    (("--open", "--json"), "is both html and json"),
])
def test_a_format_that_cannot_be_is_told_before_anything_is_written(compare, options, told):
    result = compare("wide", "narrow", options=options)
    assert result.code == 2
    assert told in result.err


def test_no_file_of_a_build_is_written_over(compare, builds):
    for name in ("wide", "narrow"):
        before = (builds / name / "report.json").read_bytes()
        result = compare("wide", "narrow", options=["-o", builds / name / "report.json"])
        assert result.code == 2
        assert (builds / name / "report.json").read_bytes() == before


@pytest.mark.parametrize(("options", "told"), [
    ((), None), (("--encode", "rate"), "rate"), (("--gain", "0.5"), "direct, gain 0.5"),
    (("--encode", "latency", "--threshold", "0.2"), "latency, threshold 0.2")])
def test_the_report_says_how_values_were_sent(
        builds, tmp_path, capsys, monkeypatch, options, told):
    folder = shutil.copytree(builds / "unrun", tmp_path / "build")
    result = nmc(capsys, monkeypatch, "simulate", folder, "--input", builds / "few.npz",
                 *options, "--json")
    assert json.loads(result.out)["data"]["encoding"] == told
    assert api.read_build(folder).figures["data"]["encoding"] == told
