"""The axons of a sparse map are its synapses sorted by source and slice."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.ir.maps import Sparse
from nmcompile.passes.route.route import _sparse


@settings(max_examples=40, deadline=None)
@given(n_in=st.integers(1, 30), n_out=st.integers(1, 300), slices=st.integers(1, 9),
       density=st.floats(0, 1), seed=st.integers(0, 1000))
def test_axons_are_the_runs_of_synapses_sorted_by_source_and_slice(
    n_in, n_out, slices, density, seed
):
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(rng.random(n_out) < density) for _ in range(n_in)]
    target = np.concatenate(rows).astype(np.int32)
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    linear = Sparse(start=start, target=target, weight=np.ones(len(target), np.int16),
                    in_shape=(n_in,), out_shape=(n_out,))
    owner = rng.integers(0, slices, n_out).astype(np.int32)
    found = _sparse(linear, owner)
    assert sorted(found.order.tolist()) == list(range(len(target)))
    for source in range(n_in):
        axons = range(found.start[source], found.start[source + 1])
        reached = [int(found.slice[a]) for a in axons]
        assert reached == sorted({int(owner[t]) for t in rows[source]})
        for a in axons:
            mine = found.order[found.first[a] : found.first[a] + found.synapses[a]]
            wanted = [start[source] + i for i, t in enumerate(rows[source])
                      if owner[t] == found.slice[a]]
            assert mine.tolist() == wanted
