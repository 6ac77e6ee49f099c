"""Routes go around dead links, meet no tile twice, and are as short as ways of two legs can be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from helpers.networks import board
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.mapping import Faults
from nmcompile.mapping.faults import both_ways, detours, links_out, random_faults
from nmcompile.target.topology import EAST, NORTH, SOUTH, WEST, board_width

STEPS = {EAST: (1, 0), WEST: (-1, 0), NORTH: (0, -1), SOUTH: (0, 1)}


def leg(x, y, to_x, to_y):
    """Tiles of a way in dimension order, x first, with its first and without its last."""
    while (x, y) != (to_x, to_y):
        yield x, y
        if x != to_x:
            x += 1 if to_x > x else -1
        else:
            y += 1 if to_y > y else -1


def way(target, first, last, via=None):
    """All tiles of a route, straight or through `via`."""
    width = board_width(target)
    stops = [first, *([] if via is None else [via]), last]
    tiles = [t for a, b in pairwise(stops) for t in leg(a % width, a // width, b % width, b // width)]
    return [*tiles, (last % width, last // width)]


def links_of(target, tiles):
    by_step = {step: direction for direction, step in STEPS.items()}
    return [(y * board_width(target) + x) * 4 + by_step[(to_x - x, to_y - y)]
            for (x, y), (to_x, to_y) in pairwise(tiles)]


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 6), height=st.integers(1, 5), share=st.floats(0, 0.4),
       seed=st.integers(0, 1000))
def test_every_route_avoids_dead_links_and_loops_and_is_the_shortest_of_two_legs(
    width, height, share, seed
):
    target = board(chips=1, width=width, height=height)
    faults = random_faults(target, 0, share, seed)
    tiles, dead = np.arange(width * height), set(faults.links.tolist())

    def works(first, last, via=None):
        route = way(target, first, last, via)
        return len(set(route)) == len(route) and not dead & set(links_of(target, route))

    lengths = {(a, b): [len(way(target, a, b, v)) for v in tiles if works(a, b, v)]
               for a in tiles for b in tiles}
    if any(not found for found in lengths.values()):
        with pytest.raises(NmcError, match="no way leads from tile"):
            detours(target, faults, tiles, tiles)
        return
    found = detours(target, faults, tiles, tiles)
    bent = {(int(p) // len(tiles), int(p) % len(tiles)): int(v)
            for p, v in zip(found.pair, found.via, strict=True)}
    for (a, b), possible in lengths.items():
        if (a, b) in bent:
            assert not works(a, b)
            assert works(a, b, bent[a, b])
            assert len(way(target, a, b, bent[a, b])) == min(possible)
        else:
            assert works(a, b)


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
    assert len(detours(target, Faults(), np.arange(64), np.arange(64)).pair) == 0
