"""Lowering changes the form of a network and not one spike."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import conv, conv_network, dense, spikes
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.ir import Projection, run, run_aligned
from nmcompile.ir.maps import Chain, Conv, Dense, Scale, Sparse, pool
from nmcompile.ir.neurons import Reset
from nmcompile.passes.legalize import compose, in_places, retime
from nmcompile.registry import backend
from nmcompile.target import load_target


def composed(*maps):
    network = conv_network()
    chain = Chain(maps=maps)
    chain.verify("chain")
    projection = Projection(source="input", target="out", map=chain)
    whole = compose(replace(network, projections=(projection,))).projections[0].map
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, int(np.prod(chain.in_shape))))
    np.testing.assert_allclose(whole.apply(x), chain.apply(x), atol=1e-4)
    return whole


RNG = np.random.default_rng(0)
PLANE = (4, 8, 8)


def per_channel(shape):
    return Scale(factor=RNG.normal(size=(shape[0], 1, 1)).astype(np.float32), in_shape=shape)


def test_normalisation_goes_into_the_convolution_before_it():
    first = conv(RNG, PLANE, 6, groups=2, padding=(1, 1))
    assert isinstance(composed(first, per_channel(first.out_shape)), Conv)


def test_normalisation_goes_into_the_convolution_behind_it():
    assert isinstance(composed(per_channel(PLANE), conv(RNG, PLANE, 6, groups=2)), Conv)


def test_pooling_and_convolution_become_one_convolution_either_way():
    first = conv(RNG, PLANE, 6, padding=(1, 1), stride=(1, 1))
    after = composed(first, pool(first.out_shape, (2, 2), (2, 2), (0, 0), True))
    assert isinstance(after, Conv)
    assert after.stride == (2, 2)
    before = composed(
        pool(PLANE, (2, 2), (2, 2), (0, 0), True), conv(RNG, (4, 4, 4), 6, padding=(1, 1))
    )
    assert isinstance(before, Conv)
    assert before.padding == (2, 2)


def test_pooling_that_leaves_a_rest_does_not_become_a_wrong_convolution():
    ragged = pool((4, 9, 8), (2, 2), (2, 2), (0, 0), True)
    assert isinstance(composed(ragged, conv(RNG, (4, 4, 4), 6, padding=(1, 1))), Sparse | Dense)


def test_pooling_before_a_dense_layer_goes_into_its_matrix():
    whole = composed(pool(PLANE, (2, 2), (2, 2), (0, 0), True), dense(RNG, 64, 7))
    assert isinstance(whole, Dense)
    assert whole.weight.shape == (7, 256)


def test_a_chain_of_chains_is_one_chain():
    rng = np.random.default_rng(0)
    first, scale, second = dense(rng, 112, 9), Scale(factor=np.full((), 2.0), in_shape=(9,)), (
        dense(rng, 9, 5))
    chain = Chain(maps=(Chain(maps=(first, scale)), second))
    assert chain.maps == (first, scale, second)
    assert isinstance(composed(chain), Dense)


def test_a_factor_that_differs_within_a_channel_becomes_sparse_or_scaled_rows():
    factor = RNG.normal(size=PLANE).astype(np.float32)
    whole = composed(conv(RNG, PLANE, 4, padding=(1, 1)), Scale(factor=factor, in_shape=PLANE))
    assert isinstance(whole, Sparse | Dense)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 1), st.integers(1, 3))
def test_any_pooling_and_convolution_compose_exactly(window, stride, padding, kernel):
    pooling = pool((2, 7, 7), (window, window), (stride, stride), (0, 0), False)
    assume(min(pooling.out_shape[1:]) + 2 * padding >= kernel)
    composed(pooling, conv(RNG, pooling.out_shape, 3, (kernel, kernel), padding=(padding, padding)))


def test_layers_work_one_behind_the_other_and_spike_as_before():
    network = compose(conv_network())
    retimed, latency = retime(network, 62)
    assert latency == {"input": 0, "conv": 1, "rec": 2, "out": 3}
    assert min(p.delay for p in retimed.projections) >= 1
    inputs = spikes(network)
    wanted, found = run(network, inputs), run_aligned(retimed, latency, inputs)
    for name in ("conv", "rec", "out"):
        np.testing.assert_array_equal(wanted.spikes(name), found.spikes(name))
        np.testing.assert_array_equal(wanted.records[name]["v"], found.records[name]["v"])


def test_a_loop_over_two_populations_within_one_step_is_refused():
    network = compose(conv_network())
    back = Projection(source="out", target="rec", delay=1, map=dense(RNG, 5, 20))
    with pytest.raises(NmcError) as error:
        retime(replace(network, projections=(*network.projections, back)), 62)
    assert str(error.value) == (
        "network: the loop through out, rec takes fewer steps than it has connections, and on the "
        "chip each connection takes one. Give the recurrent connection a longer delay."
    )


def test_a_delay_beyond_the_chips_is_refused():
    network = compose(conv_network())
    slow = (*network.projections[:-1], replace(network.projections[-1], delay=70))
    with pytest.raises(NmcError, match="needs a delay of 72 steps, the chip has at most 62"):
        retime(replace(network, projections=slow), 62)


def test_a_reset_that_a_target_lacks_is_refused_by_layer_name():
    target = load_target("loihi1")
    resets = target.formats.resets.model_copy(update={"value": [Reset.ZERO.value]})
    target = target.model_copy(update={
        "formats": target.formats.model_copy(update={"resets": resets})})
    with pytest.raises(NmcError) as error:
        backend(target.family).legalize(conv_network(), target)
    assert str(error.value) == (
        "conv: reset 'subtract' does not exist on loihi1, which has zero. "
        "Train with one of these resets, or compile for loihi2."
    )


def below_each_other(kernel, channels=4, rows=6, columns=6, **how):
    """A network whose population of (channels, ...) is pooled as one image of all channels."""
    tall = Conv(weight=kernel.astype(np.float32), in_shape=(1, channels * rows, columns),
                **how)
    height, width = tall.out_shape[1] // channels, tall.out_shape[2]
    network = conv_network()
    source = replace(network.inputs[0], shape=(channels, rows, columns))
    target = replace(network.population("out"), shape=(channels, height, width))
    link = Projection(source=source.name, target="out", map=tall)
    return replace(network, inputs=(source,), populations=(target,), projections=(link,),
                   outputs=network.outputs[-1:])


def placed(network):
    """The map that `in_places` leaves, which must be the same map."""
    tall, = network.projections
    found = in_places(network).projections[0].map
    x = np.random.default_rng(1).normal(size=(3, int(np.prod(tall.map.in_shape))))
    np.testing.assert_allclose(found.apply(x), tall.map.apply(x), atol=1e-6)
    return found


def test_channels_pooled_as_one_tall_image_are_pooled_each_by_itself():
    found = placed(below_each_other(RNG.normal(size=(1, 1, 2, 2)), stride=(2, 2)))
    assert isinstance(found, Conv)
    assert (found.groups, found.out_shape) == (4, (4, 3, 3))


def test_a_window_over_two_channels_becomes_a_sparse_matrix():
    found = placed(below_each_other(RNG.normal(size=(1, 1, 3, 2)), padding=(1, 0)))
    assert isinstance(found, Sparse)
