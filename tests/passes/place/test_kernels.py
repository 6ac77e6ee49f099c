"""The kernels of placement do what they are defined as."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.passes.place._link_kernels import busiest, send_all, time_after
from nmcompile.passes.place._place_kernels import along_axis, gain_of, wire

NO_TABLE = np.zeros((0, 0, 0))


def drawn(seed, n=9, columns=5, rows=3):
    """Random traffic of `n` nodes, directed and both ways, and places for them and the port."""
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(0.1, 2, (n + 1, n + 1)) * (rng.random((n + 1, n + 1)) < 0.4)
    matrix[:, n] = 0
    np.fill_diagonal(matrix, 0)
    x, y = (np.concatenate([[0], rng.uniform(0.5, 3, k - 1).cumsum()]) for k in (columns, rows))
    core = rng.permutation(columns * rows)[:n].astype(np.int32)
    place = np.stack([core % columns, core // columns], axis=1)
    place = np.concatenate([place, [[0, 0]]]).astype(np.int32)
    return matrix, x, y, core, place


def csr(matrix):
    found = scipy.sparse.csr_array(matrix)
    return found.indptr, found.indices, found.data


def energy(matrix, x, y, place):
    """The definition: all packets times what lies between their ends."""
    at_x, at_y = x[place[:, 0]], y[place[:, 1]]
    apart = np.abs(at_x[:, None] - at_x) + np.abs(at_y[:, None] - at_y)
    return (matrix * apart).sum()


def loads(matrix, place, columns, rows):
    load = np.zeros(columns * rows * 4)
    send_all(*csr(matrix), place, columns, load)
    return load


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_the_pull_along_an_axis_is_the_wire_for_each_place_on_it(seed):
    matrix, x, y, _, place = drawn(seed)
    graph, node = csr(matrix + matrix.T), seed % 9
    pulls = np.zeros(len(x)), np.zeros(len(y))
    along_axis(*graph, x, place, 0, node, pulls[0])
    along_axis(*graph, y, place, 1, node, pulls[1])
    for column, row in np.ndindex(len(x), len(y)):
        wanted = wire(*graph, x, y, NO_TABLE, place, node, column, row)
        assert pulls[0][column] + pulls[1][row] == pytest.approx(wanted)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_the_gain_of_a_swap_is_the_energy_that_it_saves(seed):
    matrix, x, y, _, place = drawn(seed)
    graph = csr(matrix + matrix.T)
    a, b = seed % 9, (seed + 1 + seed // 9 % 8) % 9
    column, row = place[b]
    own = wire(*graph, x, y, NO_TABLE, place, a, *place[a])
    own -= wire(*graph, x, y, NO_TABLE, place, a, column, row)
    gain = gain_of(*graph, x, y, NO_TABLE, place, a, b, own, column, row)
    swapped = place.copy()
    swapped[[a, b]] = place[[b, a]]
    wanted = energy(matrix, x, y, place) - energy(matrix, x, y, swapped)
    assert gain == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_the_time_after_a_change_is_that_of_the_loads_counted_anew(seed, alone):
    matrix, x, y, core, place = drawn(seed)
    columns, rows = len(x), len(y)
    free = np.setdiff1d(np.arange(columns * rows), core)[0]
    a, b = seed % 9, -1 if alone else (seed + 1) % 9
    site = free if alone else core[b]
    column, row = site % columns, site // columns
    node = np.full(columns * rows, -1, np.int32)
    node[core] = np.arange(9)
    cost = np.random.default_rng(seed).uniform(1, 2, columns * rows * 4)
    load = loads(matrix, place, columns, rows)
    before = load.copy(), place.copy(), core.copy(), node.copy()
    found = time_after(*csr(matrix), *csr(matrix.T), place, columns, load, core, node,
                       a, b, site, column, row, cost, np.zeros(1, np.int64))
    for kept, now in zip(before, (load, place, core, node), strict=True):
        np.testing.assert_allclose(now, kept, atol=1e-9)
    changed = place.copy()
    changed[a] = column, row
    if not alone:
        changed[b] = place[a]
    after = loads(matrix, changed, columns, rows)
    assert found == pytest.approx((after * cost).max())
    assert (after * cost)[busiest(after, cost)] == pytest.approx((after * cost).max())
