"""A sample's steps as Trace Event JSON that timeline viewers read."""

import json
from collections import defaultdict

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.report import timeline
from nmcompile.simulator import simulate, steps_of


@pytest.fixture(scope="module")
def sample():
    made = program(relayed(1), cut=2)
    sent = payloads(made.network, 15, np.random.default_rng(0), samples=2)
    return made, sent, steps_of(made, sent)


def require_trace(events):
    """What the Trace Event Format (Google, 2016) asks of complete, counter and metadata events."""
    ends = defaultdict(float)
    for event in events:
        assert event["ph"] in ("X", "C", "M")
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
            continue
        assert event["ts"] >= 0
        if event["ph"] == "C":
            assert event["args"]
            assert all(isinstance(value, int) for value in event["args"].values())
            continue
        track = event["pid"], event["tid"]
        assert event["dur"] >= 0
        assert event["ts"] >= ends[track] - 2e-6  # spans of a thread follow each other
        ends[track] = event["ts"] + event["dur"]


def test_a_trace_keeps_the_rules_of_its_format_and_is_json(sample):
    made, _, steps = sample
    trace, left_out = timeline(made, steps)
    assert left_out == trace["otherData"]["left_out"] == ""
    require_trace(json.loads(json.dumps(trace, allow_nan=False))["traceEvents"])


def test_steps_cores_and_spikes_are_those_of_the_run(sample):
    made, sent, steps = sample
    run = simulate(made, {"in": sent["in"][:1]}, record=("spikes",))
    events = timeline(made, steps)[0]["traceEvents"]
    lasted = [event["dur"] * 1e-6 for event in events if event["ph"] == "X" and event["tid"] == 0]
    np.testing.assert_allclose(lasted, run.step_s[0], atol=1e-12)
    busy = sum(event["dur"] for event in events if event["ph"] == "X" and event["tid"]) * 1e-6
    assert busy == pytest.approx(run.counts.busy_s.sum(), rel=1e-6)
    spikes = defaultdict(int)
    for event in events:
        if event["ph"] == "C":
            spikes[event["name"]] += event["args"]["spikes"]
    assert spikes["spikes inputs"] == run.counts.spikes[-1]
    population = made.mapping.slices.population
    for number, each in enumerate(made.network.populations):
        assert spikes[f"spikes {each.name}"] == run.counts.spikes[:-1][population == number].sum()
    names = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert len(names) == 1 + len(np.unique(made.mapping.slices.core))


def test_a_large_trace_leaves_out_what_works_least_and_comes_last_and_says_so(sample, monkeypatch):
    made, _, steps = sample
    cores = len(np.unique(made.mapping.slices.core))
    monkeypatch.setattr("nmcompile.report.trace_events.MOST_CORES", 2)
    monkeypatch.setattr("nmcompile.report.trace_events.MOST_EVENTS", 50)
    trace, left_out = timeline(made, steps)
    assert left_out == f"the last {len(steps) - 5} steps and {cores - 2} less busy cores"
    require_trace(trace["traceEvents"])
    assert sum(event["ph"] != "M" for event in trace["traceEvents"]) <= 50
