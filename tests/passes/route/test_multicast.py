"""Multicast routes reach their targets and nothing else, on any machine with any faults."""

import numpy as np
import pytest
from helpers.random_multicast import delivered, demands, machines, reachable, wanted
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.passes.route import multicast

quick = settings(max_examples=60, deadline=None)


@st.composite
def routed(draw):
    """A machine, what is to be routed on it, and its trees."""
    machine = draw(machines())
    demand = draw(demands(machine))
    lost = any(not set(demand.target[a:b].tolist()) <= reachable(machine, int(chip))
               for chip, a, b in zip(demand.chip, demand.start[:-1], demand.start[1:], strict=True))
    if not lost:
        return machine, demand, multicast.trees(machine, demand)
    with pytest.raises(NmcError, match="no living links lead to chip"):
        multicast.trees(machine, demand)
    empty = multicast.demand(demand.chip, np.ones(len(demand), int), demand.neurons,
                             np.zeros(0, int), np.zeros(0, int))
    return machine, empty, multicast.trees(machine, empty)


@quick
@given(routed())
def test_a_tree_reaches_each_chip_once_over_living_links(case):
    machine, demand, trees = case
    for s in range(len(demand)):
        nodes = range(trees.start[s], trees.start[s + 1])
        chips = trees.chip[trees.start[s]:trees.start[s + 1]].tolist()
        assert len(set(chips)) == len(chips)
        entered = {chips[0]: 6} if chips else {}
        for node in nodes:
            for link in range(6):
                if trees.route[node] >> link & 1:
                    there = int(machine.neighbour[trees.chip[node], link])
                    assert there >= 0
                    assert there not in entered
                    entered[there] = link
        assert entered == {int(trees.chip[n]): int(trees.link[n]) for n in nodes}


@quick
@given(routed())
def test_a_tree_ends_only_where_a_core_receives(case):
    _, demand, trees = case
    for s in range(len(demand)):
        nodes = slice(trees.start[s], trees.start[s + 1])
        assert np.all(trees.route[nodes] > 0)
        reached = {(int(chip), core) for chip, route in zip(trees.chip[nodes], trees.route[nodes],
                                                             strict=True)
                   for core in range(18) if int(route) >> (6 + core) & 1}
        assert reached == wanted(demand, s)


@quick
@given(routed())
def test_a_tree_to_one_chip_is_a_shortest_path(case):
    machine, demand, trees = case
    for s in np.flatnonzero(np.diff(demand.start) == 1):
        goal, level, steps = demand.target[demand.start[s]], {int(demand.chip[s])}, 0
        while goal not in level:
            level |= {int(t) for chip in level for t in machine.neighbour[chip] if t >= 0}
            steps += 1
        assert trees.hops()[s] == steps


@quick
@given(routed(), st.integers(0, 4))
def test_every_key_reaches_its_targets_before_and_after_compression(case, spare):
    machine, demand, trees = case
    keys = multicast.keys(demand, trees, spare)
    arriving = multicast.arrivals(machine, trees, keys)
    plain = multicast.tables(arriving)
    made = multicast.compress(machine, arriving)
    assert len(made) <= len(plain)
    hops = int((trees.hops() * demand.neurons).sum())
    assert multicast.check(machine, demand, keys, plain) == hops
    assert multicast.check(machine, demand, keys, made) == hops


@settings(max_examples=25, deadline=None)
@given(routed())
def test_the_checker_agrees_with_a_router_in_plain_python(case):
    machine, demand, trees = case
    keys = multicast.keys(demand, trees)
    made = multicast.compress(machine, multicast.arrivals(machine, trees, keys))
    for s in range(len(demand)):
        if demand.start[s] == demand.start[s + 1]:
            continue
        for key in {int(keys.key[s]), int(keys.key[s]) + int(demand.neurons[s]) - 1}:
            assert delivered(machine, made, int(demand.chip[s]), key) == wanted(demand, s)


