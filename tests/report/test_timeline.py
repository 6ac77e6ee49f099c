"""A sample's steps as Trace Event JSON that timeline viewers read."""

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.errors import Interrupted
from nmcompile.report import Timeline
from nmcompile.simulator import each_step, simulate


@pytest.fixture(scope="module")
def sample():
    made = program(relayed(1), cut=2)
    sent = payloads(made.network, 15, np.random.default_rng(0), samples=2)
    return made, sent, simulate(made, {"in": sent["in"][:1]}, record=("spikes",))


def traced(made, sent, run):
    """The trace of the first sample, what it leaves out, and how many steps were looked at."""
    shown, steps = Timeline(made, run.counts.busy_s), []

    def take(cost):
        steps.append(cost)
        return shown.add(cost)

    each_step(made, sent, take)
    return *shown.trace(int(run.ran[0])), len(steps)


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
    trace, left_out, steps = traced(*sample)
    assert steps == sample[2].ran[0]
    assert left_out == trace["otherData"]["left_out"] == ""
    require_trace(json.loads(json.dumps(trace, allow_nan=False))["traceEvents"])


def test_steps_cores_and_spikes_are_those_of_the_run(sample):
    made, sent, run = sample
    events = traced(made, sent, run)[0]["traceEvents"]
    lasted = [event["dur"] * 1e-6 for event in events if event["ph"] == "X" and event["tid"] == 0]
    np.testing.assert_allclose(lasted, run.step_s[0], atol=1e-12)
    busy = sum(event["dur"] for event in events if event["ph"] == "X" and event["tid"]) * 1e-6
    assert busy == pytest.approx(run.counts.busy_s.sum(), rel=1e-6)
    spikes = defaultdict(int)
    for event in events:
        if event["ph"] == "C":
            spikes[event["name"]] += event["args"]["spikes"]
    assert spikes["input spikes"] == run.counts.spikes[-1]
    population = made.mapping.slices.population
    for number, each in enumerate(made.network.populations):
        assert spikes[f"spikes {each.name}"] == run.counts.spikes[:-1][population == number].sum()
    names = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert len(names) == 1 + len(np.unique(made.mapping.slices.core))


def test_a_large_trace_leaves_out_what_works_least_and_comes_last_and_says_so(sample, monkeypatch):
    made, sent, run = sample
    cores = len(np.unique(made.mapping.slices.core))
    monkeypatch.setattr("nmcompile.report.trace_events.MOST_CORES", 2)
    monkeypatch.setattr("nmcompile.report.trace_events.MOST_EVENTS", 50)
    monkeypatch.setattr("nmcompile.simulator.engine.BLOCK", 3)
    trace, left_out, steps = traced(made, sent, run)
    assert steps == 5
    assert left_out == f"the last {run.ran[0] - 5} steps and {cores - 2} less busy cores"
    require_trace(trace["traceEvents"])
    assert sum(event["ph"] != "M" for event in trace["traceEvents"]) <= 50


def test_work_beyond_the_end_of_a_step_is_cut_and_told(sample):
    made, _, run = sample
    costs = []
    each_step(made, sample[1], lambda cost: costs.append(cost) or len(costs) < 4)
    shown = Timeline(made, run.counts.busy_s)
    lasts = np.array([1e-9])
    for cost in costs:
        shown.add(replace(cost, step_s=lasts, busy_s=cost.busy_s * 1000))
    trace, left_out = shown.trace(len(costs))
    require_trace(trace["traceEvents"])
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X" and event["tid"]]
    long = [span for span in spans if "args" in span]
    assert left_out == f"what goes beyond the end of its step in {len(long)} spans"
    worked = sum(span["dur"] + span.get("args", {}).get("beyond_us", 0) for span in spans)
    assert worked == pytest.approx(1e9 * sum(cost.busy_s.sum() for cost in costs), abs=1e-3)


def test_ctrl_c_in_the_timeline_says_so(sample):
    made, sent, run = sample

    def stop(cost):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=rf"of {run.ran[0]} steps of the first sample for the"):
        each_step(made, sent, stop)
