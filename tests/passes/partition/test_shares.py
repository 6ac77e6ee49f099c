"""The shares that the sources of a projection are cut into, and how many it takes."""

from __future__ import annotations

import numpy as np
from helpers.loihi_programs import projection, sparse, weights
from hypothesis import given
from hypothesis import strategies as st

from nmcompile.ir.maps import Conv, Dense
from nmcompile.passes.partition.shares import fan_ins, fewest, fullest, share


@given(st.integers(0, 1000), st.sampled_from(["dense", "sparse", "conv"]), st.integers(1, 12))
def test_a_share_brings_a_neuron_the_synapses_that_are_counted(seed, kind, parts):
    rng = np.random.default_rng(seed)
    linear = {
        "dense": Dense(weight=weights(rng, (3, 17)), in_shape=(17,), out_shape=(3,)),
        "sparse": sparse(rng, 17, 3),
        "conv": Conv(weight=weights(rng, (2, 13, 2, 3)), in_shape=(13, 4, 4)),
    }[kind]
    whole = projection("in", "layer", linear)
    each = [synapses(share(whole, number, parts).map) for number in range(parts)]
    assert fan_ins(whole, parts) == each
    assert synapses(fullest(whole, parts).map) == max(each)


def synapses(linear) -> int:
    if isinstance(linear, Dense | Conv):
        return linear.weight[0].size
    return max((linear.target == neuron).sum() for neuron in range(3))


@given(st.integers(1, 1030), st.integers(1, 1024))
def test_the_fewest_shares_are_found_in_few_tries(needed, low):
    tried = []

    def good(parts: int) -> bool:
        tried.append(parts)
        return parts >= needed

    assert fewest(low, 1024, good) == (max(low, needed) if needed <= 1024 else 0)
    assert len(tried) <= 21
    assert fewest(1025, 1024, good) == 0
