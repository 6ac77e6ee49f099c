"""Parts keep their balance, are the same every time, and let nets reach few of them."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.passes.partition.hypergraph import Hypergraph, cut, km1

FEW = settings(max_examples=40, deadline=None)


def hypergraph(nets, n, net_weight=None, vertex_weight=None):
    start = np.cumsum([0] + [len(net) for net in nets]).astype(np.int64)
    pins = np.array([pin for net in nets for pin in net], np.int32)
    net_weight = np.ones(len(nets), np.int64) if net_weight is None else np.asarray(net_weight)
    vertex_weight = np.ones(n, np.int64) if vertex_weight is None else np.asarray(vertex_weight)
    return Hypergraph(start=start, pins=pins, net_weight=net_weight, vertex_weight=vertex_weight)


def heaviest_part(graph, part, k):
    return np.bincount(part, graph.vertex_weight, k).max(initial=0)


def planted(groups, size, seed, crossing=0.02):
    """Nets of 4 within groups of `size` vertices, a few across; vertex numbers are shuffled."""
    rng = np.random.default_rng(seed)
    n = groups * size
    name = rng.permutation(n)
    nets = []
    for v in range(n):
        for _ in range(3):
            pool = np.arange(n) if rng.random() < crossing else v // size * size + np.arange(size)
            nets.append(name[np.append(rng.choice(pool, 3, replace=False), v)].tolist())
    return hypergraph(nets, n), name


def local(side, seed, fan_out=12):
    """Each neuron of a sheet and its targets nearby."""
    rng = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(side * side), side)
    shift = rng.normal(0, 2, (2, side * side, fan_out)).round().astype(int)
    target = (row[:, None] + shift[0]) % side * side + (column[:, None] + shift[1]) % side
    nets = [[v, *targets] for v, targets in enumerate(target.tolist())]
    return hypergraph(nets, side * side, rng.integers(1, 50, side * side))


@st.composite
def hypergraphs(draw, heaviest=1):
    n = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = rng.integers(0, draw(st.integers(1, 12)) + 1, draw(st.integers(0, 80)))
    nets = [rng.integers(0, n, size).tolist() for size in sizes]
    weight = rng.integers(0, 10, len(nets))
    if draw(st.booleans()):
        weight = weight * 0.37
    return hypergraph(nets, n, weight, rng.integers(0, heaviest + 1, n))


def test_km1_counts_the_further_parts_of_each_net_by_weight():
    graph = hypergraph([[0, 1, 2], [2, 3], [3], []], 4, [5, 2, 7, 9])
    assert km1(graph, np.array([0, 1, 2, 2]), 3) == 5 * 2


@FEW
@given(hypergraphs(), st.integers(1, 9))
def test_km1_equals_its_definition(graph, k):
    part = np.random.default_rng(0).integers(0, k, graph.n_vertices)
    expected = 0.0
    for e, weight in enumerate(graph.net_weight):
        touched = {part[pin] for pin in graph.pins[graph.start[e] : graph.start[e + 1]]}
        expected += weight * max(0, len(touched) - 1)
    assert km1(graph, part, k) == pytest.approx(expected)


@FEW
@given(hypergraphs(), st.integers(1, 80), st.sampled_from([0.0, 0.05, 0.5]))
def test_every_vertex_is_in_one_part_and_no_part_is_overweight(graph, k, imbalance):
    limit = math.ceil((1 + imbalance) * int(graph.vertex_weight.sum()) / k)
    part = cut(graph, k, imbalance=imbalance)
    assert part.shape == (graph.n_vertices,)
    assert part.dtype == np.int32
    assert np.all((part >= 0) & (part < k))
    assert heaviest_part(graph, part, k) <= limit


def test_the_same_arguments_give_the_same_parts_and_another_seed_other_ones():
    graph = local(20, seed=1)
    assert np.array_equal(cut(graph, 8, seed=3), cut(graph, 8, seed=3))
    assert not np.array_equal(cut(graph, 8, seed=3), cut(graph, 8, seed=4))


def test_the_graph_is_left_as_it_was():
    graph = local(12, seed=1)
    before = [graph.start.copy(), graph.pins.copy(), graph.net_weight.copy()]
    cut(graph, 4)
    for array, copy in zip((graph.start, graph.pins, graph.net_weight), before, strict=True):
        assert np.array_equal(array, copy)


@pytest.mark.parametrize(("groups", "size"), [(2, 40), (8, 40), (16, 120)])
def test_planted_groups_are_found(groups, size):
    graph, name = planted(groups, size, seed=groups)
    part = cut(graph, groups)
    truth = np.empty(len(name), np.int64)
    truth[name] = np.arange(len(name)) // size
    assert km1(graph, part, groups) <= km1(graph, truth, groups)


def test_parts_of_a_local_network_cost_far_less_than_random_ones():
    graph = local(60, seed=0)
    random = np.random.default_rng(0).permutation(np.arange(3600) % 36)
    assert km1(graph, cut(graph, 36), 36) < 0.4 * km1(graph, random, 36)


@pytest.mark.parametrize("fan_out", [60, 120])
def test_layers_connected_at_random_are_cut_as_well_as_layer_by_layer(fan_out):
    rng = np.random.default_rng(0)
    nets = [[v, *(600 * (v // 600 + 1) + rng.choice(600, fan_out, replace=False)).tolist()]
            for v in range(1800)]
    graph = hypergraph(nets, 2400)
    by_layer = np.arange(2400) // 150
    assert km1(graph, cut(graph, 16), 16) < 1.03 * km1(graph, by_layer, 16)


def test_weights_of_nets_decide_which_are_cut():
    graph = hypergraph([[0, 1], [2, 3], [1, 2]], 4, [1, 1, 5])
    part = cut(graph, 2)
    assert part[1] == part[2]
    graph = hypergraph([[0, 1], [2, 3], [1, 2], [0, 3]], 4, [0.5, 0.5, 0.001, 0.001])
    part = cut(graph, 2)
    assert km1(graph, part, 2) == pytest.approx(0.002)


def test_a_vertex_that_a_net_lists_twice_counts_once():
    once = hypergraph([[0, 1], [2, 3], [1, 2]], 4, [5, 5, 1])
    twice = hypergraph([[0, 1, 1, 0], [2, 3, 2], [1, 2]], 4, [5, 5, 1])
    assert np.array_equal(cut(once, 2), cut(twice, 2))
    assert km1(once, cut(once, 2), 2) == km1(twice, cut(twice, 2), 2) == 1


@pytest.mark.parametrize("nets", [[], [list(range(50))], [[3]], [[]]],
                         ids=["none", "giant", "one pin", "empty"])
def test_nets_that_say_nothing_leave_a_balanced_partition(nets):
    part = cut(hypergraph(nets, 50), 7)
    assert np.bincount(part, minlength=7).max() <= math.ceil(1.05 * 50 / 7)


def test_one_part_holds_everything():
    assert np.array_equal(cut(local(8, seed=0), 1), np.zeros(64, np.int32))


def test_more_parts_than_vertices_leave_parts_empty():
    part = cut(hypergraph([[0, 1, 2]], 3), 10)
    assert sorted(np.bincount(part, minlength=10)) == [0] * 7 + [1] * 3


def test_a_hypergraph_without_vertices_has_no_parts_to_assign():
    assert cut(hypergraph([], 0), 5).shape == (0,)


def test_vertices_without_weight_may_lie_anywhere_and_follow_their_nets():
    graph = hypergraph([[0, 1], [2, 3]], 4, vertex_weight=[1, 0, 1, 0])
    part = cut(graph, 2, imbalance=0.0)
    assert km1(graph, part, 2) == 0
    assert part[0] != part[2]
    assert cut(hypergraph([[0, 1]], 2, vertex_weight=[0, 0]), 2).shape == (2,)


def test_nets_without_weight_do_not_matter():
    with_zero = hypergraph([[0, 1], [2, 3], [0, 2], [1, 3]], 4, [1, 1, 0, 0])
    assert km1(with_zero, cut(with_zero, 2), 2) == 0


def test_very_large_weights_of_nets_do_not_overflow():
    graph = hypergraph([[0, 1], [2, 3], [0, 2], [1, 3]], 4, np.array([9, 9, 1, 1]) * 10**15)
    assert km1(graph, cut(graph, 2), 2) == 2 * 10**15


def test_a_table_too_large_is_avoided_by_halving(monkeypatch):
    graph = local(20, seed=0)
    monkeypatch.setattr(sys.modules[cut.__module__], "TABLE", 2000)
    part = cut(graph, 16)
    assert heaviest_part(graph, part, 16) <= math.ceil(1.05 * 400 / 16)
    assert km1(graph, part, 16) < 0.6 * km1(graph, np.arange(400) % 16, 16)


def test_a_vertex_heavier_than_a_part_is_refused():
    graph = hypergraph([[0, 1]], 3, vertex_weight=[10, 1, 1])
    with pytest.raises(NmcError) as error:
        cut(graph, 3)
    assert str(error.value) == (
        "hypergraph: a vertex weighs 10, a part may weigh 5. Ask for fewer parts."
    )


def test_weights_that_no_parts_can_hold_are_refused():
    graph = hypergraph([], 3, vertex_weight=[2, 2, 2])
    with pytest.raises(NmcError) as error:
        cut(graph, 2, imbalance=0.0)
    assert str(error.value) == (
        "hypergraph: no 2 parts of at most 3 were found for vertices of up to 2, together 6. "
        "Allow more imbalance or more parts."
    )


def test_no_parts_at_all_are_refused():
    with pytest.raises(NmcError, match="cannot be cut into 0 parts"):
        cut(hypergraph([], 3), 0)


@pytest.mark.parametrize(("change", "rule"), [
    ({"start": np.array([0, 3])}, "start spans the pins"),
    ({"start": np.array([0, 1, 2])}, "start has one entry more than there are nets"),
    ({"pins": np.array([0, 5], np.int32)}, "pins are vertices"),
    ({"net_weight": np.array([-1.0])}, "nets weigh 0 or more"),
    ({"vertex_weight": np.array([1, -1])}, "vertices weigh 0 or more"),
])  # fmt: skip
def test_arrays_that_are_no_hypergraph_are_refused(change, rule):
    arrays = {"start": np.array([0, 2]), "pins": np.array([0, 1], np.int32),
              "net_weight": np.array([1.0]), "vertex_weight": np.array([1, 1])}
    with pytest.raises(RuntimeError, match=rule):
        Hypergraph(**(arrays | change)).verify()
