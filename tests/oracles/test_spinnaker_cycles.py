"""The times of spinnaker1 are what sPyNNaker's own program executes for each thing.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_networks import on_core, random_core

from nmcompile.target import load_target

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_cycles.py"
CYCLE_S = 1 / 200e6
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


def cycles(constant):
    """Cycles of 200 MHz that a constant in seconds stands for."""
    return np.rint(np.array(constant.value) / CYCLE_S).astype(int).tolist()


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    networks = [n for n in map(random_core, range(8)) if not n.neuron.conductance]
    return on_core(PYTHON, networks, tmp_path_factory.mktemp("counts"), script=SCRIPT)


def test_a_row_and_its_synapses(counted):
    target = load_target("spinnaker1")
    synapses, instructions = counted["rows"].T
    row, each = cycles(target.timer_loop.row), cycles(target.time_s.synaptic_event)
    assert instructions.tolist() == (row + each * synapses).tolist()


def test_finding_the_next_row(counted):
    loop = load_target("spinnaker1").timer_loop
    (lookup, halving), transfer = cycles(loop.lookup), cycles(loop.transfer)
    more = (counted["nexts"] - counted["rows"])[1:, 1]  # the first finds the longest queue so far
    assert set(more.tolist()) == {lookup + halving + transfer}
    assert counted["misses"].tolist() == [lookup + halving]
    entries, sought, instructions = counted["lookups"].T
    for n in np.unique(entries):
        table = np.arange(n)
        for place, found in zip(sought[entries == n], instructions[entries == n], strict=True):
            low, high, steps = 0, len(table), 1
            while (low + high) // 2 != place:
                middle, steps = (low + high) // 2, steps + 1
                low, high = (middle + 1, high) if middle < place else (low, middle)
            assert found == 88 + (steps - 1) * halving


def test_a_packet_and_the_beginning_of_fetching(counted):
    loop = load_target("spinnaker1").timer_loop
    busy, idle = counted["received"].tolist()
    found = sum(cycles(loop.lookup)) + cycles(loop.transfer)
    assert busy == cycles(loop.receive)
    assert counted["starts"][0] - found + idle - busy == cycles(loop.start)


def test_a_packet_in_all(counted):
    target = load_target("spinnaker1")
    loop = target.timer_loop
    parts = [loop.receive, loop.transfer, loop.row]
    assert cycles(target.time_s.packet_in) == (
        sum(map(cycles, parts)) + sum(cycles(loop.lookup)))


def test_a_neuron_and_its_entries_of_the_ring_buffer(counted):
    neurons, spikes, instructions = counted["update"].T
    _, filled, taken = counted["transfer"].T
    each = np.linalg.lstsq(
        np.stack([np.ones(len(neurons)), neurons, spikes], axis=1), instructions)[0][1]
    entries = counted["transfer"][:, 0]
    ring, more = np.linalg.lstsq(
        np.stack([entries, filled, np.ones(len(filled))], axis=1), taken)[0][:2]
    wanted = cycles(load_target("spinnaker1").time_s.neuron_update)
    assert each + 2 * ring == pytest.approx(wanted, rel=0.02)
    assert more == pytest.approx(13.5, abs=0.5)
