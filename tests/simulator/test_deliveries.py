"""What arrives through axons is the linear map of what was sent, however the targets are cut."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.ir import Projection
from nmcompile.ir.formats import SynapseFormat
from nmcompile.ir.maps import Conv, Dense, from_matrix
from nmcompile.mapping import Axons, Slices, view
from nmcompile.simulator.deliver import delivery
from nmcompile.simulator.spikes import Spikes, gathered

SEEDS = st.integers(0, 2**32 - 1)


def cut(rng, shape):
    """Slices of one population of `shape`: a grid of boxes in a random order."""
    edges = [np.unique([0, size, *rng.integers(0, size + 1, rng.integers(0, 3))])
             for size in view(shape)]
    low, high = (np.stack(np.meshgrid(*corner, indexing="ij"), -1).reshape(-1, 3)
                 for corner in ([e[:-1] for e in edges], [e[1:] for e in edges]))
    order = rng.permutation(len(low))
    zeros = np.zeros(len(low), np.int32)
    return Slices(population=zeros, low=low[order].astype(np.int32),
                  high=high[order].astype(np.int32), core=zeros)


def slice_of(slices, shape):
    """The slice of each neuron of a population of `shape`."""
    owner = np.zeros(int(np.prod(shape)), int)
    for number in range(len(slices)):
        owner[slices.members(shape, number)] = number
    return owner


def routed(matrix, slices, shape, lost):
    """Axons of a map whose (n_sources, n_targets) `matrix` says where synapses are, some `lost`.

    And the matrix of what is left.
    """
    owner, linear = slice_of(slices, shape), from_matrix(matrix, (len(matrix),), shape)
    rows, ends, first, order = [0], [], [], []
    left = matrix.copy()
    for source in range(len(matrix)):
        synapses = np.arange(linear.start[source], linear.start[source + 1])
        for number in np.unique(owner[linear.target[synapses]]):
            if lost(source, number):
                left[source, owner == number] = 0
                continue
            own = synapses[owner[linear.target[synapses]] == number]
            ends.append(number)
            first.append(len(order))
            order.extend(own)
        rows.append(len(ends))
    return Axons(start=np.array(rows), slice=np.array(ends, np.int32),
                 synapses=np.diff([*first, len(order)]).astype(np.int32),
                 first=np.array(first, np.int64), order=np.array(order, np.int64)), left


def sent(rng, frames, n):
    """Payloads of some frames, of which most are 1 in some and anything in others."""
    spikes = (rng.random((1, frames, n)) < rng.choice([0.02, 0.3, 0.9])).astype(np.int32)
    return spikes * (rng.integers(-300, 300, spikes.shape, np.int32) if rng.random() < 0.3 else 1)


def arrived(linear, axons, slices, payload, sources=None):
    """What `linear` brings to each target for each frame of payload (1, frames, n)."""
    projection = Projection(source="a", target="b", map=linear, delay=1, sources=sources,
                            format=SynapseFormat(bits=32))
    _, frames, size = payload.shape
    lists = Spikes(1, size, 0, frames)
    lists.add(payload.swapaxes(0, 1), frames)
    deliver = delivery(projection, axons, slices, linear.out_shape)
    n = int(np.prod(linear.out_shape))
    out = np.full((frames, n + 3), 7, np.int32)
    half = deliver.parts // 2
    for part in ((0, half), (half, deliver.parts)) if half else ((0, deliver.parts),):
        deliver.add(lists.frames(0, frames), lists.source, lists.payload, part, 2, out)
    assert (np.delete(out, np.s_[2 : n + 2], axis=1) == 7).all()
    return out[:, 2 : n + 2] - 7


def weights(rng, shape):
    """Weights of 8 or 32 bits."""
    bits = rng.choice([7, 31])
    return rng.integers(-2**bits, 2**bits, shape).astype(np.int32)


def check(linear, rng, payload):
    """`linear` delivers its own matrix, without the synapses of axons that are lost."""
    n = int(np.prod(linear.in_shape))
    ones = linear.with_weights(np.ones(len(linear.weights()), np.int32))
    where = ones.apply(np.eye(n, dtype=np.int64))
    matrix = linear.with_weights(linear.weights().astype(np.int64)).apply(np.eye(n, dtype=np.int64))
    slices = cut(rng, linear.out_shape)
    chance = rng.choice([0.0, 0.3])
    axons, left = routed(where, slices, linear.out_shape, lambda *_: rng.random() < chance)
    wanted = payload[0].astype(np.int64) @ np.where(left != 0, matrix, 0)
    np.testing.assert_array_equal(
        arrived(linear, axons, slices, payload), wanted.astype(np.int32))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_dense_rows_arrive_in_the_boxes_that_axons_end_in_and_wrap_at_32_bits(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 6, 3)) if rng.random() < 0.5 else (int(rng.integers(1, 90)),)
    n = int(rng.integers(1, 40))
    linear = Dense(weight=weights(rng, (int(np.prod(shape)), n)), in_shape=(n,), out_shape=shape)
    check(linear, rng, sent(rng, 5, n))


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_convolutions_of_any_stride_dilation_and_groups_arrive_in_the_boxes_of_axons(seed):
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 1, 2, 3]))
    kernel, stride, dilation = (rng.integers(1, 4, 2) for _ in range(3))
    padding = rng.integers(0, 3, 2)
    least = np.maximum(dilation * (kernel - 1) + 1 - 2 * padding, 1)
    height, width = (int(size) for size in least + rng.integers(0, 6, 2))
    linear = Conv(
        weight=weights(rng, (groups * int(rng.integers(1, 9)), int(rng.integers(1, 4)), *kernel)),
        in_shape=(0, 0, 0), stride=tuple(map(int, stride)), padding=tuple(map(int, padding)),
        dilation=tuple(map(int, dilation)), groups=groups)
    linear = replace(linear, in_shape=(groups * linear.weight.shape[1], height, width))
    linear.verify("map")
    check(linear, rng, sent(rng, 3, int(np.prod(linear.in_shape))))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_synapses_of_sparse_maps_arrive_axon_by_axon(seed):
    rng = np.random.default_rng(seed)
    n, shape = int(rng.integers(1, 40)), (int(rng.integers(1, 60)),)
    matrix = weights(rng, (n, *shape)) * (rng.random((n, *shape)) < 0.2)
    linear = from_matrix(matrix.astype(np.int32), (n,), shape)
    if len(linear.weight):
        check(linear, rng, sent(rng, 4, n))


@pytest.mark.parametrize("seed", range(8))
def test_a_projection_from_some_of_its_source_takes_their_spikes_only(seed):
    rng = np.random.default_rng(seed)
    first, n, more = 5, 20, 9
    linear = Dense(weight=weights(rng, (30, n)), in_shape=(n,), out_shape=(30,))
    slices = cut(rng, (30,))
    axons, _ = routed(np.ones((first + n + more, 30), np.int64), slices, (30,), lambda *_: False)
    payload = sent(rng, 6, first + n + more)
    wanted = payload[0, :, first : first + n].astype(np.int64) @ linear.weight.T
    np.testing.assert_array_equal(
        arrived(linear, axons, slices, payload, (first, first + n)), wanted.astype(np.int32))


@pytest.mark.parametrize("weight", [-128, 127])
def test_rows_of_the_largest_weights_of_8_bits_add_up_however_many_spike(weight):
    linear = Dense(weight=np.full((3, 1000), weight, np.int32), in_shape=(1000,), out_shape=(3,))
    slices = cut(np.random.default_rng(0), (3,))
    axons, _ = routed(linear.weight.T, slices, (3,), lambda *_: False)
    everything = np.ones((1, 2, 1000), np.int32)
    np.testing.assert_array_equal(arrived(linear, axons, slices, everything), weight * 1000)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_frames_hold_the_spikes_of_all_samples_however_samples_are_shared_out(seed):
    rng = np.random.default_rng(seed)
    samples, steps, sizes = int(rng.integers(1, 7)), 9, [3, 64, 150]
    values = [(rng.random((samples, steps, n)) < 0.3) * rng.integers(-99, 99, (samples, steps, n))
              for n in sizes]
    values = [value.astype(rng.choice([np.int8, np.int16, np.int32])) for value in values]
    first = 0
    lanes = []
    while first < samples:
        own = min(int(rng.integers(1, 4)), samples - first)
        lists = [Spikes(own, size, 2, 4) for size in sizes]
        lanes.append((first, own, lists))
        first += own
    together = np.concatenate(values, axis=2)
    for begin in range(0, steps, 4):
        n = min(4, steps - begin)
        for low, own, lists in lanes:
            for one, value in zip(lists, values, strict=True):
                one.add(np.ascontiguousarray(
                    value[low : low + own, begin : begin + n].swapaxes(0, 1)), n)
        frames = gathered(lanes, sizes, samples, (begin, n),
                          lambda calls: [call() for call in calls])
        dense = np.zeros((n * samples, sum(sizes)), np.int32)
        frame = np.repeat(np.arange(len(frames)), np.diff(frames.start))
        dense[frame, frames.sender] = frames.payload
        wanted = together[:, begin : begin + n].swapaxes(0, 1).reshape(dense.shape)
        np.testing.assert_array_equal(dense, wanted)
        assert (np.diff(frames.sender)[np.diff(frame) == 0] > 0).all()
        for *_, lists in lanes:
            for one in lists:
                one.forget()
