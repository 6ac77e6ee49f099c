"""Every neuron and map that a chip takes, compiled, runs alike in a tool that is not ours.

NMC_LAVA_PYTHON, NMC_XYLO_PYTHON and NMC_SANAFE_PYTHON name the interpreters that
`tools/oracles/make_env.py` made. Speck's are compared with sinabs in test_sinabs_configuration.py,
SpiNNaker 1's with sPyNNaker in test_spinnaker_*.py; SpiNNaker 2 has no public tool but NIR
(tests/backends/test_spinnaker2_nir.py).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.accepted import STEPS, TAKEN, drawn, taken
from nmcompile_backends.loihi.lava_script import write_lava

from nmcompile.ir import Network, run, run_aligned
from nmcompile.passes.quantize import payloads
from nmcompile.registry import backend

TOOLS = Path(__file__).parents[2] / "tools" / "oracles"
LAVA, XYLO, SANAFE = (os.environ.get(f"NMC_{name}_PYTHON") for name in ("LAVA", "XYLO", "SANAFE"))
LAVA_NAMES = {"v": ("v", "act", "imag"), "u": ("u", "i"), "re": ("real",)}
Records = dict[str, np.ndarray]


def sent(net: Network, seed: int = 7) -> Records:
    """Samples in the chip's integers."""
    return {port.name: payloads(port, values) for port, values in zip(
        net.inputs, drawn(net, seed).values(), strict=True)}


def tool(python: str | None, name: str, *folders: Path) -> None:
    subprocess.run([python, TOOLS / name, *folders], check=True, timeout=300)


def lava_state(found: Records, population: str, name: str) -> np.ndarray:
    keys = [f"{population}/{key}" for key in LAVA_NAMES.get(name, (name,))]
    return next(found[key] for key in keys if key in found)


@pytest.mark.lava
@pytest.mark.skipif(LAVA is None, reason="NMC_LAVA_PYTHON names no Python with lava-nc")
@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_lava_runs_all_that_loihi_takes_with_the_same_states(tmp_path: Path, target: str) -> None:
    nets = {name: made.program.network for name, made in taken(target).items()}
    assert set(nets) > TAKEN[target]
    for name, net in nets.items():
        folder = tmp_path / name
        folder.mkdir()
        write_lava(net, folder)
        np.save(folder / "input.npy", drawn(net, 7)["in"])
    tool(LAVA, "lava_step.py", *(tmp_path / name for name in nets))
    spikes = 0
    for name, net in nets.items():
        found = dict(np.load(tmp_path / name / "states.npz"))
        for population, record in run(net, sent(net)).records.items():
            for state, values in record.items():
                theirs = lava_state(found, population, state)
                ours = values[0].reshape(STEPS, -1)
                np.testing.assert_array_equal(theirs, ours, f"{name}: {population}.{state}")
            spikes += int(np.count_nonzero(record["spikes"][0]))
    assert spikes > 1000


@pytest.mark.xylo
@pytest.mark.skipif(XYLO is None, reason="NMC_XYLO_PYTHON names no Python with xylosim")
def test_xylosim_runs_all_that_xylo_takes_with_the_same_spikes(tmp_path: Path) -> None:
    programs = {name: made.program for name, made in taken("xylo_a2").items()}
    for name, program in programs.items():
        folder = tmp_path / name
        folder.mkdir()
        backend("xylo").emit(program, folder)
        (folder / "chip.txt").write_text("xylo_a2")
        np.save(folder / "input.npy", sent(program.network)["in"][0].reshape(STEPS, -1))
    tool(XYLO, "xylo_configuration.py", *(tmp_path / name for name in programs))
    spikes = 0
    for name, program in programs.items():
        net, found = program.network, dict(np.load(tmp_path / name / "states.npz"))
        records = run(net, sent(net)).records
        outputs = [p for p in net.populations if not net.outgoing(p.name)]
        hidden = [p for p in net.populations if net.outgoing(p.name)]
        for layers, (fired, membrane) in ((hidden, ("Spikes", "Vmem")),
                                          (outputs, ("Spikes_out", "Vmem_out"))):
            ends = np.cumsum([p.size for p in layers])[:-1]
            for population, theirs, v in zip(layers, np.split(found[fired], ends, 1),
                                             np.split(found[membrane], ends, 1), strict=True):
                ours, start = records[population.name], max(population.start, 1)
                for state, values in (("spikes", theirs), ("v", v)):
                    mine = ours[state][0].reshape(STEPS, -1)  # an input takes a step here
                    np.testing.assert_array_equal(mine[start:], values[start - 1 : -1],
                                                  f"{name}: {population.name}.{state}")
                spikes += int(theirs.sum())
    assert spikes > 500


@pytest.mark.sanafe
@pytest.mark.skipif(SANAFE is None, reason="NMC_SANAFE_PYTHON names no Python with sanafe")
def test_sanafe_runs_all_that_truenorth_takes_with_the_same_spikes(tmp_path: Path) -> None:
    programs = {name: made.program for name, made in taken("truenorth").items()}
    for name, program in programs.items():
        folder = tmp_path / name
        folder.mkdir()
        backend("truenorth").emit(program, folder)
        rows = {key: values[0].reshape(STEPS, -1) for key, values in sent(program.network).items()}
        np.savez(folder / "input.npz", **rows)
        (folder / "ticks.txt").write_text(str(STEPS + 8))
    tool(SANAFE, "sanafe_truenorth.py", *(tmp_path / name for name in programs))
    spikes = 0
    for name, program in programs.items():
        heard = dict(np.load(tmp_path / name / "out.npz"))
        wanted = run_aligned(program.network, program.latency, sent(program.network)).records
        for population, theirs in heard.items():
            ours = wanted[population]["spikes"][0].reshape(STEPS, -1)
            begin = program.latency[population]
            np.testing.assert_array_equal(
                theirs[begin : begin + STEPS], ours, f"{name}: {population}")
            spikes += int(ours.sum())
    assert spikes > 200
