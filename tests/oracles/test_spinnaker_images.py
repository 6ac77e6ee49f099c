"""sPyNNaker, given the emitted PyNN script on a virtual board, loads what our images hold.

NMC_SPINNAKER_PYTHON names the interpreter that `tools/oracles/make_env.py spinnaker DIR` made.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_compiled import (
    compiled,
    convolving_network,
    mixed_network,
    spikes_for,
)
from helpers.spinnaker_images import MATRIX, TABLE, Ours, Theirs, reached, synapses

from nmcompile.mapping import Program
from nmcompile.registry import backend

PYTHON = os.environ.get("NMC_SPINNAKER_PYTHON")
SCRIPT = Path(__file__).parents[2] / "tools" / "oracles" / "spinnaker_script.py"
pytestmark = [
    pytest.mark.spinnaker,
    pytest.mark.skipif(PYTHON is None, reason="NMC_SPINNAKER_PYTHON names no Python with sPyNNaker"),
]
NETWORKS = {"mixed": (mixed_network, 16, 1e-3), "convolving": (convolving_network, 2, 1e-3),
            "scattered": (mixed_network, 1, 3e-3)}  # with cores of a chip, and the tick
# SYSTEM, NEURON_PARAMS, CURRENT_SOURCES, SYNAPSE_PARAMS, NEURON_RECORDING, PROFILING, BIT_FIELDS
EQUAL = (0, 2, 3, 4, 9, 11, 14)
CORE_PARAMS, RECORDING, HEADER_WORDS = 1, 9, 7


@pytest.fixture(scope="module", params=list(NETWORKS))
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Our folder, our files and what sPyNNaker would load."""
    folder = tmp_path_factory.mktemp(request.param)
    network, cores, tick = NETWORKS[request.param]
    program = slower(compiled(network(0), 0, cores), tick)
    backend("spinnaker").emit(program, folder)
    np.savez(folder / "input.npz", x=spikes_for(program, 1)["in"])
    subprocess.run(
        [PYTHON, SCRIPT, folder / "pynn_network.py", "input.npz", "loaded.npz"], cwd=folder,
        check=True, timeout=300, capture_output=True, env={**os.environ, "HOME": str(folder)})
    with np.load(folder / "loaded.npz") as kept:
        return folder, Ours(folder), Theirs(dict(kept))


def slower(program: Program, tick: float) -> Program:
    """`program` for boards of another tick."""
    times = program.target.time_s
    assert times.tick is not None
    changed = times.model_copy(update={"tick": times.tick.model_copy(update={"value": tick})})
    return replace(program, target=program.target.model_copy(update={"time_s": changed}))


def parts(ours: Ours) -> dict[str, int]:
    """Neurons or lines of each sender, by label."""
    sizes = {core["label"]: len(core["neurons"]) for core in ours.plan["cores"]
             if "neurons" in core}
    for label in ours.keys.keys() - sizes.keys():
        first, end = label.split("[")[1].rstrip("]").split(":")
        sizes[label] = int(end) - int(first)
    return sizes


def same_synapses(ours: Ours, theirs: Theirs) -> bool:
    sizes = parts(ours)
    labels = [core["label"] for core in ours.plan["cores"] if "neurons" in core]
    return all(synapses(ours, label, sizes) == synapses(theirs, label, sizes)
               for label in labels)


def same_regions(ours: Ours, theirs: Theirs) -> bool:
    labels = [core["label"] for core in ours.plan["cores"] if "neurons" in core]
    return all(ours.regions[label][region] == their_region(ours, theirs, label, region)
               for label in labels for region in EQUAL)


def their_region(ours: Ours, theirs: Theirs, label: str, region: int) -> bytes:
    """A region, without the half word behind an odd number of indices, which holds anything."""
    data = theirs.regions[label][region]
    odd = region == RECORDING and parts(ours)[label] % 2
    return data[:-2] + bytes(2) if odd else data


def test_every_synaptic_word_is_spynnakers(both: tuple) -> None:
    _, ours, theirs = both
    assert same_synapses(ours, theirs)
    assert sum(len(synapses(ours, label, parts(ours))) for label in ours.regions
               if TABLE in ours.regions[label]) > 4000


