"""The fields for samna are those that Rockpool fills, and XyloSim made from them runs alike.

NMC_XYLO_PYTHON names the interpreter that `tools/oracles/make_env.py xylo DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.models_xylo import counted_spikes, rockpool_net
from nmcompile_backends.xylo.emit import CONFIGURATION, FILE, emit

import nmcompile as nmc
from nmcompile.passes.quantize import payloads
from nmcompile.simulator import simulate
from nmcompile.stages import Compiled

PYTHON = os.environ.get("NMC_XYLO_PYTHON")
TOOL = Path(__file__).parents[2] / "tools" / "oracles" / "xylo_configuration.py"
TARGETS = ("xylo_a2", "xylo_a3", "xylo_imu")
pytestmark = [
    pytest.mark.xylo,
    pytest.mark.skipif(PYTHON is None, reason="NMC_XYLO_PYTHON names no Python with xylosim"),
]


@cache
def compiled(target: str) -> Compiled:
    """A recurrent network with biases on `target`."""
    return nmc.compile(rockpool_net(1, recurrent=True), target=target, sample=counted_spikes(4))


def sent(target: str) -> np.ndarray:
    """(steps, channels) of one sample."""
    (port,) = compiled(target).program.network.inputs
    return payloads(port, counted_spikes(4))[3]


def written(target: str, folder: Path) -> Path:
    """What is emitted, and what Rockpool needs beside it."""
    folder.mkdir()
    told = emit(compiled(target).program, folder)
    assert told[CONFIGURATION].startswith("the fields of samna's xylo")
    (folder / "chip.txt").write_text(target)
    np.save(folder / "input.npy", sent(target))
    return folder


def through_rockpool(folders: list[Path]) -> list[tuple[Any, dict[str, np.ndarray]]]:
    """The fields that Rockpool fills, and what XyloSim records, for each folder."""
    subprocess.run([PYTHON, TOOL, *folders], check=True, timeout=300)
    return [(json.loads((folder / "rockpool.json").read_text()),
             dict(np.load(folder / "states.npz"))) for folder in folders]


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every number and switch."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*way, key))
    else:
        yield way


def altered(fields: Any, way: tuple[Any, ...]) -> Any:
    """`fields` with the lowest bit of one value turned."""
    changed = json.loads(json.dumps(fields))
    place = changed
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = not place[way[-1]] if isinstance(place[way[-1]], bool) else place[way[-1]] ^ 1
    return changed


def test_every_field_is_the_one_that_rockpool_fills_and_xylosim_runs_it_alike(
    tmp_path: Path,
) -> None:
    found = through_rockpool([written(target, tmp_path / target) for target in TARGETS])
    for target, (theirs, states) in zip(TARGETS, found, strict=True):
        ours = json.loads((tmp_path / target / CONFIGURATION).read_text())
        assert ours == theirs
        program = compiled(target).program
        (port,) = program.network.inputs
        run = simulate(program, {port.name: sent(target)[None]}, record=("spikes", "v"))
        columns = {"Spikes": ("spikes", "Spikes_out"), "Vmem": ("v", "Vmem_out")}
        for inner, (variable, outer) in columns.items():
            layers = [*np.split(states[inner], [24], axis=1), states[outer]]
            for lag, (population, values) in enumerate(
                    zip(program.network.populations, layers, strict=True)):
                mine = run.records[population.name][variable][0]
                np.testing.assert_array_equal(mine[: len(values) - lag], values[lag:])
                assert values.any()


@pytest.mark.parametrize("target", TARGETS)
def test_one_altered_bit_of_a_register_or_weight_is_seen_by_rockpool_or_xylosim(
    tmp_path: Path, target: str
) -> None:
    rng = np.random.default_rng(TARGETS.index(target))
    fields = json.loads((written(target, tmp_path / "whole") / CONFIGURATION).read_text())
    ways = list(leaves(fields))
    chosen = [ways[i] for i in rng.choice(len(ways), 40, replace=False)]
    for number, way in enumerate(chosen):
        folder = written(target, tmp_path / str(number))
        (folder / CONFIGURATION).write_text(json.dumps(altered(fields, way)))
    folders = [tmp_path / "whole", *(tmp_path / str(number) for number in range(len(chosen)))]
    (theirs, plain), *others = through_rockpool(folders)
    changed = 0
    for folder, (_, states) in zip(folders[1:], others, strict=True):
        assert json.loads((folder / CONFIGURATION).read_text()) != theirs
        changed += any(not np.array_equal(plain[name], states[name]) for name in plain)
    assert changed > len(chosen) // 2


def test_one_altered_bit_of_the_specification_is_another_configuration(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = json.loads((written("xylo_a2", tmp_path / "whole") / FILE).read_text())
    ways = list(leaves(whole))
    chosen = [ways[i] for i in rng.choice(len(ways), 20, replace=False)]
    folders = [tmp_path / "whole"]
    for number, way in enumerate(chosen):
        folders.append(written("xylo_a2", tmp_path / str(number)))
        (folders[-1] / FILE).write_text(json.dumps(altered(whole, way)))
    filled = [fields for fields, _ in through_rockpool(folders)]
    assert all(fields != filled[0] for fields in filled[1:])
