"""Splitters feed what a neuron cannot feed itself, and no spike of the network changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import truenorth_machine
from helpers.fanning_truenorth import fanning, sent_to, small_cores
from helpers.networks import every_step
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.ir import Network, run_aligned
from nmcompile.ir.neurons.base import is_splitter
from nmcompile.mapper import Recorded, cut, map_again, map_network
from nmcompile.mapping.capacity import demand
from nmcompile.mapping.verify import verify_program
from nmcompile.passes.partition.shares import share
from nmcompile.passes.partition.splitters import own_lines
from nmcompile.registry import backend
from nmcompile.target import Target

TRUENORTH = backend("truenorth")


def mapped(network: Network, target: Target):
    program, _ = map_network(network, target, TRUENORTH, every_step(network))
    return verify_program(program)


def splitters(network: Network) -> dict[str, int]:
    return {p.name: p.size for p in network.populations if is_splitter(p.neuron)}


def assert_same(before: Network, after: Network, seed: int) -> int:
    """No state and spike of `before` differs in `after`; its spikes."""
    sent = sent_to(before, seed)
    wanted = run_aligned(before, before.lags, sent).records
    found = run_aligned(after, after.lags, sent).records
    for name, record in wanted.items():
        for variable, values in record.items():
            np.testing.assert_array_equal(found[name][variable], values)
    return sum(int(record["spikes"].sum()) for record in wanted.values())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), hidden=st.integers(1, 6), wide=st.integers(20, 120),
       lines=st.integers(6, 20), neurons=st.integers(2, 9))
def test_with_splitters_every_spike_and_state_is_the_same(seed, hidden, wide, lines, neurons):
    network = fanning(seed, hidden, wide)
    target = small_cores(output_axons=lines, neurons=neurons)
    try:
        program = mapped(network, target)
    except NmcError as error:  # a self-loop of so many neurons needs its lines at once
        assert hidden > lines // 2, str(error)  # noqa: PT017
        return
    needs = demand(program.network, program.mapping, target, TRUENORTH)
    assert needs.output_axons.max() <= lines
    assert max(p.delay for p in program.network.projections) <= 15
    assert_same(network, program.network, seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_chip_spikes_as_the_network_did_without_splitters(tmp_path, seed):
    network = fanning(seed)
    program = mapped(network, small_cores(output_axons=12, neurons=6))
    assert splitters(program.network)
    TRUENORTH.emit(program, tmp_path)
    sent, spikes = sent_to(network, seed), 0
    wanted = run_aligned(network, network.lags, sent).records
    heard = truenorth_machine.run(tmp_path, {"in": sent["in"][0]}, {"out": 6, "hidden": 5}, 50)
    for name in ("out", "hidden"):
        begin = program.latency[name]
        np.testing.assert_array_equal(heard[name][begin : begin + 40], wanted[name]["spikes"][0])
        spikes += int(heard[name].sum())
    assert spikes > 100


def test_where_the_copies_of_a_core_suffice_nothing_changes():
    network = fanning(0)
    assert mapped(network, small_cores(neurons=6)).network is network


def test_of_a_layer_that_feeds_others_in_parts_each_part_goes_through_splitters():
    whole = fanning(2)
    parts = [share(p, number, 2) for p in whole.outgoing("hidden") for number in (1, 0)]
    network = replace(whole, projections=(
        *(p for p in whole.projections if p.source != "hidden"), *parts))
    program = mapped(network, small_cores(output_axons=12, neurons=6))
    assert splitters(program.network)
    assert assert_same(whole, program.network, 2) > 100


def test_splitters_are_as_few_as_can_be():
    network = fanning(0, hidden=1, wide=90)
    program = mapped(network, small_cores(output_axons=8, neurons=3))
    reached = 1 + 30 + 2 + 1  # itself, wide, out, and the host
    most = 8 + 7 * splitters(program.network)["hidden.split"]
    assert most >= reached > most - 7


def test_more_lines_than_one_row_of_splitters_feeds_take_a_tree():
    network = fanning(1, hidden=1, wide=120)
    program = mapped(network, small_cores(output_axons=6, neurons=2))
    assert set(splitters(program.network)) == {"hidden.split", "hidden.split.split"}
    assert assert_same(network, program.network, 1) > 100


@settings(max_examples=200, deadline=None)
@given(others=st.integers(0, 4000), fewer=st.integers(0, 4000), fixed=st.integers(0, 9),
       most=st.integers(12, 64), heard=st.booleans())
def test_what_is_left_to_a_neuron_is_enough_for_those_that_reach_less(
    others, fewer, fixed, most, heard
):
    own, fewer = own_lines(others, fixed, heard, most), min(fewer, others)
    assert own <= most
    relays = np.arange(most + 1)
    ways = np.maximum(0, fewer - most * relays) + relays + fixed + heard
    if others < most:
        assert (own == others + fixed) == (others + fixed + heard <= most)
    if others + fixed + heard > most and own < most:
        assert ways.min() <= own


def test_a_loop_without_a_step_to_spare_is_refused():
    with pytest.raises(NmcError) as error:
        mapped(fanning(0, hidden=40), small_cores(output_axons=8, neurons=2))
    assert str(error.value) == (
        "hidden: needs 22 output axons on one core, truenorth has 8 (published: core.output_axons). "
        "With a delay of 3 steps in hidden -> hidden splitters may stand there.")


def test_a_loop_with_a_step_to_spare_may_go_through_splitters():
    network = fanning(0, hidden=40, loop=3)
    program = mapped(network, small_cores(output_axons=8, neurons=2))
    assert assert_same(network, program.network, 0) > 100


def test_a_delay_that_becomes_longer_than_the_chips_is_refused():
    with pytest.raises(NmcError) as error:
        mapped(fanning(0, skip=14), small_cores(output_axons=12, neurons=6))
    assert "needs a delay of 16 steps, the chip has at most 15" in str(error.value)


def test_a_build_with_splitters_is_placed_anew_and_keeps_its_slices():
    network = fanning(0)
    program = mapped(network, small_cores(output_axons=12, neurons=6))
    moved, _ = map_again(program, TRUENORTH, None, Recorded())
    assert moved.network is program.network
    np.testing.assert_array_equal(moved.mapping.slices.high, program.mapping.slices.high)
    assert splitters(program.network)


@pytest.mark.parametrize(("option", "asked"), [
    ("--search", {"recorded": Recorded(typical={})}),
    ("--partitioner", {"partitioner": "auto", "recorded": Recorded()})])
def test_a_build_with_splitters_is_not_cut_anew(option, asked):
    program = mapped(fanning(0), small_cores(output_axons=12, neurons=6))
    with pytest.raises(NmcError) as error:
        map_again(program, TRUENORTH, None, **asked)
    assert str(error.value) == (
        f"{option}: cuts layers anew, and the splitters of this build belong to its slices. Leave "
        "it out, or compile the model with it.")


def test_a_splitter_has_the_rate_of_the_neuron_behind_which_it_stands():
    network = fanning(0, wide=60)
    found = cut(network, small_cores(output_axons=12, neurons=6), TRUENORTH, every_step(network))
    rates = np.arange(sum(node.size for node in network.nodes))[found.origin]
    begins = np.cumsum([0] + [node.size for node in found.network.nodes])
    names = [node.name for node in found.network.nodes]
    mine = rates[begins[names.index("hidden.split")]:]
    link = next(p for p in found.network.projections if p.target == "hidden.split")
    parents = 8 + np.repeat(np.arange(5), np.diff(link.map.start))
    np.testing.assert_array_equal(mine[link.map.target], parents)