def test_a_bit_that_changes_in_the_table_or_the_rows_is_found(both: tuple) -> None:
    _, ours, theirs = both
    rng = np.random.default_rng(0)
    labels = [label for label in ours.regions if TABLE in ours.regions[label]]
    for trial in range(60):
        label, region = labels[trial % len(labels)], (TABLE, MATRIX)[trial // 30]
        right = ours.regions[label][region]
        if region == MATRIX:  # the bytes behind the last row of a block are no one's
            sizes = parts(ours)
            assert synapses(ours, label, sizes)
        ours.regions[label][region] = flipped(right, flippable(ours, label, region, rng))
        try:
            different = not same_synapses(ours, theirs)
        except (AssertionError, ValueError, IndexError):
            different = True
        ours.regions[label][region] = right
        assert different, (label, region)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def flippable(ours: Ours, label: str, region: int, rng: np.random.Generator) -> int:
    """Any bit of a table but its unused shift of core numbers; any of a row."""
    data = ours.regions[label][region]
    table = np.frombuffer(ours.regions[label][TABLE], "<u4")
    n_entries = int(table[0])
    if region == TABLE:
        words = [i for i in range(len(table)) if not (i >= 2 and i < 2 + 5 * n_entries
                                                      and (i - 2) % 5 == 3)]
        return int(rng.choice(words)) * 32 + int(rng.integers(32))
    address = int(table[2 + 5 * n_entries])
    length = (address & 0xFF) + 4
    return ((address >> 8) * 4 + int(rng.integers(length))) * 32 + int(rng.integers(32)) \
        if data else 0


def test_parameters_and_headers_are_spynnakers_byte_for_byte(both: tuple) -> None:
    _, ours, theirs = both
    assert same_regions(ours, theirs)
    rng = np.random.default_rng(1)
    for label in (core["label"] for core in ours.plan["cores"] if "neurons" in core):
        mine = np.frombuffer(ours.regions[label][CORE_PARAMS], "<u4").astype(np.int64)
        other = np.frombuffer(theirs.regions[label][CORE_PARAMS], "<u4").astype(np.int64)
        if other[0]:
            mine[HEADER_WORDS:] -= ours.keys[label][0]
            other[HEADER_WORDS:] -= theirs.keys[label][0]
            np.testing.assert_array_equal(mine, other)
        else:  # no one listens, and sPyNNaker gives no key
            np.testing.assert_array_equal(mine[1:HEADER_WORDS], other[1:HEADER_WORDS])
        for region in EQUAL:
            right = ours.regions[label][region]
            ours.regions[label][region] = flipped(right, int(rng.integers(8 * len(right))))
            assert not same_regions(ours, theirs)
            ours.regions[label][region] = right


def test_keys_come_to_the_cores_that_they_come_to_with_spynnaker(both: tuple) -> None:
    _, ours, theirs = both
    heard = 0
    for label, n in parts(ours).items():
        for neuron in (0, n - 1):
            found = {name for name in told(ours, label, neuron) if TABLE in ours.regions[name]}
            assert found == (told(theirs, label, neuron) if label in theirs.keys else set()), label
            heard += len(found)
    assert heard > 4


def test_a_bit_that_changes_in_a_table_is_found(both: tuple) -> None:
    _, ours, _ = both
    used: set[int] = set()
    right = {label: told(ours, label, 0, used) for label in parts(ours)}
    rows = [row for table in ours.tables.values() for row in table]
    assert len(used) > 3
    for row in (row for row in rows if id(row) in used):
        kept, missed = list(row), 0
        for bit in (6 + 1, 6 + 2, 12, 13, 31):
            row[:] = [row[0] ^ 1 << bit, *row[1:]] if bit > 20 else [*row[:2], row[2] ^ 1 << bit]
            missed += all(told(ours, label, 0) == found for label, found in right.items())
            row[:] = kept
        assert missed == 0, kept


def told(side: Ours | Theirs, label: str, neuron: int, used: set | None = None) -> set[str]:
    """Where neuron `neuron` of a sender is heard; inputs enter at the chip at 0, 0."""
    if not np.frombuffer(side.regions.get(label, {}).get(CORE_PARAMS, b"\1\0\0\0"), "<u4")[0]:
        return set()  # the core has no key to send
    key, _, shift = side.keys[label]
    x, y, _ = side.place.get(label, (0, 0, 0))
    return reached(side, (x, y), key + (neuron << shift), used)


def test_reports_pass_the_schemas_of_the_tool_chain(both: tuple) -> None:
    folder, _, _ = both
    check = ("import json, sys\n"
             "from pacman.utilities import file_format_schemas as schemas\n"
             "for name in ('placements', 'routing_tables'):\n"
             "    schemas.validate(json.load(open(f'json_files/{name}.json')), f'{name}.json')\n")
    subprocess.run([PYTHON, "-c", check], cwd=folder, check=True, timeout=60)
