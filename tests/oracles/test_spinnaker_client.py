"""SpiNNMan loads our tables and images over UDP to the emulated board, and reads them back.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_board import HOST, SPINNMAN_PORT, emulated_board
from helpers.spinnaker_compiled import (
    compiled,
    convolving_network,
    mixed_network,
    spikes_for,
)

from nmcompile.device import Place
from nmcompile.registry import backend, device
from nmcompile.simulator import simulate
from nmcompile.target import load_target

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_load.py"
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]


def loaded(config: Path, home: Path, *options: str) -> dict[str, np.ndarray]:
    with emulated_board(*options, port=SPINNMAN_PORT):
        subprocess.run([PYTHON, SCRIPT, HOST, config, home / "back.npz"], cwd=home, check=True,
                       timeout=240, capture_output=True, env={**os.environ, "HOME": str(home)})
    with np.load(home / "back.npz") as back:
        return dict(back)


def equal(config: Path, back: dict[str, np.ndarray]) -> bool:
    """Whether what was read back is what our files hold, byte for byte."""
    plan = json.loads((config / "load.json").read_text())
    sdram, tables = (config / "sdram.bin").read_bytes(), (config / "tables.bin").read_bytes()
    for i, table in enumerate(plan["tables"]):
        words = np.frombuffer(tables, "<u4", 4 * table["entries"], table["file_offset"])
        if not np.array_equal(words.reshape(-1, 4)[:, [2, 3, 1]], back[f"table{i}"]):
            return False
    for i, core in enumerate(plan["cores"]):
        address, found = back[f"user{i}"]
        if address != found or len(back[f"core{i}"]) != core["size"]:
            return False
        for region in core["regions"]:
            first, file = region["offset"], region["file_offset"]
            part = back[f"core{i}"][first : first + region["written"]].tobytes()
            if part != sdram[file : file + region["written"]]:
                return False
    return True


@pytest.mark.parametrize("network", [mixed_network, convolving_network])
def test_spinnman_reads_back_what_it_loaded_bit_for_bit(tmp_path: Path, network) -> None:
    config = tmp_path / "config"
    config.mkdir()
    backend("spinnaker").emit(compiled(network(0), 0), config)
    back = loaded(config, tmp_path)
    assert equal(config, back)
    rng = np.random.default_rng(0)
    for name in ("sdram.bin", "tables.bin"):
        right = (config / name).read_bytes()
        for _ in range(20):
            changed = bytearray(right)
            at = int(rng.integers(len(right)))
            if name == "tables.bin":  # key, mask and route of an entry that is not the last
                at = int(rng.integers(len(right) // 16 - 1)) * 16 + int(rng.integers(4, 16))
            changed[at] ^= 1 << int(rng.integers(8))
            (config / name).write_bytes(bytes(changed))
            assert not equal(config, back), (name, at)
        (config / name).write_bytes(right)
    assert equal(config, back)


def test_spinnman_finds_the_chips_cores_and_links_of_the_target(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    backend("spinnaker").emit(compiled(mixed_network(0), 0), config)
    chips = loaded(config, tmp_path, "--dead", "4,4")["chips"]
    target = load_target("spinnaker1")
    assert len(chips) == target.board.chips.value - 1
    assert [4, 4] not in chips[:, :2].tolist()
    assert set(chips[:, 2]) == {17}
    assert chips[:, 3].sum() == 240 - 2 * 6
    assert set(chips[:, 5]) == {123469792}


def test_spinnman_reads_back_the_same_where_packets_come_twice_and_late(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    backend("spinnaker").emit(compiled(mixed_network(0), 0), config)
    faults = ("--twice", "0.05", "--late", "0.05", "--seed", "3")
    assert equal(config, loaded(config, tmp_path, *faults))


@pytest.mark.parametrize(("network", "cores"), [(convolving_network, 16), (mixed_network, 1)])
def test_our_device_loads_spynnakers_own_programs_and_the_board_runs_what_is_simulated(
    tmp_path: Path, network, cores: int
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    program = compiled(network(1), 1, cores)
    backend("spinnaker").emit(program, config)
    site = Path(subprocess.run([PYTHON, "-c", "import spynnaker; print(spynnaker.__path__[0])"],
                               check=True, capture_output=True, text=True).stdout.strip())
    folders = [str(site / "pyNN" / "model_binaries"),
               str(site.parent / "spinn_front_end_common" / "common_model_binaries")]
    sent = spikes_for(program, 2, samples=2, steps=25)
    wanted = simulate(program, sent, record=("spikes",)).records
    made = device("spinnaker")
    with emulated_board("--programs", folders[0], "--programs", folders[1]) as (_, port):
        made.open(Place(address=f"{HOST}:{port}", options={"binaries": ":".join(folders)}))
        made.load(program, config)
        found = made.run(sent, made.readable(), lambda steps: None).variables
        made.close()
    for name, values in found.items():
        np.testing.assert_array_equal(values["spikes"], wanted[name]["spikes"], name)
    assert sum(int(values["spikes"].sum()) for values in found.values()) > 1000
