"""What a user of a library writes goes in: the torch model's spikes exactly, its states to 1e-5.

tools/conformance.py prints these rows and their results into docs/frontends.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.conformance import Row
from helpers.conformance.parameters import rows
from helpers.conformance.rows import with_lively_weights

from nmcompile.checks import compare
from nmcompile.frontends.interface import Request
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import run

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries


@pytest.mark.parametrize("row", rows())
def test_the_network_gives_the_model_s_spikes_and_states(row: Row) -> None:
    torch.manual_seed(2)
    model = with_lively_weights(row)
    steps = (row.steps,) if row.steps else ()
    sample = np.random.default_rng(0).random((4, *steps, *row.shape)) < 0.4
    traced = FRONTEND.load(Request(model=model, sample=sample.astype(np.float32)))
    found = run(traced.network, traced.inputs).records
    assert len(traced.network.populations) >= len(traced.expected) > 0
    for name, expected in traced.expected.items():
        neuron = traced.network.population(name).neuron
        assert "v" in expected or not np.any(getattr(neuron, "decay", 0)), name
        if neuron.graded:
            assert np.count_nonzero(expected["spikes"]) > 5, name
        elif neuron.spiking:
            assert expected["spikes"].shape[1] >= 50
            assert expected["spikes"].sum() > 20, name
            assert np.mean(expected["spikes"] > 0) < 0.95, name
    difference = compare(traced.network, traced.expected, found)
    assert difference.differing == 0
    assert difference.error <= 1e-5 * max(1.0, difference.largest)
