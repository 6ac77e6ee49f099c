"""Rows that come late are added as sPyNNaker's own program adds them.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from nmcompile_backends.spinnaker import core_arrays as arrays
from nmcompile_backends.spinnaker._core_kernels import add_row

from nmcompile.target import load_target

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_late.py"
CYCLE_S = 1 / 200e6
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]
CORES = 60


class Rows:
    """Rows of a core, each with one delay, and the ticks and colours with which they come."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.n, self.slots = int(rng.integers(2, 40)), int(2 ** rng.integers(1, 6))
        self.delay = rng.integers(1, self.slots + 1, 12)
        counts = rng.integers(1, self.n, 12)
        self.start = np.concatenate([[0], np.cumsum(counts)])
        total = self.start[-1]
        self.kind, self.target = rng.integers(0, 2, total), rng.integers(0, self.n, total)
        self.weight = rng.integers(1, 0x7000, total)
        self.mask = int(rng.choice([1, 3, 15]))
        late = rng.integers(0, 20, 60)
        tick = np.sort(rng.integers(20, 200, 60))
        self.calls = np.stack([rng.integers(0, 12, 60), tick, tick - late], axis=1)

    @property
    def bits(self) -> tuple[int, int]:
        return max(1, int(np.ceil(np.log2(self.n)))), int(np.log2(self.slots))

    def words(self) -> np.ndarray:
        """The rows in the core's words."""
        index, _ = self.bits
        delay = np.repeat(self.delay, np.diff(self.start)) & (self.slots - 1)
        return (self.weight << 16 | delay << (index + 1) | self.kind << index
                | self.target).astype(np.uint32)

    def ring(self) -> tuple[np.ndarray, int]:
        """(slots, 2, n) what `add_row` leaves in ring buffers; synapses left out."""
        core = np.zeros((1, arrays.DELTA + 1), np.int64)
        core[0, [arrays.SIZE, arrays.SLOTS]] = self.n, self.slots
        nothing = np.zeros(0, np.int64)
        machine = arrays.Machine(**dict.fromkeys(arrays.Machine._fields, nothing) | {
            "colours": np.int64(self.mask + 1), "cores": core,
            "axon_delay": self.delay & (self.slots - 1), "axon_synapses": np.diff(self.start),
            "row_start": self.start, "row_entry": (self.kind * self.n + self.target).astype(
                np.uint16), "row_weight": self.weight.astype(np.uint16)})
        ring, state = np.zeros(2 * self.n * self.slots, np.uint16), np.zeros(
            (1, arrays.N_STATE), np.int64)
        sample = arrays.Sample(**dict.fromkeys(arrays.Sample._fields, nothing) | {
            "state": state, "ring": ring})
        counts = np.zeros((1, arrays.N_COUNTS), np.int64)
        for row, tick, sent in self.calls.tolist():
            state[0, [arrays.LOADED, arrays.CLOCK, arrays.LOADED_COLOUR]] = row, tick, sent
            add_row(0, machine, sample, counts)
        return ring.reshape(self.slots, 2, self.n), int(counts[0, arrays.SKIPPED])


@pytest.fixture(scope="module")
def cores() -> list[Rows]:
    return [Rows(seed) for seed in range(CORES)]


@pytest.fixture(scope="module")
def found(cores, tmp_path_factory) -> dict[str, np.ndarray]:
    folder, data = tmp_path_factory.mktemp("late"), {"count": CORES}
    for i, core in enumerate(cores):
        row, tick, sent = core.calls.T
        calls = np.stack([row, tick, sent & core.mask, np.full(60, core.mask)], axis=1)
        data |= {f"bits{i}": np.array(core.bits), f"start{i}": core.start,
                 f"words{i}": core.words(), f"calls{i}": calls}
    np.savez(folder / "rows.npz", **data)
    subprocess.run([PYTHON, SCRIPT, "rows.npz", "results.npz"], cwd=folder, check=True, timeout=300)
    with np.load(folder / "results.npz") as results:
        return dict(results)


def test_late_rows_leave_the_same_sums(cores, found):
    left_out = saturated = 0
    for i, core in enumerate(cores):
        ring, skipped = core.ring()
        np.testing.assert_array_equal(ring, found[f"ring{i}"][:, :, : core.n])
        left_out, saturated = left_out + skipped, saturated + np.count_nonzero(ring == 0xFFFF)
    assert left_out > 1000
    assert saturated > 100


def test_a_spikes_colour_is_the_number_of_updates_before_it(found):
    for mask, colours in zip((1, 3, 15), found["colours"], strict=True):
        assert colours.tolist() == [update & mask for update in range(40)]


def test_a_synapse_that_is_left_out_takes_what_the_target_says(found):
    target = load_target("spinnaker1")
    synapses, added, left_out = found["skipped"].T
    each, skip = (round(constant.value / CYCLE_S) for constant in (
        target.time_s.synaptic_event, target.timer_loop.skipped))
    assert (added - each * synapses).tolist() == (left_out - skip * synapses).tolist()
    assert len(set(left_out - skip * synapses)) == 1
