"""Arranging nodes of a traffic graph on cores: costs, invariants, rules, and what it must find."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from helpers.loihi_programs import small
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.passes.place.arrange import Nodes, arrange, cost_of, heaviest
from nmcompile.passes.place.board import board_of
from nmcompile.passes.place.start import first_cores, legal_cores
from nmcompile.target import load_target
from nmcompile.target.topology import tile_position


def graph(n, density, seed):
    """Random packets between `n` nodes and from the port to some."""
    rng = np.random.default_rng(seed)
    packets = rng.uniform(0.1, 5, (n + 1, n + 1)) * (rng.random((n + 1, n + 1)) < density)
    packets[:, n] = 0
    return scipy.sparse.csr_array(packets)


def problem(n, density=0.2, seed=0, chips_of="loihi1", usable=None):
    target = small(load_target(chips_of))
    usable = np.ones(target.n_cores, bool) if usable is None else usable
    group, legal = legal_cores(target, usable, n, ())
    nodes = Nodes(packets=graph(n, density, seed), group=group, legal=legal)
    chip = np.arange(target.n_cores) // target.cores_per_chip
    return target, nodes, board_of(target, usable), chip, first_cores(target, group, legal)


def plain_cost(target, packets, core):
    """Joules of all hops and seconds of the busiest link, packet by packet along its route."""
    energy, time = target.energy_j, target.time_s
    width = target.board.mesh_width.value
    at = np.concatenate([tile_position(target, core), [[0, 0]]])
    joules, seconds = 0.0, {}
    for a, b in zip(*packets.nonzero(), strict=True):
        (x, y), (to_x, to_y), sent = at[a], at[b], packets[a, b]
        while (x, y) != (to_x, to_y):
            step = (np.sign(to_x - x), 0) if x != to_x else (0, np.sign(to_y - y))
            between = step[0] and (x // width != (x + step[0]) // width)
            kind = "hop_chip" if between else "hop_x" if step[0] else "hop_y"
            joules += sent * getattr(energy, kind).value
            link = (x, y, step)
            seconds[link] = seconds.get(link, 0.0) + sent * getattr(time, kind).value
            x, y = x + step[0], y + step[1]
    return joules, max(seconds.values(), default=0.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.floats(0.02, 0.5), st.integers(0, 99))
def test_the_cost_is_that_of_every_packet_on_its_route(n, density, seed):
    target, nodes, board, _, _ = problem(n, density, seed)
    core = np.random.default_rng(seed).permutation(target.n_cores)[:n].astype(np.int32)
    found = cost_of(nodes, board, core)
    energy_j, link_s = plain_cost(target, nodes.packets, core)
    assert found.energy_j == pytest.approx(energy_j)
    assert found.link_s == pytest.approx(link_s)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.floats(0.02, 0.3), st.integers(0, 99))
def test_every_node_gets_a_usable_core_of_its_own_and_the_cost_does_not_rise(n, density, seed):
    usable = np.random.default_rng(seed).random(128) < 0.7
    _, nodes, board, chip, first = problem(n, density, seed, usable=usable)
    core = arrange(nodes, replace(board, busy_w=0.0), chip, first)
    assert len(np.unique(core)) == n
    assert usable[core].all()
    before, after = cost_of(nodes, board, first), cost_of(nodes, board, core)
    assert after.energy_j <= before.energy_j * (1 + 1e-9)


def test_no_swap_and_no_move_lowers_the_energy_of_a_small_board():
    target, nodes, board, chip, first = problem(30, seed=3)
    board = replace(board, busy_w=0.0)
    core = arrange(nodes, board, chip, first)
    least = cost_of(nodes, board, core).energy_j
    rng = np.random.default_rng(0)
    for _ in range(300):
        node, other = rng.integers(30), rng.integers(target.cores_per_chip)
        changed = core.copy()
        changed[core == other] = core[node]
        changed[node] = other
        assert cost_of(nodes, board, changed).energy_j >= least * (1 - 1e-9)


def test_a_shuffled_chain_is_laid_out_with_one_hop_between_tiles():
    n, target = 16, small(load_target("loihi1"))
    order = np.random.default_rng(1).permutation(n)
    packets = scipy.sparse.coo_array((np.ones(n - 1), (order[:-1], order[1:])), (n + 1, n + 1))
    _, nodes, board, chip, first = problem(n)
    nodes = replace(nodes, packets=scipy.sparse.csr_array(packets))
    found = cost_of(nodes, board, arrange(nodes, board, chip, first)).energy_j
    cost = target.energy_j
    assert found <= 2 * cost.hop_x.value + cost.hop_y.value + 1e-18  # four tiles in a ring


def test_two_clusters_go_to_two_chips():
    rng = np.random.default_rng(5)
    side = rng.permutation(np.repeat([0, 1], 16))
    packets = np.zeros((33, 33))
    packets[:32, :32] = (side[:, None] == side) * rng.uniform(1, 2, (32, 32))
    packets[0, 31] += 0.1
    target, nodes, board, chip, first = problem(32)
    nodes = replace(nodes, packets=scipy.sparse.csr_array(packets))
    core = arrange(nodes, board, chip, first)
    assert all(len(np.unique(chip[core[side == s]])) == 1 for s in (0, 1))
    assert target.cores_per_chip == 16


def test_same_arguments_give_the_same_cores():
    _, nodes, board, chip, first = problem(60, seed=8)
    results = [arrange(nodes, board, chip, first) for _ in range(2)]
    np.testing.assert_array_equal(*results)


def test_a_link_that_cores_wait_for_is_relieved():
    _, nodes, board, chip, first = problem(12, density=0.6, seed=4)
    nodes = replace(nodes, packets=nodes.packets * 1000)
    alone = arrange(nodes, replace(board, busy_w=0.0), chip, first)
    relieved = arrange(nodes, board, chip, first)
    before, after = cost_of(nodes, board, alone), cost_of(nodes, board, relieved)
    assert after.link_s < before.link_s
    total = [c.energy_j + board.busy_w * c.link_s for c in (before, after)]
    assert total[1] < total[0]


def test_of_dense_traffic_the_heaviest_pairs_of_each_node_decide():
    rng = np.random.default_rng(0)
    matrix = rng.random((40, 40))
    matrix = scipy.sparse.csr_array(np.triu(matrix, 1) + np.triu(matrix, 1).T)
    kept = heaviest(matrix, 5).toarray()
    assert np.array_equal(kept, kept.T)
    for row, mine in zip(matrix.toarray(), kept, strict=True):
        assert np.all(mine[np.argsort(row)[-5:]] > 0)
        assert np.array_equal(row[mine > 0], mine[mine > 0])
    assert np.count_nonzero(kept) < 40 * 10
    assert heaviest(matrix, 39) is matrix
