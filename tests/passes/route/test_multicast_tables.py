"""Golden facts of the router, fewest prefixes, and what the checker refuses."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.passes.route import multicast

EAST, NORTH_EAST, NORTH, WEST = 1, 2, 4, 8
CORE_1, CORE_2 = 1 << 7, 1 << 8
WIDTH = 4  # key bits of the random tables


def _tables(*chips):
    """Tables of rows of key, mask, route for each chip."""
    rows = np.array([row for chip in chips for row in chip], np.int64).reshape(-1, 3)
    start = np.concatenate([[0], np.cumsum([len(chip) for chip in chips])])
    return multicast.Tables(start=start, **{name: rows[:, i].astype(np.uint32)
                                            for i, name in enumerate(("key", "mask", "route"))})


def _line(neurons=1, cores=CORE_1):
    """A row of three chips; a slice on the first sends key 0 (and on) to the last."""
    machine = multicast.grid(3, 1)
    demand = multicast.Demand(
        chip=np.zeros(1, np.int32), neurons=np.array([neurons]), start=np.array([0, 1]),
        target=np.full(1, 2, np.int32), cores=np.array([cores >> 6], np.uint32))
    keys = multicast.Keys(key=np.zeros(1, np.uint32), mask=np.full(1, 0xFFFFFFFC, np.uint32))
    return machine, demand, keys


def test_the_first_entry_that_matches_routes_a_packet():
    made = _tables([(0, 0xFFFFFFFF, EAST), (0, 0, NORTH)], [], [(0, 0, CORE_1), (0, 0, CORE_2)])
    assert multicast.check(*_line(), made) == 2


def test_a_packet_that_nothing_matches_goes_straight_on():
    made = _tables([(0, 0, EAST)], [(1, 0xFFFFFFFF, CORE_2)], [(0, 0, CORE_1)])
    assert multicast.check(*_line(), made) == 2


def test_a_packet_may_go_on_and_to_cores_at_once():
    machine, demand, keys = _line()
    made = _tables([(0, 0, EAST)], [(0, 0, EAST | CORE_2)], [(0, 0, CORE_1)])
    reached = multicast.walk(machine, demand, keys, made)
    assert list(zip(reached.chip.tolist(), reached.cores.tolist(), strict=True)) == [(1, 4), (2, 2)]


@pytest.mark.parametrize(("chips", "fault"), [
    (([], [], [(0, 0, CORE_1)]), "a packet is lost in the router of its own chip"),
    (([(0, 0, EAST)], [], [(0, 0, CORE_2)]), "a packet does not reach its targets"),
    (([(0, 0, EAST)], [(0, 0, 0)], [(0, 0, CORE_1)]), "a packet does not reach its targets"),
    (([(0, 0, EAST | CORE_1)], [], [(0, 0, CORE_1)]), "a packet does not reach its targets"),
    (([(0, 0, EAST)], [], []), "a packet takes a link that is dead or missing"),
    (([(0, 0, EAST)], [(0, 0, WEST)], []), "a packet comes to a chip twice"),
    (([(0, 0, EAST)], [], [(0, 0, 1 << 6)]), "a packet goes to a dead core"),
])
def test_wrong_tables_are_found(chips, fault):
    with pytest.raises(RuntimeError, match=fault):
        multicast.check(*_line(), _tables(*chips))


def test_a_fault_of_one_key_is_found():
    made = _tables([(0, 0, EAST)], [(2, 0xFFFFFFFF, EAST | CORE_1)], [(0, 0, CORE_1)])
    assert multicast.check(*_line(neurons=2), made) == 4
    with pytest.raises(RuntimeError, match="does not reach its targets"):
        multicast.check(*_line(neurons=3), made)


def test_slices_that_share_keys_are_found():
    machine, demand, keys = _line()
    both = multicast.Demand(chip=np.zeros(2, np.int32), neurons=np.ones(2, np.int64),
                            start=np.array([0, 0, 0]), target=demand.target[:0],
                            cores=demand.cores[:0])
    shared = multicast.Keys(key=np.repeat(keys.key, 2), mask=np.repeat(keys.mask, 2))
    with pytest.raises(RuntimeError, match="two slices share keys"):
        multicast.check(machine, both, shared, _tables([], [], []))


def test_a_table_that_does_not_fit_is_refused_by_chip_and_count():
    machine = multicast.grid(1, 1, entries=2)
    everyone = np.arange(3)
    demand = multicast.demand(np.zeros(3, int), 1 + everyone, np.ones(3, int), everyone, everyone)
    trees = multicast.trees(machine, demand)
    arriving = multicast.arrivals(machine, trees, multicast.keys(demand, trees))
    with pytest.raises(NmcError) as error:
        multicast.compress(machine, arriving)
    assert str(error.value) == ("network: chip (0, 0) needs 3 routing entries, it has 2. "
                                "Use more chips, or let fewer populations reach all cores.")


@st.composite
def needs(draw):
    """Blocks of one to four keys of 4 bits, with a route and whether the default serves."""
    blocks, key = [], 0
    while key < 1 << WIDTH:
        free = draw(st.integers(0, 2))
        if key % (1 << free) or draw(st.integers(0, 3)) == 0:
            key += 1
            continue
        route = draw(st.sampled_from([EAST, NORTH, CORE_1, CORE_2]))
        blocks.append((key, free, route, route < CORE_1 and draw(st.booleans())))
        key += 1 << free
    return blocks


def _fewest(blocks):
    """The size of the smallest prefix table, by trying every choice at every prefix."""
    routes = sorted({route for _, _, route, _ in blocks})

    @cache
    def below(first, free, above):
        inside = [b for b in blocks if first <= b[0] < first + (1 << free)]
        if not inside:
            return 0
        best = min((1 + below_with(first, free, route) for route in routes if route != above),
                   default=99)
        return min(best, below_with(first, free, above))

    @cache
    def below_with(first, free, given):
        whole = [b for b in blocks if b[0] <= first and first + (1 << free) <= b[0] + (1 << b[1])]
        if whole:
            return 0 if given == whole[0][2] or (given is None and whole[0][3]) else 99
        if free == 0:
            return 0
        half = 1 << (free - 1)
        return below(first, free - 1, given) + below(first + half, free - 1, given)

    return below(0, WIDTH, None)


def _arrivals(blocks):
    key, free, route, straight = (np.array(column) for column in zip(*blocks, strict=True))
    return multicast.Arrivals(
        start=np.array([0, len(blocks)]), key=key.astype(np.uint32),
        mask=(-1 << free & 0xFFFFFFFF).astype(np.uint32), route=route.astype(np.uint32),
        straight=straight)


def _first_match(made, key):
    for entry in range(len(made)):
        if key & int(made.mask[entry]) == int(made.key[entry]):
            return int(made.route[entry])
    return None


@settings(max_examples=200, deadline=None)
@given(needs())
def test_compression_routes_every_arriving_key_as_before_with_no_more_than_the_fewest_prefixes(
        blocks):
    if not blocks:
        return
    made = multicast.compress(multicast.grid(1, 1), _arrivals(blocks))
    for first, free, route, straight in blocks:
        for key in range(first, first + (1 << free)):
            assert _first_match(made, key) in ((route, None) if straight else (route,))
    assert not np.any(made.key & ~made.mask)
    assert len(made) <= _fewest(blocks)


def test_entries_merge_where_no_prefix_does():
    blocks = [(0, 0, NORTH, False), (1, 0, CORE_1, False), (2, 0, NORTH, False),
              (3, 0, CORE_1, False)]
    made = multicast.compress(multicast.grid(1, 1), _arrivals(blocks))
    assert len(made) == 2 < _fewest(blocks)
    assert [_first_match(made, key) for key in range(4)] == [NORTH, CORE_1, NORTH, CORE_1]


def test_what_goes_straight_on_is_not_caught_by_a_wider_entry():
    blocks = [(0, 0, CORE_1, False), (1, 0, EAST, True), (2, 0, CORE_1, False)]
    made = multicast.compress(multicast.grid(1, 1), _arrivals(blocks))
    assert len(made) == 1
    assert [_first_match(made, key) for key in range(3)] == [CORE_1, None, CORE_1]


def test_what_only_goes_straight_on_needs_no_table():
    blocks = [(0, 0, EAST, True), (1, 0, NORTH, True)]
    assert len(multicast.compress(multicast.grid(1, 1), _arrivals(blocks))) == 0


def test_one_route_for_all_that_arrives_is_one_entry():
    blocks = [(4 * i, 2, CORE_2, False) for i in range(4)]
    made = multicast.compress(multicast.grid(1, 1), _arrivals(blocks))
    assert (made.key.tolist(), made.mask.tolist()) == ([0], [0xFFFFFFF0])


@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_blocks_with_scattered_routes_keep_their_ways(seed):
    random = np.random.default_rng(seed)
    n = 400
    key = np.sort(random.choice(1 << 12, n, replace=False)) << 4
    free = random.integers(0, 5, n)
    straight = random.random(n) < 0.2
    route = np.where(straight, 1 << random.integers(0, 6, n), 1 << random.integers(6, 14, n))
    blocks = list(zip(key, free, route, straight, strict=True))
    made = multicast.compress(multicast.grid(1, 1), _arrivals(blocks))
    keys = (key[:, None] + np.arange(16))[np.arange(16) < 1 << free[:, None]]
    hits = (keys[:, None] & made.mask.astype(np.int64)) == made.key
    got = np.where(hits.any(axis=1), made.route[hits.argmax(axis=1)], 0)
    size = 1 << free
    assert np.all((got == np.repeat(route, size)) | ((got == 0) & np.repeat(straight, size)))
    assert len(made) < 0.8 * np.count_nonzero(~straight)


def test_a_chip_that_1088_slices_reach_needs_one_entry_for_each_of_its_routes():
    machine = multicast.grid(8, 8, wrap=True)
    n = 64 * 17
    source = np.arange(n)
    demand = multicast.demand(source // 17, 1 + source % 17, np.full(n, 4), source, source * 7 % 17)
    trees = multicast.trees(machine, demand)
    keys = multicast.keys(demand, trees)
    arriving = multicast.arrivals(machine, trees, keys)
    assert multicast.tables(arriving).entries()[0] == n > machine.entries[0]
    made = multicast.compress(machine, arriving)
    assert made.entries()[0] == 17
    multicast.check(machine, demand, keys, made)
