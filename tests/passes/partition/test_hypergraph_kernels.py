"""The kernels' tables and gains equal what is computed anew from their definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.passes.partition.hypergraph import Hypergraph, km1
from nmcompile.passes.partition.hypergraph import _bisect_kernels as bisect
from nmcompile.passes.partition.hypergraph import _heap_kernels as heaps
from nmcompile.passes.partition.hypergraph import _level_kernels as levels
from nmcompile.passes.partition.hypergraph import _parts_kernels as parts
from nmcompile.passes.partition.hypergraph import _refine_kernels as refine
from nmcompile.passes.partition.hypergraph import _sides_kernels as sides

FEW = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 2**32)


def random_level(seed, n=None):
    rng = np.random.default_rng(seed)
    n = n or int(rng.integers(2, 40))
    sizes = rng.integers(2, min(n, 8) + 1, rng.integers(1, 60))
    nets = [rng.choice(n, size, replace=False) for size in sizes]
    start = np.cumsum([0] + [len(net) for net in nets]).astype(np.int64)
    pins = np.concatenate(nets).astype(np.int32)
    weight = rng.integers(1, 20, len(nets)).astype(np.int64)
    return levels.build(start, pins, weight, rng.integers(1, 4, n).astype(np.int64)), rng


def cost(level, part):
    graph = Hypergraph(start=level.start, pins=level.pins, net_weight=level.weight,
                       vertex_weight=level.vertex_weight)
    return km1(graph, part, int(part.max()) + 1)


def tables(level, part, k):
    """The fields of `Parts` from their definition."""
    n, nets = len(part), len(level.weight)
    count = np.zeros((nets, k), int)
    for e in range(nets):
        for v in level.pins[level.start[e] : level.start[e + 1]]:
            count[e, part[v]] += 1
    reached, alone, total = np.zeros((n, k), int), np.zeros(n, int), np.zeros(n, int)
    for e in range(nets):
        for v in level.pins[level.start[e] : level.start[e + 1]]:
            reached[v] += level.weight[e] * (count[e] > 0)
            alone[v] += level.weight[e] * (count[e, part[v]] == 1)
            total[v] += level.weight[e]
    load = np.bincount(part, level.vertex_weight, k).astype(int)
    return load, count, reached, alone, total


def check_tables(level, state, k):
    for actual, expected in zip(state[1:], tables(level, state.part, k), strict=True):
        assert np.array_equal(actual, expected)


@FEW
@given(SEEDS, st.integers(2, 6))
def test_tables_follow_every_move_and_gains_are_what_km1_loses(seed, k):
    level, rng = random_level(seed)
    n = len(level.vertex_weight)
    state = parts.parts_of(level, rng.integers(0, k, n).astype(np.int32), k)
    check_tables(level, state, k)
    touched, stamp = np.empty(n, np.int32), np.full(n, -1, np.int64)
    for now in range(15):
        v, b = int(rng.integers(n)), int(rng.integers(k))
        if state.part[v] == b:
            continue
        before = cost(level, state.part)
        gain = int(state.alone[v] + state.reached[v, b] - state.total[v])
        parts.move(level, state, v, b, touched, stamp, now)
        assert before - cost(level, state.part) == gain
        check_tables(level, state, k)


@FEW
@given(SEEDS, st.integers(2, 6))
def test_the_best_move_has_the_largest_gain_of_all_parts_with_room(seed, k):
    level, rng = random_level(seed)
    n = len(level.vertex_weight)
    state = parts.parts_of(level, rng.integers(0, k, n).astype(np.int32), k)
    limit = int(state.load.max())
    for v in range(n):
        gains = {b: int(state.alone[v] + state.reached[v, b] - state.total[v]) for b in range(k)
                 if b != state.part[v] and state.load[b] + level.vertex_weight[v] <= limit}
        gain, target = parts.best_move(state, v, level.vertex_weight[v], limit)
        if gains:
            assert gain == gains[target] == max(gains.values())
        else:
            assert target == -1


@FEW
@given(SEEDS, st.integers(2, 6))
def test_a_pass_lowers_km1_by_what_it_says_and_overloads_no_part(seed, k):
    level, rng = random_level(seed)
    state = parts.parts_of(level, rng.integers(0, k, len(level.vertex_weight)).astype(np.int32), k)
    before, limit = cost(level, state.part), int(state.load.max())
    gain = refine.pass_over(level, state, limit, 50, 0)
    assert gain >= 0
    assert before - cost(level, state.part) == gain
    assert state.load.max() <= limit
    check_tables(level, state, k)


@FEW
@given(SEEDS, st.integers(2, 6))
def test_rebalancing_says_whether_the_parts_fit_and_keeps_the_tables(seed, k):
    level, rng = random_level(seed)
    n = len(level.vertex_weight)
    state = parts.parts_of(level, np.minimum(rng.integers(0, 2 * k, n), k - 1).astype(np.int32), k)
    limit = -(-int(level.vertex_weight.sum()) // k) + 3
    assert refine.rebalance(level, state, limit) == bool(np.all(state.load <= limit))
    assert np.all(state.load <= limit)  # there is room for one more vertex in the lightest part
    check_tables(level, state, k)


def check_sides(level, state):
    """Each gain is what the cut loses if the vertex changes sides."""
    before = cost(level, state.side)
    for v in range(len(state.side)):
        other = state.side.copy()
        other[v] = 1 - other[v]
        assert state.gain[v] == before - cost(level, other)
    assert sides.cut_weight(level, state) == before
    assert np.array_equal(state.load, np.bincount(state.side, level.vertex_weight, 2))


@FEW
@given(SEEDS)
def test_gains_of_two_sides_follow_every_switch(seed):
    level, rng = random_level(seed)
    n = len(level.vertex_weight)
    state = sides.sides_of(level, rng.integers(0, 2, n).astype(np.int32))
    check_sides(level, state)
    touched, stamp = np.empty(n, np.int32), np.full(n, -1, np.int64)
    for now in range(6):
        sides.switch(level, state, int(rng.integers(n)), touched, stamp, now)
        check_sides(level, state)


@FEW
@given(SEEDS)
def test_a_pass_over_two_sides_never_worsens_overweight_or_cut(seed):
    level, rng = random_level(seed)
    state = sides.sides_of(level, rng.integers(0, 2, len(level.vertex_weight)).astype(np.int32))
    limit = np.full(2, level.vertex_weight.sum() // 2 + 2)
    before = (sides.overweight(state.load, limit), cost(level, state.side))
    better = sides.pass_over(level, state, limit, 20)
    after = (sides.overweight(state.load, limit), cost(level, state.side))
    assert after < before if better else after == before
    check_sides(level, state)


@FEW
@given(SEEDS)
def test_relabelled_nets_are_sets_of_two_or_more_and_equal_ones_are_one(seed):
    level, rng = random_level(seed)
    n = len(level.vertex_weight)
    label = rng.integers(-1, max(2, n // 3), n).astype(np.int32)
    start, pins, weight = levels.relabelled(level.start, level.pins, level.weight, label, n)
    expected = {}
    for e, w in enumerate(level.weight):
        net = frozenset(label[level.pins[level.start[e] : level.start[e + 1]]].tolist()) - {-1}
        if len(net) > 1:
            expected[net] = expected.get(net, 0) + w
    actual = {frozenset(pins[a:b].tolist()): w
              for a, b, w in zip(start[:-1], start[1:], weight, strict=True)}
    assert actual == expected
    assert len(pins) == sum(map(len, expected))


@FEW
@given(SEEDS, st.integers(3, 9))
def test_clusters_stay_within_the_weight_and_are_numbered_without_gaps(seed, heaviest):
    level, _ = random_level(seed)
    label, count = levels.clustered(level, heaviest, 1, 100, 5)
    assert sorted(set(label.tolist())) == list(range(count))
    assert np.bincount(label, level.vertex_weight).max() <= heaviest
    coarse = levels.contracted(level, label, count)
    part = np.arange(count) % 3
    assert coarse.vertex_weight.sum() == level.vertex_weight.sum()
    assert cost(coarse, part) == cost(level, part[label])


def test_clustering_stops_at_the_wanted_number():
    level, _ = random_level(7, n=38)
    assert levels.clustered(level, 10**6, 20, 100, 5)[1] == 20


@FEW
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-50, 50)), max_size=60))
def test_the_heap_gives_the_largest_key_and_the_smaller_vertex_of_equals(entries):
    heap, place, key = np.empty(10, np.int32), np.full(10, -1, np.int32), np.zeros(10, np.int64)
    size, model = 0, {}
    for vertex, value in entries:
        size = heaps.push(vertex, value, size, heap, place, key)
        model[vertex] = value
    for _ in range(len(model)):
        first = min(model, key=lambda v: (-model[v], v))
        assert heap[0] == first
        size = heaps.pop(size, heap, place, key)
        del model[first]
    assert size == 0


def test_two_cliques_are_told_apart():
    nets = [(i, j) for half in (0, 20) for i in range(half, half + 20) for j in range(i)
            if j >= half] + [(0, 20)]  # fmt: skip
    start = np.arange(0, 2 * len(nets) + 1, 2).astype(np.int64)
    level = levels.build(start, np.array(nets, np.int32).reshape(-1),
                         np.ones(len(nets), np.int64), np.ones(40, np.int64))
    side = bisect.bisected(level, 20, np.array([21, 21]), 10, 1)
    assert cost(level, side) == 1


@FEW
@given(SEEDS)
def test_a_side_holds_its_vertices_and_the_nets_cut_to_it(seed):
    level, rng = random_level(seed)
    part = rng.integers(0, 2, len(level.vertex_weight)).astype(np.int32)
    half, inside = bisect.side_of(level, part, 1)
    assert np.array_equal(inside, np.flatnonzero(part == 1))
    assert np.array_equal(half.vertex_weight, level.vertex_weight[inside])
    nets = {frozenset(inside[half.pins[a:b]].tolist())
            for a, b in zip(half.start[:-1], half.start[1:], strict=True)}
    cut = [set(level.pins[a:b].tolist()) & set(inside.tolist())
           for a, b in zip(level.start[:-1], level.start[1:], strict=True)]
    assert nets == {frozenset(net) for net in cut if len(net) > 1}


def test_a_permutation_is_complete_and_depends_on_the_seed_alone():
    assert sorted(levels.shuffled(50, 3).tolist()) == list(range(50))
    assert np.array_equal(levels.shuffled(50, 3), levels.shuffled(50, 3))
    assert not np.array_equal(levels.shuffled(50, 3), levels.shuffled(50, 4))
