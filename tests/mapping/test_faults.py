"""Ways around dead links meet no tile twice and are short; whatever living links join has one."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.networks import board
from helpers.ways import largest_part, links_of, shortest, way
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.mapping import Faults
from nmcompile.mapping.faults import (
    NoWayError,
    both_ways,
    cut_off,
    detours,
    joined_tiles,
    links_out,
    random_faults,
)
from nmcompile.target.topology import board_width, tile_number


@st.composite
def broken_boards(draw):
    """A board of one or more chips and its dead links, most of them dead both ways."""
    chips, width, height = draw(st.sampled_from([
        (1, 8, 4), (1, 1, 1), (1, 6, 1), (1, 1, 5), (1, 5, 5), (2, 3, 3), (3, 2, 4), (4, 2, 2)]))
    target = board(chips, width, height)
    faults = random_faults(target, 0, draw(st.floats(0, 0.4)), draw(st.integers(0, 1000)))
    if draw(st.booleans()):
        faults = Faults(links=faults.links[draw(st.integers(0, 3))::2])
    return target, faults


def ways(target, faults, first, last):
    """(first, last) -> the tiles between of the ways that do not go straight."""
    found, tiles = detours(target, faults, first, last), board_width(target)
    tiles *= target.board.mesh_height.value
    return {divmod(int(pair), tiles): found.via[start:end].tolist() for pair, start, end
            in zip(found.pair, found.start[:-1], found.start[1:], strict=True)}


def pairs_of(tiles):
    first, last = np.meshgrid(sorted(tiles), sorted(tiles), indexing="ij")
    return first.reshape(-1), last.reshape(-1)


@settings(max_examples=60, deadline=None)
@given(broken_boards())
def test_all_joined_tiles_have_ways_that_meet_no_dead_link_and_no_tile_twice(drawn):
    target, faults = drawn
    dead, part = set(faults.links.tolist()), largest_part(target, set(faults.links.tolist()))
    assert set(np.flatnonzero(joined_tiles(target, faults)).tolist()) == part
    first, last = pairs_of(part)
    bent = ways(target, faults, first, last)
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        route = way(target, [a, *bent.get((a, b), []), b])
        assert len(set(route)) == len(route)
        assert not dead & set(links_of(target, route))
        assert ((a, b) in bent) == bool(dead & set(links_of(target, way(target, [a, b]))))


@settings(max_examples=30, deadline=None)
@given(broken_boards())
def test_a_way_is_the_shortest_of_two_legs_or_else_the_shortest_of_all(drawn):
    target, faults = drawn
    dead, part = set(faults.links.tolist()), largest_part(target, set(faults.links.tolist()))
    tiles = range(board_width(target) * target.board.mesh_height.value)

    def of_two_legs(a, b):
        for via in tiles:
            route = way(target, [a, via, b])
            if len(set(route)) == len(route) and not dead & set(links_of(target, route)):
                yield len(route), via

    best = {tile: shortest(target, dead, tile) for tile in part}
    for (a, b), between in ways(target, faults, *pairs_of(part)).items():
        if len(between) == 1:
            assert between[0] == min(of_two_legs(a, b))[1]
        else:
            assert not list(of_two_legs(a, b))
            assert (len(way(target, [a, *between, b])) - 1, len(between) + 1) == best[a][b]


@settings(max_examples=60, deadline=None)
@given(broken_boards(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_pair_has_a_way_if_and_only_if_living_links_join_it(drawn, first, last):
    target, faults = drawn
    tiles = board_width(target) * target.board.mesh_height.value
    first, last = first % tiles, last % tiles
    if last in shortest(target, set(faults.links.tolist()), first):
        detours(target, faults, np.array([first]), np.array([last]))
        return
    with pytest.raises(NoWayError, match="no way leads from tile") as error:
        detours(target, faults, np.array([first]), np.array([last]))
    assert (error.value.first, error.value.last) == (first, last)


def test_a_wall_of_dead_links_is_refused_by_tiles():
    target = board(chips=1, width=4, height=2)
    faults = Faults(links=both_ways(target, np.array([1 * 4, 5 * 4])))  # east of 1,0 and 1,1
    with pytest.raises(NmcError) as error:
        detours(target, faults, np.array([0, 4]), np.array([5, 3]))
    assert str(error.value) == (
        "loihi2: no way leads from tile 0,1 to 3,0 of loihi2 around its 4 dead links. Use a board "
        "where living links join them.")


def test_of_the_parts_of_a_board_the_largest_counts_then_the_first():
    target = board(chips=1, width=4, height=2)
    half = Faults(links=both_ways(target, np.array([1 * 4, 5 * 4])))
    assert np.flatnonzero(joined_tiles(target, half)).tolist() == [0, 1, 4, 5]
    corner = Faults(links=both_ways(target, np.array([0 * 4, 0 * 4 + 3])),
                    cores=np.array([1], np.int32))
    assert np.flatnonzero(~joined_tiles(target, corner)).tolist() == [0]
    lost = np.flatnonzero(cut_off(target, corner))
    assert lost.tolist() == [0, 2, 3]  # core 1 is dead
    assert set(tile_number(target, lost).tolist()) == {0}


def test_a_snake_of_living_links_is_followed_to_its_end():
    target = board(chips=1, width=3, height=3)
    between_rows = [0 * 4 + 3, 1 * 4 + 3, 4 * 4 + 3, 5 * 4 + 3]  # south, but at the snake's turns
    faults = Faults(links=both_ways(target, np.array(between_rows)))
    assert ways(target, faults, np.array([0]), np.array([8])) == {(0, 8): [5, 6]}


def test_random_faults_are_the_shares_asked_for_and_links_die_both_ways():
    target = board(chips=3, width=4, height=4)
    faults = random_faults(target, 0.05, 0.05, seed=1)
    assert len(faults.cores) == round(0.05 * target.n_cores)
    assert len(faults.links) == 2 * round(0.05 * len(links_out(target)))
    np.testing.assert_array_equal(both_ways(target, faults.links), faults.links)
    again = random_faults(target, 0.05, 0.05, seed=1)
    np.testing.assert_array_equal(again.links, faults.links)


def test_without_dead_links_every_route_is_straight():
    target = board(chips=2, width=8, height=4)
    assert len(detours(target, Faults(), *pairs_of(range(64))).pair) == 0