@quick
@given(routed(), st.integers(0, 4))
def test_blocks_of_keys_hold_their_neurons_and_do_not_overlap(case, spare):
    _, demand, trees = case
    keys = multicast.keys(demand, trees, spare)
    size = (~keys.mask).astype(np.int64) + 1
    assert np.all(size >= demand.neurons << spare)
    assert np.all(size < np.maximum(2 * demand.neurons, 2) << spare)
    assert not np.any(keys.key & ~keys.mask)
    order = np.argsort(keys.key)
    assert np.all(np.diff(keys.key[order].astype(np.int64)) >= size[order][:-1])


def test_the_same_demand_gives_the_same_bytes():
    machine = multicast.spin5()
    random = np.random.default_rng(1)
    source, target = np.divmod(random.choice(90 * 90, 2000, replace=False), 90)
    demand = multicast.demand(np.arange(90) // 2, 1 + np.arange(90) % 2, np.full(90, 100), source,
                              target)
    made = []
    for _ in range(2):
        trees = multicast.trees(machine, demand)
        keys = multicast.keys(demand, trees)
        made.append(multicast.compress(machine, multicast.arrivals(machine, trees, keys)))
    for field in ("start", "key", "mask", "route"):
        assert getattr(made[0], field).tobytes() == getattr(made[1], field).tobytes()


def test_more_slices_than_are_clustered_at_once_are_routed():
    machine = multicast.grid(6, 6, wrap=True)
    n = 600
    source = np.repeat(np.arange(n), 3)
    target = (source * 7 + np.tile([1, 50, 300], n)) % n
    demand = multicast.demand(np.arange(n) // 17, 1 + np.arange(n) % 17, np.full(n, 3), source,
                              target)
    trees = multicast.trees(machine, demand)
    keys = multicast.keys(demand, trees)
    made = multicast.compress(machine, multicast.arrivals(machine, trees, keys))
    multicast.check(machine, demand, keys, made)


def test_keys_that_do_not_fit_a_tree_are_packed():
    machine = multicast.grid(1, 1)
    everyone = np.arange(6)
    demand = multicast.demand(np.zeros(6, int), 1 + everyone, np.array([8, 8, 8, 2, 2, 2]),
                              everyone, everyone % 3)
    trees = multicast.trees(machine, demand)
    keys = multicast.keys(demand, trees, spare_bits=27)
    assert sorted(keys.key.tolist()) == [0, 1 << 30, 2 << 30, 3 << 30, 13 << 28, 14 << 28]


def test_more_keys_than_a_packet_has_are_refused():
    machine = multicast.grid(1, 1)
    everyone = np.arange(17)
    demand = multicast.demand(np.zeros(17, int), 1 + everyone, np.full(17, 1), everyone, everyone)
    with pytest.raises(NmcError) as error:
        multicast.keys(demand, multicast.trees(machine, demand), spare_bits=28)
    assert str(error.value) == ("keys: the slices need more than the 2^32 keys of a packet. "
                                "Use fewer spare bits.")


def test_a_slice_on_a_dead_core_is_refused():
    machine = multicast.grid(2, 1, faults=multicast.Faults(cores=((1, 0, 5),)))
    demand = multicast.demand(np.array([0, 1]), np.array([1, 5]), np.array([1, 1]), np.array([0]),
                              np.array([1]))
    with pytest.raises(NmcError) as error:
        multicast.trees(machine, demand)
    assert str(error.value) == ("chip (1, 0): core 5 is dead or the monitor's. "
                                "Place no slice there.")


def test_chips_without_a_way_between_them_are_named():
    machine = multicast.grid(3, 1, faults=multicast.Faults(chips=((1, 0),)))
    demand = multicast.demand(np.array([0, 1]), np.array([1, 1]), np.array([1, 1]), np.array([0]),
                              np.array([1]))
    with pytest.raises(NmcError) as error:
        multicast.trees(machine, demand)
    assert str(error.value) == ("chip (0, 0): no living links lead to chip (2, 0). "
                                "Place the slices on chips that are connected.")


def test_nothing_to_route_needs_no_tables():
    machine, none = multicast.spin5(), np.zeros(0, np.int64)
    demand = multicast.demand(none, none, none, none, none)
    trees = multicast.trees(machine, demand)
    keys = multicast.keys(demand, trees)
    made = multicast.compress(machine, multicast.arrivals(machine, trees, keys))
    assert len(made) == 0
    assert multicast.check(machine, demand, keys, made) == 0
