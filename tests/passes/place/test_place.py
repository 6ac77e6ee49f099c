"""Placement puts every slice on a core of its own and leaves no swap that shortens the wire."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import conv_network, small_target, spikes

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.mapping.capacity import slice_of_neurons
from nmcompile.passes.partition import partition
from nmcompile.passes.place import place
from nmcompile.passes.route import route
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.target.topology import tile_position


def packet_hops(network, slices, axons, target, rates):
    """Packets in a step times tiles between their two ends; inputs enter at tile (0, 0)."""
    at = tile_position(target, slices.core)
    index = {p.name: i for i, p in enumerate(network.populations)}
    total = 0.0
    for projection, axon in zip(network.projections, axons, strict=True):
        rate = rates[projection.source].reshape(-1)
        inside = projection.source in index
        owner = slice_of_neurons(network, slices, index[projection.source]) if inside else None
        for i, r in enumerate(rate):
            here = at[owner[i]] if inside else np.zeros(2)
            for k in range(axon.start[i], axon.start[i + 1]):
                total += r * np.abs(at[axon.slice[k]] - here).sum()
    return total


@pytest.fixture(scope="module")
def routed():
    network, target = conv_network(), small_target(neurons=12)
    inputs = spikes(network)
    expected = run(network, inputs).records
    traced = Traced(network=network, inputs=inputs, expected=expected)
    integer = compile_stage(traced, target).program.network
    slices = partition(integer, target, backend(target.family))
    rng = np.random.default_rng(3)
    rates = {p.name: rng.uniform(0, 1, p.shape) for p in (*integer.inputs, *integer.populations)}
    return integer, target, slices, route(integer, slices), rates


def test_slices_stand_on_cores_of_their_own(routed):
    network, target, slices, axons, rates = routed
    placed = place(network, slices, axons, target, rates)
    assert len(slices) > 20
    assert len(np.unique(placed.core)) == len(slices)
    assert placed.core.min() >= 0
    assert placed.core.max() < target.n_cores


def test_no_swap_of_two_slices_lowers_packets_times_hops(routed):
    network, target, slices, axons, rates = routed
    placed = place(network, slices, axons, target, rates)
    best = packet_hops(network, placed, axons, target, rates)
    rng = np.random.default_rng(0)
    for _ in range(60):
        a, b = rng.choice(len(slices), 2, replace=False)
        core = placed.core.copy()
        core[[a, b]] = core[[b, a]]
        swapped = packet_hops(network, replace(placed, core=core), axons, target, rates)
        assert swapped >= best - 1e-6


def test_a_placement_beats_a_shuffled_one(routed):
    network, target, slices, axons, rates = routed
    placed = place(network, slices, axons, target, rates)
    best = packet_hops(network, placed, axons, target, rates)
    for seed in range(5):
        core = np.random.default_rng(seed).permutation(placed.core)
        shuffled = packet_hops(network, replace(placed, core=core), axons, target, rates)
        assert best < 0.9 * shuffled


def test_only_free_cores_are_used(routed):
    network, target, slices, axons, rates = routed
    free = np.arange(target.n_cores) % 3 > 0
    placed = place(network, slices, axons, target, rates, free=free)
    assert free[placed.core].all()
    assert len(np.unique(placed.core)) == len(slices)


def test_a_rule_keeps_slices_on_its_cores(routed):
    network, target, slices, axons, rates = routed
    chip = np.arange(target.n_cores) // target.cores_per_chip
    pin = np.arange(target.n_cores) == 77
    rules = [(np.array([0, 3, 5]), chip == 1), (np.array([5, 8]), chip <= 1), (np.array([2]), pin)]
    placed = place(network, slices, axons, target, rates, allowed=rules)
    assert np.all(chip[placed.core[[0, 3, 5]]] == 1)
    assert placed.core[2] == 77
    others = np.setdiff1d(np.arange(len(slices)), [0, 3, 5])
    assert np.all(chip[placed.core[others]] == 0)


def test_slices_that_belong_together_share_a_core(routed):
    network, target, slices, axons, rates = routed
    together = np.arange(len(slices)) // 2 + 7
    placed = place(network, slices, axons, target, rates, together=together)
    np.testing.assert_array_equal(placed.core[0::2][: len(slices) // 2], placed.core[1::2])
    assert len(np.unique(placed.core)) == len(np.unique(together))


def test_too_few_free_cores_are_refused(routed):
    network, target, slices, axons, rates = routed
    free = np.arange(target.n_cores) < 20
    with pytest.raises(NmcError) as error:
        place(network, slices, axons, target, rates, free=free)
    assert str(error.value) == (
        f"network: needs {len(slices)} cores, loihi2 has 20 that may be used. Use a target with "
        "more chips, or make its largest layers smaller.")


def test_two_slices_pinned_to_one_core_are_refused(routed):
    network, target, slices, axons, rates = routed
    pin = np.arange(target.n_cores) == 4
    with pytest.raises(NmcError) as error:
        place(network, slices, axons, target, rates, allowed=[(np.array([1, 2]), pin)])
    assert str(error.value) == (
        "network: 2 of its slices may stand on some cores only, which are too few for them. "
        "Allow them more cores.")
