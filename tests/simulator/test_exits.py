"""A sample stops in the step in which its output is decided, and costs nothing afterwards."""

from dataclasses import fields

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.report import decisions
from nmcompile.report.exits import exit_figures
from nmcompile.simulator import Counts, Exit, Modes, simulate

STEPS, SAMPLES = 25, 6
EXIT = Exit(confidence=0.6, scale=2.0)


@pytest.fixture(scope="module")
def made():
    return program(relayed(2), cut=2)


@pytest.fixture(scope="module")
def sent(made):
    return payloads(made.network, STEPS, np.random.default_rng(0), samples=SAMPLES)


@pytest.fixture(scope="module")
def whole(made, sent):
    return simulate(made, sent, record=("*",))


@pytest.fixture(scope="module")
def stopped(made, sent):
    return simulate(made, sent, record=("*",), modes=Modes(exit_at=EXIT))


@pytest.fixture(scope="module")
def expected(whole):
    """Steps until softmax of the spikes counted so far, over the scale, reaches the confidence."""
    counted = np.exp(np.cumsum(whole.records["out"]["spikes"], axis=1) / EXIT.scale)
    sure = counted.max(axis=2) / counted.sum(axis=2)
    reached = sure >= EXIT.confidence
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, STEPS), sure


def test_samples_stop_at_the_first_step_of_enough_confidence(stopped, expected):
    steps, sure = expected
    assert len(set(steps)) > 2
    np.testing.assert_array_equal(stopped.exits.steps, steps)
    for sample, end in enumerate(steps):
        np.testing.assert_allclose(
            stopped.exits.confidence[sample, :end], sure[sample, :end], rtol=1e-6)
        assert (stopped.exits.confidence[sample, end:] == 0).all()
        assert (stopped.exits.decided[sample, end:] == -1).all()


def test_until_then_a_sample_runs_as_it_would_have(whole, stopped, expected, made):
    for sample, end in enumerate(expected[0]):
        lag = made.latency["out"]
        assert stopped.ran[sample] == (end + lag if end < STEPS else whole.step_s.shape[1])
        ran = stopped.ran[sample]
        np.testing.assert_allclose(stopped.step_s[sample, :ran], whole.step_s[sample, :ran])
        assert (stopped.step_s[sample, ran:] == 0).all()
        spikes = stopped.records["out"]["spikes"][sample]
        np.testing.assert_array_equal(spikes[:end], whole.records["out"]["spikes"][sample, :end])
        assert (spikes[end:] == 0).all()
        np.testing.assert_array_equal(stopped.scores["out"][sample], spikes.sum(axis=0))


def test_counts_are_those_of_the_samples_one_by_one(made, sent, stopped):
    alone = [simulate(made, {"in": sent["in"][i : i + 1]}, modes=Modes(exit_at=EXIT))
             for i in range(SAMPLES)]
    for field in fields(Counts):
        np.testing.assert_allclose(
            getattr(stopped.counts, field.name),
            sum(getattr(run.counts, field.name) for run in alone))
    assert stopped.frames == sum(run.frames for run in alone) < SAMPLES * stopped.step_s.shape[1]


@pytest.mark.parametrize("block", [1, 7])
def test_when_samples_stop_does_not_depend_on_how_the_engine_cuts_the_steps(
        made, sent, stopped, monkeypatch, block):
    monkeypatch.setattr("nmcompile.simulator.engine.BLOCK", block)
    monkeypatch.setattr("nmcompile.simulator.run.BATCH", 4)
    run = simulate(made, sent, record=("*",), modes=Modes(exit_at=EXIT))
    np.testing.assert_array_equal(run.exits.steps, stopped.exits.steps)
    np.testing.assert_array_equal(run.step_s, stopped.step_s)
    np.testing.assert_array_equal(run.counts.events, stopped.counts.events)
    for name, variables in stopped.records.items():
        for variable, values in variables.items():
            np.testing.assert_array_equal(values, run.records[name][variable])


def test_progress_reaches_the_end_where_samples_stop_early(made, sent):
    done = []
    simulate(made, sent, modes=Modes(exit_at=EXIT), progress=done.append)
    assert sum(done) == SAMPLES * (STEPS + max(made.latency.values()))


def test_the_curve_has_what_lower_confidences_would_have_given(made, sent, stopped):
    labels = decisions(stopped).copy()
    labels[0] += 1
    figures = exit_figures(stopped, labels)
    assert [point["confidence"] for point in figures["curve"]] == [0.5, 0.6]
    for point in figures["curve"]:
        exit_at = Exit(confidence=point["confidence"], scale=EXIT.scale)
        run = simulate(made, sent, modes=Modes(exit_at=exit_at))
        assert point["steps_mean"] == run.exits.steps.mean()
        assert point["latency_mean_s"] == pytest.approx(run.step_s.sum(axis=1).mean())
        assert point["accuracy"] == pytest.approx((decisions(run) == labels).mean())
    assert figures["curve"][-1]["accuracy"] == pytest.approx(1 - 1 / SAMPLES)
    assert exit_figures(stopped, None)["curve"][0]["accuracy"] is None


@pytest.mark.parametrize("sample", range(SAMPLES))
def test_a_threshold_that_a_32_bit_float_would_round_to_is_not_reached(made, sent, sample):
    """The curve's row of the threshold that was asked for is the run, to the last bit."""
    one = {"in": sent["in"][sample : sample + 1]}
    sure = simulate(made, one, modes=Modes(exit_at=Exit(confidence=1.0, scale=2.0)))
    seen = sure.exits.confidence[0, STEPS // 2]
    exits = []
    for asked in (seen, np.nextafter(seen, 1.0)):
        run = simulate(made, one, modes=Modes(exit_at=Exit(confidence=float(asked), scale=2.0)))
        reached = np.append(sure.exits.confidence[0, : STEPS - 1] >= asked, True)
        assert run.exits.steps[0] == reached.argmax() + 1
        row = exit_figures(run, decisions(run))["curve"][-1]
        assert row["steps_mean"] == run.exits.steps.mean()
        assert row["latency_mean_s"] == pytest.approx(run.step_s.sum(axis=1).mean(), rel=1e-12)
        assert row["accuracy"] == 1.0
        exits.append(run.exits.steps[0])
    assert exits[0] <= min(exits[1], STEPS // 2 + 1)
