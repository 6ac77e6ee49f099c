"""Shifts, weights, delays and parameters are the words that sPyNNaker would load onto a board.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from nmcompile_backends.spinnaker.accum import encode
from nmcompile_backends.spinnaker.ring import slots
from nmcompile_backends.spinnaker.weights import incoming, quantise, ring_buffer_shift

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_board.py"
N_SOURCES = 25
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


def synapses(rng: np.random.Generator, n: int, dt_ms: float, conductance: bool) -> np.ndarray:
    """Source, target, weight, delay in ms, type and projection; weights of any distribution."""
    parts, longest = [], int(rng.integers(1, 17))
    for kind, sign in ((0, 1), (1, -1)):
        size = 10.0 ** rng.uniform(-3, 1) / (1000 if conductance else 1)
        for projection in range(int(rng.integers(1, 4))):
            chosen = np.argwhere(rng.random((N_SOURCES, n)) < rng.uniform(0.1, 0.9))
            weight = rng.choice([rng.uniform(0, size, len(chosen)), np.full(len(chosen), size),
                                 rng.exponential(size, len(chosen))])
            steps = rng.integers(1, longest + 1, len(chosen))
            delay = np.where(rng.random() < 0.3, longest, steps) * dt_ms
            parts.append(np.column_stack([
                chosen, sign * weight, delay, np.full((len(chosen), 2), (kind, projection))]))
    return np.concatenate(parts)


def mapped(data: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    np.savez(folder / "projections.npz", **data)
    subprocess.run([PYTHON, SCRIPT, "projections.npz", "loaded.npz"], cwd=folder, check=True,
                   timeout=300, capture_output=True, env={**os.environ, "HOME": str(folder)})
    with np.load(folder / "loaded.npz") as results:
        return dict(results)


@pytest.mark.parametrize("dt_ms", [1.0, 0.5])
def test_24_populations_get_spynnakers_shifts_and_synaptic_words(
    tmp_path: Path, dt_ms: float
) -> None:
    rng, shapes = np.random.default_rng(int(10 * dt_ms)), []
    reals = np.round(rng.normal(0, 100, 400), rng.integers(0, 9))
    data = {"dt_ms": dt_ms, "sources": N_SOURCES, "count": 24, "reals": reals}
    for i in range(24):
        shapes.append((int(rng.integers(2, 200)), bool(i % 2)))
        data |= {f"neurons{i}": shapes[i][0], f"conductance{i}": i % 2,
                 f"synapses{i}": synapses(rng, shapes[i][0], dt_ms, bool(i % 2))}
    found, shifts = mapped(data, tmp_path), set()
    np.testing.assert_array_equal(found["words"], encode(reals, "reals"))
    for i, (n, conductance) in enumerate(shapes):
        table, head = data[f"synapses{i}"], found[f"head{i}"]
        assert 1 << int(head[4]) == slots(n, int(np.rint(table[:, 3].max() / dt_ms)))
        wanted = []
        for kind in (0, 1):
            mine = table[table[:, 4] == kind]
            each = [mine[mine[:, 5] == number] for number in np.unique(mine[:, 5])]
            shift = ring_buffer_shift(
                [incoming(p[:, 2], p[:, 1].astype(int), p[:, 3]) for p in each],
                dt_ms=dt_ms, conductance=conductance)
            assert shift == head[7 + kind], (i, kind)
            shifts.add(shift)
            wanted += listed(mine, quantise(str(i), mine[:, 2], shift, conductance=conductance),
                             dt_ms, int(head[2]))
        assert sorted(map(tuple, found[f"synapses{i}"].tolist())) == sorted(wanted), i
    assert len(shifts) > 4


def listed(table: np.ndarray, size: np.ndarray, dt_ms: float, index_bits: int) -> list:
    """Sources and synaptic words of synapses whose magnitudes are `size`."""
    source, target, _, delay, kind, _ = np.rint(table / [1, 1, 1, dt_ms, 1, 1]).T.astype(np.uint32)
    words = (size.astype(np.uint32) << 16 | delay << (index_bits + 1) | kind << index_bits | target)
    return list(zip(source.tolist(), words.tolist(), strict=True))
