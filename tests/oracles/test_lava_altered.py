"""lava-nc does not run the same where one bit of the script or of its arrays is another.

NMC_LAVA_PYTHON names the interpreter that `tools/oracles/make_env.py lava DIR` made.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.loihi_programs import payloads
from helpers.random_loihi import calm, random_network
from nmcompile_backends.loihi.lava_script import write_lava

PYTHON = os.environ.get("NMC_LAVA_PYTHON")
STEPPER = Path(__file__).parents[2] / "tools" / "oracles" / "lava_step.py"
STEPS, SEEDS = 20, range(6)
ARRAYS = ("weights", "kernel", "u", "v", "bias", "vth")
NUMBERS = re.compile(r"\b(du|dv|vth|weight_exp|delay|refractory|start|bias)=(\d+)[,)]")
pytestmark = [
    pytest.mark.lava,
    pytest.mark.skipif(PYTHON is None, reason="NMC_LAVA_PYTHON names no Python with lava-nc"),
]


def written(folder: Path, seed: int) -> Path:
    folder.mkdir()
    net = calm(random_network(seed))
    write_lava(net, folder)
    rows = payloads(net, STEPS, np.random.default_rng(seed))
    np.save(folder / "input.npy", rows["in"])
    return folder


def altered(whole: Path, seed: int, rng: np.random.Generator) -> Iterator[tuple[str, Path]]:
    """The program of `seed` with one bit turned at some place of each kind, one after the other."""
    arrays = dict(np.load(whole / "arrays.npz"))
    for key, values in arrays.items():
        kind = key.split("_", 1)[1]
        if kind in ARRAYS and values.size:
            changed = values.copy()
            filled = np.flatnonzero(changed.reshape(-1)) if changed.any() else np.arange(1)
            changed.reshape(-1)[int(rng.choice(filled))] ^= 1 << 5
            folder = written(whole.parent / f"{seed}-{key}", seed)
            np.savez(folder / "arrays.npz", **arrays | {key: changed})
            yield kind, folder
    script = (whole / "lava_model.py").read_text()
    found = [m for m in NUMBERS.finditer(script) if m.start() > script.index("def build")]
    for number in rng.choice(len(found), min(len(found), 8), replace=False).tolist():
        match = found[number]
        bit = 1 << {"du": 5, "dv": 5, "bias": 5, "vth": 8}.get(match[1], 0)
        text = str(int(match[2]) ^ bit)
        folder = written(whole.parent / f"{seed}-script{number}", seed)
        (folder / "lava_model.py").write_text(
            script[: match.start(2)] + text + script[match.end(2):])
        yield match[1], folder


def test_one_altered_bit_of_the_arrays_or_the_script_is_another_run(tmp_path: Path) -> None:
    rng, folders = np.random.default_rng(0), []
    for seed in SEEDS:
        whole = written(tmp_path / str(seed), seed)
        folders += [(whole, kind, folder) for kind, folder in altered(whole, seed, rng)]
    every = list(dict.fromkeys([f for whole, _, folder in folders for f in (whole, folder)]))
    subprocess.run([PYTHON, str(STEPPER), *map(str, every)], check=True, timeout=300)
    tried, seen = Counter[str](), Counter[str]()
    for whole, kind, folder in folders:
        before, after = (dict(np.load(f / "states.npz")) for f in (whole, folder))
        tried[kind] += 1
        seen[kind] += any(not np.array_equal(before[name], after[name]) for name in before)
    assert {"weights", "kernel", "bias", "du", "dv", "vth", "weight_exp"} <= set(tried)
    assert [kind for kind in tried if not seen[kind]] == []
    assert seen.total() > tried.total() * 2 // 3, (tried, seen)
