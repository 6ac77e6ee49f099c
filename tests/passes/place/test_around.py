"""Placement counts the ways that packets take around dead links."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from helpers.loihi_programs import small
from helpers.ways import way
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.mapping.constraints import Constraints
from nmcompile.mapping.faults import detours, random_faults
from nmcompile.passes.place import around as module
from nmcompile.passes.place.around import around
from nmcompile.passes.place.arrange import Nodes, arrange, cost_of
from nmcompile.passes.place.board import board_of
from nmcompile.passes.place.start import first_cores, legal_cores
from nmcompile.target import load_target
from nmcompile.target.topology import board_width, tile_number

TARGET = small(load_target("loihi1"))  # 16 x 2 tiles
TILES = 32


def drawn(n, seed, links=0.15):
    """Dead links, usable cores, and packets that flow as often one way as the other."""
    faults = random_faults(TARGET, 0.05, links, seed)
    usable = Constraints(faults=faults).free(TARGET)
    rng = np.random.default_rng(seed)
    packets = rng.uniform(0.1, 5, (n + 1, n + 1)) * (rng.random((n + 1, n + 1)) < 4 / n)
    packets[:, n] = packets[n] = 0
    group, legal = legal_cores(TARGET, usable, n, ())
    nodes = Nodes(packets=scipy.sparse.csr_array(packets + packets.T), group=group, legal=legal)
    return faults, usable, nodes, first_cores(TARGET, group, legal)


def walked(faults, nodes, core):
    """Joules of all hops, packet by packet along its way."""
    energy, chip = TARGET.energy_j, TARGET.board.mesh_width.value
    tile, sent, total = tile_number(TARGET, core), nodes.packets.tocoo(), 0.0
    ways = detours(TARGET, faults, tile[sent.row], tile[sent.col])
    between = {divmod(int(pair), TILES): ways.via[a:b].tolist() for pair, a, b
               in zip(ways.pair, ways.start[:-1], ways.start[1:], strict=True)}
    for a, b, packets in zip(tile[sent.row], tile[sent.col], sent.data, strict=True):
        route = way(TARGET, [a, *between.get((a, b), []), b])
        for (x, y), (to_x, to_y) in pairwise(route):
            kind = "hop_y" if y != to_y else "hop_x" if x // chip == to_x // chip else "hop_chip"
            total += packets * getattr(energy, kind).value
    return total


def knowing(usable, faults):
    return replace(around(board_of(TARGET, usable), TARGET, faults), busy_w=0.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(0, 999))
def test_the_cost_of_a_placement_is_that_of_every_packet_on_its_way(n, seed):
    faults, usable, nodes, first = drawn(n, seed)
    cost = cost_of(nodes, knowing(usable, faults), first)
    assert cost.energy_j == pytest.approx(walked(faults, nodes, first))


def test_packets_travel_less_where_placement_knows_of_dead_links():
    chip = np.arange(TARGET.n_cores) // TARGET.cores_per_chip
    ratios = []
    for seed in range(3):
        faults, usable, nodes, first = drawn(60, seed)
        plain = replace(board_of(TARGET, usable), busy_w=0.0)
        ratios.append(walked(faults, nodes, arrange(nodes, knowing(usable, faults), chip, first))
                      / walked(faults, nodes, arrange(nodes, plain, chip, first)))
    assert np.mean(ratios) < 0.97


def test_chips_behind_the_last_usable_core_are_left_out():
    faults, usable, _, _ = drawn(4, 1)
    usable[3 * TARGET.cores_per_chip + 1:] = False
    board = around(board_of(TARGET, usable), TARGET, faults)
    width = board.cores.shape[1]
    assert width in (6, 8)
    assert (len(board.x), len(board.link_s)) == (width, width * 2 * 4)
    assert board.table.shape == (width * 2, 2, 2 * width - 1)


def test_on_large_boards_ways_between_distant_tiles_count_as_straight(monkeypatch):
    faults, usable, nodes, first = drawn(40, 3)
    whole = knowing(usable, faults)
    monkeypatch.setattr(module, "MOST", board_width(TARGET) * 2 * 2 * 7)
    near = knowing(usable, faults)
    assert near.table.shape == (TILES, 2, 7)
    np.testing.assert_array_equal(near.table, whole.table[:, :, 12:19])
    far = np.abs(np.subtract.outer(*2 * [tile_number(TARGET, first) % 16])) > 3
    apart = replace(nodes, packets=scipy.sparse.csr_array(np.pad(far, (0, 1)).astype(float)))
    straight = board_of(TARGET, usable)
    assert cost_of(apart, near, first).energy_j == pytest.approx(
        cost_of(apart, straight, first).energy_j)
