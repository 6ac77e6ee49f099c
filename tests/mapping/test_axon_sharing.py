"""Sources of one slice that go to the same slice share axons where the target lets them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.networks import conv_network, every_step, small_target, spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.frontends.interface import Traced
from nmcompile.ir import run
from nmcompile.ir.maps import Sparse
from nmcompile.mapper import map_network
from nmcompile.mapping.capacity import LIMITS, CapacityError, demand, slice_of_neurons
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend


@pytest.fixture(scope="module")
def network():
    real = conv_network()
    inputs = spikes(real)
    traced = Traced(network=real, inputs=inputs, expected=run(real, inputs).records)
    return compile_stage(traced, small_target()).program.network


def counted(network, mapping, share):
    """Input and output axons of each slice, source by source."""
    n = len(mapping.slices)
    received, sent = np.zeros(n, int), np.zeros(n, int)
    names = [p.name for p in network.populations]
    for projection, axons in zip(network.projections, mapping.axons, strict=True):
        each = 1 if isinstance(projection.map, Sparse) else share
        inside = projection.source in names
        owner = (slice_of_neurons(network, mapping.slices, names.index(projection.source))
                 if inside else np.full(len(axons.start) - 1, -1))
        ways = {}
        for source in range(len(axons.start) - 1):
            for end in axons.slice[axons.start[source] : axons.start[source + 1]].tolist():
                ways[int(owner[source]), end] = ways.get((int(owner[source]), end), 0) + 1
        for (start, end), sources in ways.items():
            received[end] += -(-sources // each)
            if inside:
                sent[start] += -(-sources // each)
    return received, sent


@settings(max_examples=8, deadline=None)
@given(share=st.sampled_from([1, 2, 5, 64]), neurons=st.integers(12, 90))
def test_axons_are_counted_as_one_for_as_many_sources_as_may_share_them(network, share, neurons):
    target = small_target(neurons=neurons, axon_sources=share)
    program, needs = map_network(network, target, backend("loihi"), every_step(network))
    received, sent = counted(network, program.mapping, share)
    np.testing.assert_array_equal(needs.input_axons, received)
    np.testing.assert_array_equal(needs.output_axons, sent)


@settings(max_examples=40, deadline=None)
@given(share=st.sampled_from([1, 3, 16]), shared_kernels=st.booleans(),
       neurons=st.integers(4, 400), input_axons=st.integers(30, 400),
       output_axons=st.integers(20, 400), synapse_bits=st.integers(20_000, 100_000))
def test_what_partition_accepts_fits_when_it_is_counted(network, **limits):
    limits["axon_sources"] = limits.pop("share")
    target = small_target(**limits)
    try:
        program, _ = map_network(network, target, backend("loihi"), every_step(network))
    except CapacityError:
        return
    needs = demand(network, program.mapping, target, backend("loihi"))
    for limit in LIMITS:
        assert getattr(needs, limit).max() <= getattr(target.core, limit).value
