"""Networks map around dead cores and links with the same spikes, or the lack is named."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from helpers.networks import board, conv_network, spikes
from helpers.ways import largest_part, links_of, way
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.mapper import map_network
from nmcompile.mapping import Faults
from nmcompile.mapping.capacity import demand, slice_of_neurons
from nmcompile.mapping.constraints import Constraints
from nmcompile.mapping.faults import both_ways, random_faults
from nmcompile.mapping.traffic import ways_around
from nmcompile.mapping.verify import verify_program
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.report import mapping_figures
from nmcompile.simulator import expected_traffic, simulate
from nmcompile.target import load_target
from nmcompile.target.topology import EAST, SOUTH, board_width, tile_number

BACKEND = backend("loihi")


def loihi1(chips, width, height, **core):
    like, target = board(chips, width, height, **core), load_target("loihi1")
    return target.model_copy(update={"core": target.core.model_copy(update={
        "neurons": like.core.neurons}), "board": like.board.model_copy(update={
            "cores_per_tile": target.board.cores_per_tile})})


TARGETS = {
    "one chip of Loihi 2": board(1, 8, 4, neurons=24),
    "four small chips": board(4, 2, 3, neurons=24),
    "two chips of Loihi 1": loihi1(2, 4, 2, neurons=12),
}


@cache
def mapped(name):
    network = conv_network(sorted(TARGETS).index(name))
    inputs = spikes(network)
    traced = Traced(network=network, inputs=inputs, expected=run(network, inputs).records)
    return compile_stage(traced, TARGETS[name]).program


@cache
def records(program):
    """Spikes and states before faults."""
    return simulate(program, few(program), record=("spikes", "v", "u")).records


def few(program):
    return {"input": spikes(program.network, samples=2, steps=16)["input"].astype(np.int32)}


def remapped(program, faults):
    return verify_program(map_network(
        program.network, program.target, BACKEND, program.mapping.rates,
        Constraints(faults=faults))[0])


@settings(max_examples=10, deadline=None)
@given(name=st.sampled_from(sorted(TARGETS)), cores=st.floats(0, 0.2), links=st.floats(0, 0.2),
       seed=st.integers(0, 10**6))
def test_faults_leave_the_spikes_as_they_are_or_lack_is_named(name, cores, links, seed):
    program = mapped(name)
    target, faults = program.target, random_faults(TARGETS[name], cores, links, seed)
    part = largest_part(target, set(faults.links.tolist()))
    usable = np.isin(tile_number(target, np.arange(target.n_cores)), sorted(part))
    usable[faults.cores] = False
    short = np.count_nonzero(usable) < len(program.mapping.slices)  # sharing cores may do
    if 0 not in part and not short:
        with pytest.raises(NmcError, match=r"^input to conv: no way leads from tile 0,0 to"):
            remapped(program, faults)
    else:
        try:
            moved = remapped(program, faults)
        except NmcError:
            assert short
            return
        assert usable[moved.mapping.slices.core].all()
        assert expected_traffic(moved).loads[faults.links].sum() == 0
        found = simulate(moved, few(program), record=("spikes", "v", "u")).records
        for population, record in records(program).items():
            for variable, values in record.items():
                np.testing.assert_array_equal(found[population][variable], values)


def hops_of(program, bent):
    """Packets times hops in a step, source by source and axon by axon."""
    target, mapping, network = program.target, program.mapping, program.network
    tiles, at = board_width(target) * target.board.mesh_height.value, iter(mapping.rates)
    rates = {node.name: [float(next(at)) for _ in range(node.size)] for node in network.nodes}
    names, total = [p.name for p in network.populations], 0.0
    tile = tile_number(target, mapping.slices.core)
    ways = ways_around(network, mapping.slices, mapping.axons, mapping.faults, target)
    between = {divmod(int(pair), tiles): ways.via[a:b].tolist() for pair, a, b
               in zip(ways.pair, ways.start[:-1], ways.start[1:], strict=True)} if bent else {}
    for p, axons in zip(network.projections, mapping.axons, strict=True):
        owner = (tile[slice_of_neurons(network, mapping.slices, names.index(p.source))]
                 if p.source in names else np.zeros(len(axons.start) - 1, int))
        for source, rate in enumerate(rates[p.source]):
            for box in axons.slice[axons.start[source] : axons.start[source + 1]]:
                a, b = int(owner[source]), int(tile[box])
                total += rate * len(links_of(target, way(target, [a, *between.get((a, b), []), b])))
    return total


def test_the_loss_is_the_hops_of_the_ways_around_beside_those_of_straight_ones():
    program = mapped("four small chips")
    faults = random_faults(program.target, 0.2, 0.25, 7)
    moved = remapped(program, faults)
    figures = mapping_figures(moved, demand(moved.network, moved.mapping, moved.target, BACKEND))
    lost = figures["faults"]
    assert (lost["cores"], lost["links"]) == (len(faults.cores), len(faults.links))
    assert (lost["bent"], lost["most_legs"]) == (5, 3)
    assert figures["hops"] == pytest.approx(hops_of(moved, bent=True))
    assert lost["hops_straight"] == pytest.approx(hops_of(moved, bent=False))
    assert figures["hops"] > lost["hops_straight"]


def test_without_dead_parts_no_loss_is_told():
    program = mapped("four small chips")
    needs = demand(program.network, program.mapping, program.target, BACKEND)
    assert mapping_figures(program, needs)["faults"] is None


def test_living_cores_that_are_cut_off_are_counted():
    program = mapped("one chip of Loihi 2")
    corner = 7  # of the first row
    faults = Faults(links=both_ways(program.target, np.array([(corner - 1) * 4 + EAST,
                                                              corner * 4 + SOUTH])))
    moved = remapped(program, faults)
    needs = demand(moved.network, moved.mapping, moved.target, BACKEND)
    assert mapping_figures(moved, needs)["faults"]["cut_off"] == 4
