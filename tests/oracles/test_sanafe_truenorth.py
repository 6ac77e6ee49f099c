"""SANA-FE runs the cores of a compiled TrueNorth network with the network's spikes.

NMC_SANAFE_PYTHON names the interpreter that `tools/oracles/make_env.py sanafe DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.networks import conv, dense, scalar

from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, run_aligned, verify
from nmcompile.ir.neurons import LIF, Reset
from nmcompile.mapping import Program
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.target import load_target

PYTHON = os.environ.get("NMC_SANAFE_PYTHON")
RUNNER = Path(__file__).parents[2] / "tools" / "oracles" / "sanafe_truenorth.py"
STEPS = 25
pytestmark = [
    pytest.mark.sanafe,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SANAFE_PYTHON names no Python with sanafe"),
]


def fires(**fields: Any) -> LIF:
    return LIF(**({"decay": scalar(1), "threshold": scalar(1), "reset": Reset.SUBTRACT} | fields))


def network(seed: int) -> Network:
    """A grouped convolution, a layer that feeds itself, a skip, delays; all that the chip takes."""
    rng = np.random.default_rng(seed)
    first = conv(rng, (2, 6, 6), 4, stride=(2, 2), padding=(1, 1), groups=2, gain=2.0)
    bias = rng.normal(0, 0.05, 12).astype(np.float32)
    n, link = int(np.prod(first.out_shape)), Projection
    return verify(Network(
        inputs=(Input(name="image", shape=(2, 6, 6)),),
        populations=(
            Population(name="conv", shape=first.out_shape, neuron=fires()),
            Population(name="hidden", shape=(12,), bias=bias,
                       neuron=fires(v_min=scalar(-0.7), fires_at_threshold=True)),
            Population(name="out", shape=(4,), neuron=fires(reset=Reset.ZERO))),
        projections=(
            link(source="image", target="conv", map=first),
            link(source="conv", target="hidden", map=dense(rng, n, 12, 3.0)),
            link(source="hidden", target="hidden", delay=1, map=dense(rng, 12, 12, 0.4)),
            link(source="hidden", target="out", map=dense(rng, 12, 4, 2.0)),
            link(source="conv", target="out", delay=2 + seed, map=dense(rng, n, 4, 1.0))),
        outputs=(Output(name="out", population="out"), Output(name="hidden", population="hidden"),
                 Output(name="conv", population="conv"))))


def images(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((3, STEPS, 2, 6, 6)) < 0.4).astype(np.float32)


@cache
def compiled(seed: int) -> Program:
    net, given = network(seed), {"image": images(1)}
    traced = Traced(network=net, inputs=given, expected=run(net, given).records)
    return compile_stage(traced, load_target("truenorth")).program


def written(seed: int, folder: Path) -> Path:
    """The cores of the compiled network, with a sample for them."""
    folder.mkdir()
    told = backend("truenorth").emit(compiled(seed), folder)
    assert told["cores.json"] == "neurons, crossbars and targets of every core"
    np.savez(folder / "input.npz", image=images(seed + 50)[0].reshape(STEPS, -1).astype(np.int8))
    (folder / "ticks.txt").write_text(str(STEPS + 8))
    return folder


def by_sanafe(folders: list[Path]) -> list[dict[str, np.ndarray]]:
    subprocess.run([PYTHON, RUNNER, *folders], check=True, timeout=300)
    return [dict(np.load(folder / "out.npz")) for folder in folders]


def test_sanafe_runs_the_cores_with_the_spikes_of_the_network(tmp_path: Path) -> None:
    seeds = range(4)
    found = by_sanafe([written(seed, tmp_path / str(seed)) for seed in seeds])
    spikes = {"conv": 0, "hidden": 0, "out": 0}
    for seed, heard in zip(seeds, found, strict=True):
        program = compiled(seed)
        sent = {"image": images(seed + 50)[:1].astype(np.int32)}
        wanted = run_aligned(program.network, program.latency, sent).records
        for name in spikes:
            begin = program.latency[name]
            ours = wanted[name]["spikes"][0].reshape(STEPS, -1)
            np.testing.assert_array_equal(heard[name][begin : begin + STEPS], ours)
            assert not heard[name][:begin].any()
            spikes[name] += int(ours.sum())
    assert min(spikes.values()) > 50


def altered(content: dict[str, Any], kind: str, rng: np.random.Generator) -> None:
    """Turn one bit of `content` in place, of a neuron of the first layer or of an input's delay."""
    reached = {number for _, _, number, _, _ in content["inputs"]}
    core = next(c for c in content["cores"] if c["core"] in reached)
    neuron = core["neurons"][int(rng.integers(len(core["neurons"])))]
    registers = core["registers"][neuron[0]]
    if kind == "crossbar":
        axons = [axon for _, _, number, axon, _ in content["inputs"] if number == core["core"]]
        neuron[1] = f"{int(neuron[1], 16) ^ 1 << 255 - int(rng.choice(axons)):064x}"
    elif kind == "delay":
        content["inputs"][int(rng.integers(len(content["inputs"])))][-1] ^= 3
    elif kind == "value":
        registers["values"][int(rng.integers(4))] ^= 1 << 3
    else:
        registers["threshold"] ^= 1 << 4


def test_one_altered_bit_changes_what_sanafe_runs(tmp_path: Path) -> None:
    rng, folders = np.random.default_rng(0), [written(0, tmp_path / "whole")]
    kinds = ["crossbar", "threshold", "delay", "value"] * 3
    content = (folders[0] / "cores.json").read_text()
    for number, kind in enumerate(kinds):
        folders.append(written(0, tmp_path / str(number)))
        other = json.loads(content)
        altered(other, kind, rng)
        (folders[-1] / "cores.json").write_text(json.dumps(other))
    whole, *others = by_sanafe(folders)
    seen = [kind for kind, heard in zip(kinds, others, strict=True)
            if any(not np.array_equal(heard[name], whole[name]) for name in whole)]
    assert set(seen) == set(kinds)
    assert len(seen) >= len(kinds) * 2 // 3
