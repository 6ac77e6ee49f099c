"""The load plan and its files: what lies where, and what is not written because nothing holds it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.spinnaker_compiled import compiled, convolving_network, mixed_network
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.spinnaker import eieio, load_plan
from nmcompile_backends.spinnaker.population_table import cuts_of, senders_of
from nmcompile_backends.spinnaker.rows import matrix_of

from nmcompile.mapping import Program
from nmcompile.registry import backend
from nmcompile.target.load import installed, parse_target


@pytest.fixture(scope="module")
def program() -> Program:
    return compiled(mixed_network(0), 0)


def test_regions_lie_one_behind_the_other_in_blocks_and_in_the_file(
    program: Program, tmp_path: Path
) -> None:
    backend("spinnaker").emit(program, tmp_path)
    plan = json.loads((tmp_path / "load.json").read_text())
    regions = [r for core in plan["cores"] for r in core["regions"]]
    assert regions[0]["file_offset"] == 0
    for before, behind in pairwise(regions):
        assert behind["file_offset"] == before["file_offset"] + before["written"]
    assert regions[-1]["file_offset"] + regions[-1]["written"] == \
        (tmp_path / "sdram.bin").stat().st_size
    for core in plan["cores"]:
        at = 4 * (2 + 3 * 32)
        for region in core["regions"]:
            assert region["offset"] == at
            assert region["written"] <= region["size"]
            at += region["size"]
        assert core["size"] == at
    places = [(core["x"], core["y"], core["p"]) for core in plan["cores"]]
    assert sorted(set(places)) == places


def test_the_same_program_gives_the_same_bytes(program: Program, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        backend("spinnaker").emit(program, tmp_path / name)
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*")
             if path.is_file()]
    assert len(files) == 11
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


@pytest.mark.parametrize(("change", "said"), [
    (("synapse_bits = { value = 61734896", "synapse_bits = { value = 40000"), "bytes of SDRAM, it has"),
    (("entries = { value = 1023", "entries = { value = 3"), "routing entries"),
])
def test_a_plan_that_a_chip_does_not_hold_is_not_written_and_says_why(
    program: Program, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    text = installed()["spinnaker1"]
    assert change[0] in text
    smaller = replace(program, target=parse_target(text.replace(*change), "smaller.toml"))
    told = load_plan.write_plan(smaller, tmp_path)
    assert set(told) == set(load_plan.FILES)
    assert all(text.startswith("not written: chip 0, 0") and said in text for text in told.values())
    assert not list(tmp_path.iterdir())


def test_slices_that_share_a_core_are_not_written_and_every_file_says_why(
    program: Program, tmp_path: Path
) -> None:
    slices = program.mapping.slices
    shared = replace(program, mapping=replace(
        program.mapping, slices=replace(slices, core=np.full_like(slices.core, 5))))
    told = backend("spinnaker").emit(shared, tmp_path)
    assert {*load_plan.FILES, "pynn_network.py", "spinnaker.json"} <= set(told)
    assert set(told.values()) == {
        "not written: core 5 holds several slices, a core of sPyNNaker runs one"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("network", [mixed_network, convolving_network])
def test_the_synapses_of_a_slice_and_a_sender_are_those_of_the_whole_matrix(network) -> None:
    program = compiled(network(1), 1, cores=3)
    slices, senders = program.mapping.slices, senders_of(program)
    for projection in program.network.projections:
        target = program.network.population(projection.target)
        size = sum(len(s.lines) for s in senders if s.source == projection.source)
        whole = np.zeros((size, target.size), np.int64)
        rows = matrix_of(projection.map).toarray()
        base = (projection.sources or (0, 0))[0]
        whole[base : base + len(rows)] = rows
        cuts = list(cuts_of(program, projection, senders))
        assert [(c.part, c.sender) for c in cuts] == sorted({(c.part, c.sender) for c in cuts})
        for cut in cuts:
            neurons = slices.members(target.shape, cut.part)
            part = whole[np.ix_(senders[cut.sender].lines, neurons)]
            assert cut.n == len(neurons)
            np.testing.assert_array_equal(np.stack([cut.line, cut.neuron]), np.nonzero(part))
            np.testing.assert_array_equal(cut.weight, part[np.nonzero(part)])
        assert sum(len(cut.weight) for cut in cuts) == np.count_nonzero(whole) > 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 2**32 - 1)), max_size=400))
def test_timed_messages_hold_every_spike_once_in_order_and_then_stop(spikes: list) -> None:
    spikes = sorted(spikes)
    when, keys = (np.array([s[i] for s in spikes], np.int64) for i in (0, 1))
    data, found, sizes = eieio.timed(when, keys), [], []
    while data != eieio.STOP:
        n = data[0]
        size = 6 + 4 * n
        told = eieio.heard(data[:size])
        assert told is not None
        found += [(told[0], key) for key in told[1].tolist()]
        sizes.append(size)
        data = data[size:]
    assert found == spikes
    assert max(sizes, default=0) <= 256


@given(st.binary(max_size=300))
def test_what_is_no_message_of_a_gatherer_is_none(data: bytes) -> None:
    told = eieio.heard(data)
    assert told is None or len(told[1]) == data[0]
