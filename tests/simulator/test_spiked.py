"""As a run goes on it tells how many spikes each input and population sent."""

import numpy as np
import pytest
from helpers.loihi_programs import payloads, program, relayed

from nmcompile.simulator import Exit, Modes, simulate

STEPS, SAMPLES = 25, 6


@pytest.fixture(scope="module")
def made():
    return program(relayed(2), cut=2)


@pytest.mark.parametrize("exit_at", [None, Exit(confidence=0.6, scale=2.0)])
def test_the_spikes_that_are_told_are_those_that_are_counted_in_the_end(made, exit_at):
    told = []
    sent = payloads(made.network, STEPS, np.random.default_rng(0), samples=SAMPLES)
    run = simulate(made, sent, modes=Modes(exit_at=exit_at, spiked=told.append))
    spikes, slices = np.sum(told, axis=0), made.mapping.slices
    assert spikes[0] == run.counts.spikes[-1] > 0
    counted = np.bincount(slices.population, weights=run.counts.spikes[:-1])
    np.testing.assert_array_equal(spikes[len(made.network.inputs):], counted)
