"""Where neurons may have thresholds of their own, each channel's weights may fill their bits."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import scalar
from nmcompile_backends.loihi.backend import LoihiBackend
from nmcompile_backends.xylo import BACKEND as XYLO

from nmcompile.ir import Input, Network, Output, Population, Projection, WeightWidth, run_aligned
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.maps.grid import Grid
from nmcompile.ir.neurons import LIF, CubaLIF, Reset
from nmcompile.passes.legalize import retime
from nmcompile.passes.quantize import Calibration, quantize
from nmcompile.passes.quantize.channels import equalised, gains
from nmcompile.target import load_target

TARGET = load_target("loihi2")
SMALLER = np.array([1, 0.2, 0.2, 0.2, 0.11, 0.06], np.float32)
OWN = "own scales"


class OneThreshold(LoihiBackend):
    """A chip whose cores have one threshold."""

    own_thresholds = 1


def network_of(linear, shape, variable="spikes", neuron=None):
    population = Population(name="n", shape=shape,
                            neuron=neuron or LIF(decay=scalar(0.9), threshold=scalar(1)))
    return Network(
        inputs=(Input(name="input", shape=linear.in_shape),), populations=(population,),
        projections=(Projection(source="input", target="n", map=linear, delay=1),),
        outputs=(Output(name="output", population="n", variable=variable),))


def dense_of(rng, smaller=SMALLER):
    """Rows whose weights are `smaller` than those of the first."""
    weight = (rng.normal(0.1, 0.3, (len(smaller), 20)) * smaller[:, None]).astype(np.float32)
    return Dense(weight=weight, in_shape=(20,), out_shape=(len(smaller),))


def quantized(network, backend=None, bits=4, target=TARGET):
    inputs = {"input": (np.random.default_rng(1).random(
        (12, 30, *network.inputs[0].shape)) < 0.3).astype(np.float32)}
    network, latency = retime(network, 62)
    calibration = Calibration(inputs=inputs, trace=run_aligned(network, latency, inputs),
                              latency=latency)
    backend = backend or LoihiBackend()
    return quantize(network, target, backend, calibration, {"n": WeightWidth(bits=bits)})


def test_channels_of_unlike_size_leave_less_error_with_thresholds_of_their_own():
    neuron = LIF(decay=scalar(0.9), threshold=SMALLER)
    network = network_of(dense_of(np.random.default_rng(0)), (6,), neuron=neuron)
    integer, (error,) = quantized(network)
    _, (common,) = quantized(network, OneThreshold())
    assert error.kept.endswith(OWN)
    assert error.error < common.error / 1.25
    assert error.trials[-1].method == OWN
    assert [t.method for t in common.trials] == [t.method for t in error.trials[:-1]]
    thresholds = integer.populations[0].neuron.threshold
    assert 1 < len(np.unique(thresholds)) <= LoihiBackend.own_thresholds


def test_channels_of_like_size_keep_one_threshold():
    network = network_of(dense_of(np.random.default_rng(0), np.ones(6, np.float32)), (6,))
    integer, (error,) = quantized(network)
    assert OWN not in error.kept
    assert np.unique(integer.populations[0].neuron.threshold).size == 1


def test_membranes_that_are_read_keep_one_unit():
    network = network_of(dense_of(np.random.default_rng(0)), (6,), variable="v")
    integer, (error,) = quantized(network)
    assert OWN not in error.kept
    assert np.unique(integer.populations[0].neuron.threshold).size == 1


@pytest.mark.parametrize("neuron", [
    LIF(decay=scalar(0.8), threshold=np.linspace(0.5, 1, 3, dtype=np.float32).reshape(3, 1, 1)),
    CubaLIF(current_decay=scalar(0.5), decay=scalar(0.9), threshold=scalar(1))])
def test_an_equalised_layer_spikes_as_before(neuron):
    rng = np.random.default_rng(0)
    weight = rng.normal(0.1, 0.4, (3, 2, 3, 3)) * np.array([1, 0.3, 0.1]).reshape(3, 1, 1, 1)
    conv = Conv(weight=weight.astype(np.float32), in_shape=(2, 6, 6))
    network = network_of(conv, conv.out_shape, neuron=neuron)
    layer, seen = captured(network)
    gain = gains(layer, 1 << 30)
    peaks = np.abs(conv.weight).max(axis=(1, 2, 3))
    np.testing.assert_allclose(gain[:, 0, 0], np.minimum(peaks.max() / peaks, 16), rtol=1e-6)
    assert np.all(gain == gain[:, :1, :1])
    own, own_seen = equalised(layer, seen, gain)
    other = replace(network, populations=(own.population,), projections=own.projections)
    x = (rng.random((4, 20, 2, 6, 6)) < 0.3).astype(np.float32)
    latency = {"input": 0, "n": 0}
    before, after = (run_aligned(n, latency, {"input": x}) for n in (network, other))
    np.testing.assert_array_equal(before.spikes("n"), after.spikes("n"))
    np.testing.assert_allclose(after.records["n"]["v"], before.records["n"]["v"] * gain,
                               rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(own_seen.v, seen.v * gain)


def captured(network):
    """The layer of `network` and what it saw, as the quantizer hands them to its search."""
    found = []

    class Keeps(LoihiBackend):
        def natural_scale(self, layer, target):
            found.append(layer)
            return super().natural_scale(layer, target)

    quantized(network, Keeps(), bits=8)
    from nmcompile.passes.quantize.measure import Seen

    layer = found[0]
    v = np.random.default_rng(2).normal(size=(2, 3, *layer.population.shape))
    arriving = np.zeros((2, 3, network.inputs[0].size))
    return layer, Seen(arriving=(arriving,), v=v, fired=np.zeros_like(v))


def test_weights_trained_with_a_step_for_each_channel_go_to_the_chip_as_they_are():
    rng = np.random.default_rng(0)
    step = np.array([0.1, 0.037, 0.02], np.float32).reshape(3, 1, 1, 1)
    whole = rng.integers(-7, 8, (3, 2, 3, 3))
    conv = Conv(weight=(whole * step).astype(np.float32), in_shape=(2, 6, 6),
                grid=Grid(step=step, bits=4))
    integer, (error,) = quantized(network_of(conv, conv.out_shape), bits=8)
    assert error.kept == f"as trained, {OWN}"
    stored = integer.projections[0].map.weight.astype(np.int64)
    factors = np.unique(stored[whole != 0] / whole[whole != 0])
    assert len(factors) == 1
    assert np.log2(factors[0]) % 1 == 0
    threshold = np.broadcast_to(integer.populations[0].neuron.threshold, conv.out_shape)
    np.testing.assert_allclose(threshold[:, 0, 0] / threshold[0, 0, 0], (0.1 / step).ravel(),
                               rtol=0.02)


def test_trained_weights_stay_as_they_are_behind_large_graded_inputs():
    rng = np.random.default_rng(0)
    whole = rng.integers(-7, 8, (6, 400))
    dense = Dense(weight=(whole * np.float32(0.05)).astype(np.float32), in_shape=(400,),
                  out_shape=(6,), grid=Grid(step=np.array(0.05, np.float32), bits=4))
    network = network_of(dense, (6,), neuron=LIF(decay=scalar(0.95), threshold=scalar(20)))
    inputs = {"input": rng.random((8, 20, 400)).astype(np.float32)}
    network, latency = retime(network, 62)
    calibration = Calibration(inputs=inputs, trace=run_aligned(network, latency, inputs),
                              latency=latency)
    integer, (error,) = quantize(network, TARGET, LoihiBackend(), calibration)
    assert error.kept == "as trained"
    (projection,) = integer.projections
    assert projection.format.exponent < 0
    stored = projection.map.weight.astype(np.int64)
    factors = np.unique(stored[whole != 0] / whole[whole != 0])
    assert len(factors) == 1


def test_xylo_keeps_integers_trained_with_a_step_for_each_neuron():
    rng = np.random.default_rng(0)
    step = np.array([0.1, 0.05, 0.021, 0.013], np.float32).reshape(4, 1)
    whole = rng.integers(-7, 8, (4, 12))
    dense = Dense(weight=(whole * step).astype(np.float32), in_shape=(12,), out_shape=(4,),
                  grid=Grid(step=step, bits=4))
    neuron = CubaLIF(current_decay=scalar(0.5), decay=scalar(0.75), threshold=scalar(1),
                     reset=Reset.SUBTRACT, fires_at_threshold=True, spikes_per_step=31)
    integer, (error,) = quantized(network_of(dense, (4,), neuron=neuron), XYLO, bits=8,
                                   target=load_target("xylo_a2"))
    assert error.kept == f"as trained, {OWN}"
    stored = integer.projections[0].map.weight.astype(np.int64)
    factors = np.unique(stored[whole != 0] / whole[whole != 0])
    assert factors.tolist() == [16.0]
    threshold = integer.populations[0].neuron.threshold
    np.testing.assert_allclose(threshold / threshold[0], (0.1 / step).ravel(), rtol=0.02)


def test_trained_integers_stay_beside_a_bias_that_coarse_scales_could_not_keep():
    rng = np.random.default_rng(0)
    step = np.array([2.0, 1.1, 0.8, 0.4], np.float32).reshape(4, 1)
    whole = rng.integers(-1, 2, (4, 6))
    trained = Dense(weight=(whole * step).astype(np.float32), in_shape=(6,), out_shape=(4,),
                    grid=Grid(step=step, bits=2))
    neuron = CubaLIF(current_decay=scalar(0.5), decay=scalar(0.75), threshold=scalar(1),
                     reset=Reset.SUBTRACT, fires_at_threshold=True, spikes_per_step=31)
    first = network_of(dense_of(rng), (6,), neuron=neuron)
    second = Population(name="m", shape=(4,), neuron=neuron, bias=scalar(0.4))
    network = replace(
        first, populations=(*first.populations, second),
        projections=(replace(first.projections[0], delay=0),
                     Projection(source="n", target="m", map=trained)),
        outputs=(Output(name="output", population="m"),))
    integer, (_, error) = quantized(network, XYLO, bits=8, target=load_target("xylo_a2"))
    assert integer.populations[1].start == 2  # it runs a step before its first input
    assert error.kept == f"as trained, {OWN}"
    stored = integer.projections[1].map.weight.astype(np.int64)
    assert len(np.unique(stored[whole != 0] / whole[whole != 0])) == 1
