"""A mapping keeps what a constraints file asks, or says what stands in its way."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers.networks import board, conv_network, every_step, spikes
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.mapper import map_network
from nmcompile.mapping import Faults, Program
from nmcompile.mapping.constraints import Constraints, read_constraints
from nmcompile.mapping.faults import both_ways, joined_tiles, random_faults
from nmcompile.mapping.verify import verify_program
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.simulator import expected_traffic, simulate
from nmcompile.target.topology import EAST, NORTH, SOUTH, tile_number

TARGET = board(chips=4, width=3, height=3, neurons=24)


@pytest.fixture(scope="module")
def program():
    network = conv_network()
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    return compile_stage(traced, TARGET).program


@pytest.fixture
def cores_of(program, tmp_path):
    """The cores of each layer under the constraints of a file with some text."""
    def mapped(text):
        path = tmp_path / "constraints.toml"
        path.write_text(text)
        network = program.network
        asked = read_constraints(path, network, TARGET)
        mapping = map_network(
            network, TARGET, backend("loihi"), every_step(network), asked)[0].mapping
        return {p.name: mapping.slices.core[mapping.slices.population == i]
                for i, p in enumerate(network.populations)}
    return mapped


def chips(cores):
    return set((cores // TARGET.cores_per_chip).tolist())


def test_layers_lie_on_the_cores_that_they_are_given(cores_of):
    found = cores_of('[layers.rec]\non = ["chip 3"]\n[layers.out]\non = ["140", "141-142"]\n')
    assert chips(found["rec"]) == {3}
    assert set(found["out"].tolist()) <= {140, 141, 142}


def test_reserved_and_dead_cores_stay_free(cores_of):
    found = cores_of('reserve = ["0-3", "chip 1"]\n[faults]\ncores = ["4", "10"]\n')
    used = np.concatenate(list(found.values()))
    assert not set(used.tolist()) & {0, 1, 2, 3, 4, 10, *range(36, 72)}


def test_nothing_lies_on_a_dead_chip(cores_of):
    found = cores_of('[faults]\nchips = ["3"]\n[layers.out]\non = ["chip 2-3"]\n')
    assert chips(found["out"]) == {2}


def test_layers_share_a_chip_or_do_not_as_asked(cores_of):
    found = cores_of('together = [["conv", "out"]]\napart = [["conv", "rec"]]\n')
    assert len(chips(found["conv"]) | chips(found["out"])) == 1
    assert not chips(found["conv"]) & chips(found["rec"])


@pytest.mark.parametrize(("text", "message"), [
    ('reserve = ["x"]', "reserve: 'x' names no cores. Write a core as \"4\", a range as \"4-7\", a "
     'chip as "chip 2".'),
    ('reserve = ["140-150"]', "reserve: '140-150' is not within 0 to 143, the cores of loihi2. Number "
     "them from 0."),
    ('reserve = ["chip 4"]', "reserve: 'chip 4' is not within 0 to 3, the chips of loihi2."),
    ('[layers.cone]\nmost_cores = 2', "layer: 'cone' is not known. Did you mean 'conv'? "),
    ('[layers.conv]\nmost_cores = 2', "conv: needs 14 cores, its most_cores is 2."),
    ('[layers.conv]\nmost_cores = 0', "layers.conv.most_cores: Input should be greater than"),
    ('[layers.conv]\nonn = ["1"]', "layers.conv.onn: is not a field of a constraints file"),
    ('[layers.conv]\non = ["0-3"]', "conv: needs 14 cores, 4 are left to it."),
    ('together = [["conv", "rec"]]\napart = [["conv", "rec"]]', "layers conv, rec: are asked to be "
     "together and apart."),
    ('reserve = ["0-130"]', "network: needs 16 cores, loihi2 has 144 (4 chips of 36), of which 13 "
     "are free; largest layers: conv 14"),
    ('[faults]\nchips = ["4"]', "faults.chips: 'chip 4' is not within 0 to 3, the chips of loihi2."),
    ('[faults]\nlinks = ["2,0 up"]', "faults.links: '2,0 up' names no link."),
    ('[faults]\nlinks = ["11,0 east"]', "faults.links: '11,0 east' leads from or to no tile of "
     "loihi2, which has 12 x 3. Count columns and rows from 0, and take a way that leads to another "
     "tile."),
    ("reserve = [", "is not TOML"),
])
def test_what_cannot_be_kept_is_refused_by_name(cores_of, text, message):
    with pytest.raises(NmcError) as error:
        cores_of(text)
    assert message in str(error.value)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_with_dead_cores_and_links_the_same_spikes_come_over_other_ways(program, seed):
    network = program.network
    faults = random_faults(TARGET, 0.05, 0.05, seed)
    assume(joined_tiles(TARGET, faults)[0])  # where inputs enter; otherwise see the next test
    moved, _ = map_network(network, TARGET, backend("loihi"), program.mapping.rates,
                           Constraints(faults=faults))
    mapping = verify_program(moved).mapping
    assert not set(mapping.slices.core.tolist()) & set(faults.cores.tolist())
    assert expected_traffic(moved).loads[faults.links].sum() == 0
    inputs = {"input": spikes(network, seed=seed)["input"].astype(np.int32)}
    before = simulate(program, inputs, record=("spikes", "v"))
    after = simulate(moved, inputs, record=("spikes", "v"))
    for name, record in before.records.items():
        for variable, values in record.items():
            np.testing.assert_array_equal(after.records[name][variable], values)
    assert after.counts.events.sum() == before.counts.events.sum()


def with_dead_links(program, *links, **asked):
    faults = Faults(links=both_ways(TARGET, np.array(links)))
    return map_network(program.network, TARGET, backend("loihi"), program.mapping.rates,
                       Constraints(faults=faults, **asked))[0].mapping


def test_dead_links_around_the_tile_where_inputs_enter_are_refused_by_layer(program):
    with pytest.raises(NmcError) as error:
        with_dead_links(program, 0 * 4 + EAST, 0 * 4 + SOUTH)
    assert re.fullmatch(
        r"input to conv: no way leads from tile 0,0 to \d,\d of loihi2 around its 4 dead links\. "
        r"Use a board where living links join them\.", str(error.value))


def test_cores_that_dead_links_cut_off_are_not_used_and_are_told_where_cores_lack(program):
    corner = 2 * 12 + 0  # tile 0,2
    links = (corner * 4 + EAST, corner * 4 + NORTH)
    mapping = with_dead_links(program, *links)
    assert not np.any(tile_number(TARGET, mapping.slices.core) == corner)
    reserved = np.setdiff1d(np.arange(144), [*range(12), 24, 25, 26, 27])
    with pytest.raises(NmcError) as error:
        with_dead_links(program, *links, reserved=reserved)
    assert str(error.value).startswith(
        "network: needs 16 cores, loihi2 has 144 (4 chips of 36), of which 12 are free; largest "
        "layers: conv 14, rec 1, out 1. Dead links cut off 4 of its living cores. ")
    pinned = np.isin(np.arange(144), [24, 25])
    with pytest.raises(NmcError) as error:
        with_dead_links(program, *links, on={"out": pinned})
    assert str(error.value) == (
        "out: needs 1 cores, 0 are left to it. Dead links cut off 4 of its living cores. Allow it "
        "more cores, or reserve fewer.")


def test_expected_traffic_is_that_of_the_run_whose_rates_it_knows(program):
    network = program.network
    inputs = {"input": spikes(network, samples=4)["input"].astype(np.int32)}
    found = simulate(program, inputs, record=("spikes",))
    steps = found.step_s.size
    fired = {"input": inputs["input"], **{n: r["spikes"] for n, r in found.records.items()}}
    rates = np.concatenate([
        np.count_nonzero(fired[node.name], axis=(0, 1)).reshape(-1) / steps
        for node in network.nodes]).astype(np.float32)
    mapping = type(program.mapping)(slices=program.mapping.slices, axons=program.mapping.axons,
                                    rates=rates)
    told = expected_traffic(Program(network=network, mapping=mapping, target=TARGET,
                                    latency=program.latency))
    late = found.counts.hops.sum() - told.hops.sum() * steps  # spikes that fall behind the record
    assert abs(late) <= 0.1 * found.counts.hops.sum()
    assert told.hops.sum() > 0
