"""sPyNNaker's own program finds in our master population tables the row that each spike is for.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_compiled import compiled, convolving_network, mixed_network
from helpers.spinnaker_images import MATRIX, TABLE, Ours, synapses

from nmcompile.registry import backend

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_lookup.py"
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


@pytest.mark.parametrize("network", [mixed_network, convolving_network])
def test_the_program_fetches_the_row_of_each_neuron_whatever_its_colour(
    tmp_path: Path, network
) -> None:
    program, rng = compiled(network(0), 0), np.random.default_rng(0)
    backend("spinnaker").emit(program, tmp_path)
    ours = Ours(tmp_path)
    labels = [label for label in ours.regions if TABLE in ours.regions[label]]
    sizes = {core["label"]: len(core["neurons"]) for core in ours.plan["cores"]
             if "neurons" in core}
    sizes |= {label: int(np.diff([int(x) for x in label[3:-1].split(":")])[0])
              for label in ours.keys.keys() - sizes.keys()}
    sent = [(label, i) for label, n in sizes.items() for i in rng.permutation(n)[:25].tolist()]
    colour = rng.integers(0, 16, len(sent))
    spikes = np.array([ours.keys[label][0] + (i << ours.keys[label][2]) for label, i in sent])
    data = {"count": len(labels)}
    for i, label in enumerate(labels):
        data |= {f"table{i}": np.frombuffer(ours.regions[label][TABLE], "<u4"),
                 f"matrix{i}": np.frombuffer(ours.regions[label][MATRIX], "<u4"),
                 f"spikes{i}": spikes + colour}
    np.savez(tmp_path / "tables.npz", **data)
    subprocess.run([PYTHON, SCRIPT, "tables.npz", "found.npz"], cwd=tmp_path, check=True,
                   timeout=120)
    fetched = 0
    with np.load(tmp_path / "found.npz") as results:
        for i, label in enumerate(labels):
            wanted: dict = {}
            for sender, neuron, word in synapses(ours, label, sizes):
                wanted.setdefault((sender, neuron), []).append(word)
            senders = {sender for sender, _ in wanted}
            for (told, at, n_bytes), source in zip(results[f"found{i}"], sent, strict=True):
                assert bool(told) == (source[0] in senders), (label, source)
                if told:
                    row = data[f"matrix{i}"][at // 4 : (at + n_bytes) // 4].tolist()
                    assert sorted(row[3 : 3 + row[1]]) == wanted.get(source, []), (label, source)
                    fetched += 1
    assert fetched > 200
