"""Keys and routing tables of spinnaker.json bring every spike to the cores that have rows for it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import spinnaker_machine
from helpers.networks import conv, dense, scalar
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.neurons import LIF
from nmcompile.mapper import map_network
from nmcompile.mapping.capacity import demand
from nmcompile.mapping.constraints import Constraints
from nmcompile.mapping.faults import random_faults
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.target import load_target

BACKEND = backend("spinnaker")


def target(name, neurons):
    found = load_target(name)
    small = found.core.neurons.model_copy(update={"value": neurons})
    return found.model_copy(update={"core": found.core.model_copy(update={"neurons": small})})


@pytest.fixture(scope="module")
def program():
    rng = np.random.default_rng(0)
    image = conv(rng, (1, 6, 6), 3, stride=(2, 2), padding=(1, 1), gain=2.0)
    lif = LIF(decay=scalar(0.9), threshold=scalar(1))
    network = verify(Network(
        inputs=(Input(name="image", shape=(1, 6, 6)),),
        populations=(Population(name="conv", shape=image.out_shape, neuron=lif),
                     Population(name="out", shape=(12,), neuron=lif)),
        projections=(Projection(source="image", target="conv", map=image),
                     Projection(source="conv", target="out", map=dense(rng, 27, 12, 3.0))),
        outputs=(Output(name="out", population="out"),)))
    sample = {"image": (rng.random((2, 12, 1, 6, 6)) < 0.4).astype(np.float32)}
    traced = Traced(network=network, inputs=sample, expected=run(network, sample).records)
    return compile_stage(traced, target("spinnaker1", 5)).program


def reached(values, chip, key):
    """(chip, processor) pairs that a packet comes to, by the tables of the file alone."""
    tables = {router["chip"]: router["entries"] for router in values["routers"]}
    place = {(router["x"], router["y"]): router["chip"] for router in values["routers"]}
    place = {(router["x"], router["y"]): router["chip"] for router in values["routers"]}
    at = {number: here for here, number in place.items()}
    ways, found = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1)), set()
    todo = [(at[chip], None)]
    while todo:
        here, link = todo.pop()
        route = 1 << link if link is not None else 0
        for entry_key, mask, entry_route in tables.get(place.get(here), []):
            if key & mask == entry_key:
                route = entry_route
                break
        got = {(place[here], p) for p in range(18) if route >> (6 + p) & 1}
        assert not found & got
        found |= got
        todo += [((here[0] + dx, here[1] + dy), out) for out, (dx, dy) in enumerate(ways)
                 if route >> out & 1]
    return found


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.0, 0.1]))
def test_a_spike_comes_to_all_cores_that_have_a_row_for_it(program, tmp_path_factory, seed, share):
    board = target("spinnaker1", 5)
    rng, faults = np.random.default_rng(seed), random_faults(board, share, share, seed)
    chips = rng.choice(48, 6, replace=False)
    on = np.isin(np.arange(board.n_cores) // board.cores_per_chip, chips)
    moved, _ = map_network(
        program.network, board, BACKEND, program.mapping.rates,
        Constraints(faults=faults, on={"conv": on, "out": on}))
    folder = tmp_path_factory.mktemp("emitted")
    BACKEND.emit(moved, folder)
    values = json.loads((folder / "spinnaker.json").read_text("utf-8"))
    words, index = np.fromfile(folder / "rows.bin", "<u4"), spinnaker_machine.read_index(folder)
    rows = {}  # source, line -> cores with synapses of it
    for core in values["cores"]:
        made = spinnaker_machine.Core(core, values, words, index)
        assert np.diff(made.network.synapses.start).min() > 0
        for source, lines in made.sources:
            for line in lines.tolist():
                rows.setdefault((source, line), set()).add((core["chip"], core["processor"]))
    senders = [(core["chip"], core["population"], core["neurons"], core)
               for core in values["cores"]]
    for port in values["inputs"]:
        for block in port["keys"]:
            lines = range(block["first_line"], min(block["first_line"] + 5, 36))
            senders.append((0, port["name"], list(lines), block))
    used = set()
    for chip, name, lines, block in senders:
        wanted = set().union(*(rows.get((name, line), set()) for line in lines))
        for i in range(len(lines)) if wanted else ():
            key = block["key"] + (i << block["key_shift"])
            assert key & block["mask"] == block["key"]
            assert key not in used
            used.add(key)
            assert reached(values, chip, key) == wanted
    assert len(used) == 36 + 27


def test_the_rows_are_as_long_as_the_memory_that_is_counted_for_them(program, tmp_path):
    BACKEND.emit(program, tmp_path)
    assert all(np.all(p.map.weights() != 0) for p in program.network.projections)
    counted = demand(program.network, program.mapping, program.target, BACKEND).synapse_bits.sum()
    assert 8 * (tmp_path / "rows.bin").stat().st_size == counted
    words = np.fromfile(tmp_path / "rows.bin", "<u4")
    first = spinnaker_machine.read_index(tmp_path)[:, 1]
    np.testing.assert_array_equal(np.diff(first, append=len(words)), 3 + words[first + 1])
