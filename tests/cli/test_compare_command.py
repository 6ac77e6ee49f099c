"""`nmc compare`: builds beside each other, where they differ, and bounds for CI."""

import json

import numpy as np
import pytest
from helpers.command import nmc
from nmcompile_examples import __file__ as examples

import nmcompile as api
from nmcompile.comparison import METRICS, parse_gate
from nmcompile.errors import NmcError

TEST = examples.replace("__init__.py", "digits_test.npz")
MODEL = examples.replace("__init__.py", "digits.pt")


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """8 bits and 4 bits, both run on 40 digits; a third that was not."""
    folder = tmp_path_factory.mktemp("compare")
    with np.load(TEST) as data:
        np.savez(folder / "few.npz", x=data["x"][:40], y=data["y"][:40])
    for name, bits in (("wide", None), ("narrow", "4"), ("unrun", "4")):
        compiled = api.compile(MODEL, target="loihi2", bits=bits)
        build = api.write_build(compiled, folder / name, {"options": {"bits": bits}})
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
    assert json.loads(compare("wide", "wide", options=["--json"]).out)["causes"] == [[]]
    assert "nothing was made otherwise" in compare("wide", "wide").out


@pytest.mark.parametrize(("gate", "code"), [
    ("cores<=3", 0), ("cores<3", 1), ("accuracy>0.5", 0), ("energy_j<1e-9", 1),
    ("energy_j<+50%", 0), ("energy_j<-50%", 1), ("cores<=+0%", 0),
])
def test_a_gate_that_is_broken_ends_with_1(compare, gate, code):
    result = compare("wide", "narrow", options=["--gate", gate])
    assert result.code == code, result.err
    assert (f"gate {gate}: kept" in result.out) == (code == 0)


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
