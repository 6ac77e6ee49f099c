"""Chips that do not wait for their cores: the report says what came too late."""

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.mapping import Costs
from nmcompile.report import run_figures
from nmcompile.simulator import Exit, Modes, simulate
from nmcompile.simulator.run import STATES

TICK_S = 1e-3


class EveryThird:
    """A model of time whose cores are not done in every third step of each sample."""

    name = "every third"

    def __init__(self, slices):
        self._n = slices

    def begin(self, samples):
        self._steps = 0
        self._samples = samples

    def keep(self, rows):
        self._samples = len(rows)

    def add(self, frames):
        assert frames.samples == self._samples
        step = self._steps + np.arange(len(frames)) // frames.samples
        self._steps += frames.steps
        overran, none = (step % 3 == 0).astype(np.int64), np.zeros(self._n, np.int64)
        rows = none.copy()
        rows[0] = overran.sum()
        return Costs(
            step_s=np.full(len(frames), TICK_S), spikes=np.zeros(self._n + 1, np.int64),
            packets_out=np.zeros(self._n + 1, np.int64), hops=np.zeros((self._n + 1, 3), np.int64),
            events=none, packets_in=none, busy_s=np.zeros(self._n), overran=overran,
            late={"rows": rows, "packets": none})


@pytest.mark.parametrize("exit_at", [None, Exit(confidence=0.5)])
@pytest.mark.parametrize("block", [4, 128])
def test_overruns_and_what_was_late_are_those_of_steps_that_samples_ran(
        monkeypatch, exit_at, block):
    monkeypatch.setattr("nmcompile.simulator.engine.BLOCK", block)
    made = program(relayed(2), cut=2)
    sent = payloads(made.network, 25, np.random.default_rng(0), samples=5)
    run = simulate(made, sent, timing=EveryThird(len(made.mapping.slices)),
                   modes=Modes(exit_at=exit_at))
    expected = sum(-(-int(ran) // 3) for ran in run.ran)
    figures = run_figures({"layers": []}, made, run, None)
    assert figures["timing"] == "every third"
    assert figures["latency_s"]["overruns"] == expected
    assert figures["late"] == {"rows": expected, "packets": 0}
    assert figures["latency_s"]["per_sample_mean"] == pytest.approx(TICK_S * run.ran.mean())


def test_a_model_of_time_that_keeps_much_gets_fewer_samples_at_once():
    begun = []

    class Keeps(EveryThird):
        sample_bytes = STATES // 3

        def begin(self, samples):
            begun.append(samples)
            super().begin(samples)

    made = program(relayed(2), cut=2)
    sent = payloads(made.network, 4, np.random.default_rng(0), samples=5)
    both = [simulate(made, sent, timing=model(len(made.mapping.slices)))
            for model in (Keeps, EveryThird)]
    assert begun == [2, 2, 1]
    for name, values in both[0].scores.items():
        np.testing.assert_array_equal(values, both[1].scores[name])
