"""Integers stay close to what they stand for, inside the chip's formats."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.networks import conv_network, dense, scalar, spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi import BACKEND
from snntorch import Leaky
from torch import nn

import nmcompile as nmc
from nmcompile.ir import (
    TERNARY,
    Input,
    Network,
    Output,
    Population,
    Projection,
    SpikeFormat,
    WeightWidth,
    run,
    run_aligned,
)
from nmcompile.ir.maps import Dense
from nmcompile.ir.neurons import LIF, CubaLIF, Reset
from nmcompile.passes.legalize import compose, retime
from nmcompile.passes.quantize import Calibration, payloads, quantize, rounding
from nmcompile.passes.quantize._rounding_kernels import round_rows
from nmcompile.target import load_target

TARGET = load_target("loihi2")


def quantized(network, inputs, widths=None):
    lowered, latency = retime(BACKEND.legalize(compose(network), TARGET), 62)
    trace = run_aligned(lowered, latency, inputs)
    calibration = Calibration(inputs=inputs, trace=trace, latency=latency)
    return quantize(lowered, TARGET, BACKEND, calibration, widths), latency, trace


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 999), st.integers(1, 8), st.integers(1, 6), st.sampled_from([1, 2]))
def test_the_rounding_kernel_is_its_plain_reference(seed, n_in, n_out, step):
    rng = np.random.default_rng(seed)
    weight, x = rng.normal(0, 40, (n_out, n_in)), rng.normal(size=(50, n_in))
    correlation = x.T @ x / 50 + 0.1 * np.eye(n_in)
    factor = np.ascontiguousarray(np.linalg.cholesky(np.linalg.inv(correlation)).T)
    expected = weight.copy()
    for column in range(n_in):
        wanted = expected[:, column].copy()
        expected[:, column] = np.clip(np.rint(wanted / step) * step, -60, 58)
        error = (wanted - expected[:, column]) / factor[column, column]
        expected[:, column + 1 :] -= np.outer(error, factor[column, column + 1 :])
    round_rows(weight, factor, -60, 58, step)
    np.testing.assert_allclose(weight, expected, atol=1e-9)


def test_weights_are_legal_mantissas_and_exponents_and_delays_are_kept():
    network = conv_network()
    (integer, _), _, _ = quantized(network, spikes(network))
    for projection in integer.projections:
        low, high, step = BACKEND.weight_levels(projection.format)
        weights = projection.map.weights()
        assert weights.dtype == np.int16
        assert low <= weights.min()
        assert weights.max() <= high
        assert not (weights % step).any()
        assert -8 <= projection.format.exponent <= 7


@pytest.mark.parametrize("seed", range(3))
def test_integer_membranes_follow_the_float_ones(seed):
    network = conv_network(seed)
    inputs = spikes(network, samples=20)
    (integer, errors), latency, trace = quantized(network, inputs)
    assert [e.population for e in errors] == ["conv", "rec", "out"]
    sent = {p.name: payloads(p, inputs[p.name]) for p in integer.inputs}
    found = run_aligned(integer, latency, sent)
    assert (found.spikes("conv") != trace.spikes("conv")).mean() < 0.02


@pytest.mark.parametrize("width", [None, "4", "2", "ternary"])
@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_one_spike_passes_a_max_pooling_whatever_the_bits_of_its_weights(width, target):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), Leaky(beta=0.9, threshold=0.3, init_hidden=True),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3), Leaky(beta=0.9, init_hidden=True))
    x = (np.random.default_rng(0).random((16, 12, 1, 4, 4)) < 0.3).astype(np.float32)
    network = nmc.quantize(model, target=target, sample=x, bits=width).stage.network
    (pool,) = [p for p in network.projections if p.target == "2"] or [
        p for p in network.projections if "pool" in p.target]
    neuron = network.population(pool.target).neuron
    least = pool.map.weights().min().astype(np.int64) << pool.format.exponent
    assert least > np.max(neuron.threshold)


@pytest.mark.parametrize("width", [8, 4, 3, 2, "ternary"])
def test_what_is_kept_is_no_worse_than_any_way_to_choose_the_scale(width):
    network = conv_network()
    chosen = TERNARY if width == "ternary" else WeightWidth(bits=width)
    widths = {p.name: chosen for p in network.populations}
    (integer, errors), _, _ = quantized(network, spikes(network, samples=20), widths)
    for error in errors:
        common = error.trials[:5]
        assert [t.method for t in common] == ["max-abs", "percentile 99.9", "percentile 99", "mse",
                                              "membrane"]
        assert error.error <= min(t.error for t in common)
        assert error.width == str(width)
    for projection in integer.projections:
        assert projection.format.bits == chosen.bits
        levels = np.unique(np.abs(projection.map.weights()))
        assert len(levels) <= (2 if width == "ternary" else 2 ** (width - 1) + 1)


def test_two_projections_between_the_same_populations_keep_their_own_weights():
    rng = np.random.default_rng(0)
    first, second = dense(rng, 6, 4, 3.0), dense(rng, 6, 4, 0.5)
    network = Network(
        inputs=(Input(name="input", shape=(6,)),),
        populations=(Population(name="n", shape=(4,),
                                neuron=LIF(decay=scalar(0.9), threshold=scalar(1))),),
        projections=(Projection(source="input", target="n", map=first),
                     Projection(source="input", target="n", map=second)),
        outputs=(Output(name="output", population="n"),),
    )
    inputs = spikes(network)
    (integer, _), _, _ = quantized(network, inputs)
    a, b = (p.map.weight * 2.0**p.format.exponent for p in integer.projections)
    assert np.corrcoef(a.ravel(), first.weight.ravel())[0, 1] > 0.98
    assert np.corrcoef(b.ravel(), second.weight.ravel())[0, 1] > 0.98


def test_a_population_that_only_its_bias_drives_is_quantized():
    network = conv_network()
    pacemaker = Population(name="pace", shape=(3,), bias=scalar(0.4),
                           neuron=LIF(decay=scalar(0.9), threshold=scalar(1)))
    network = replace(
        network, populations=(pacemaker, *network.populations),
        projections=(*network.projections, Projection(
            source="pace", target="out", map=dense(np.random.default_rng(0), 3, 5))))
    inputs = spikes(network)
    (integer, _), latency, _ = quantized(network, inputs)
    sent = {p.name: payloads(p, inputs[p.name]) for p in integer.inputs}
    found = run_aligned(integer, latency, sent).spikes("pace")
    np.testing.assert_array_equal(found, run(network, inputs).spikes("pace"))


def test_a_correlation_too_large_to_invert_in_time_is_not_formed(monkeypatch):
    monkeypatch.setattr(rounding, "_factor", lambda inputs: pytest.fail(f"{inputs.shape[1]} taps"))
    n = 4000  # of which each multiplies 2 weights, and the inverse takes n**3
    rng = np.random.default_rng(0)
    network = Network(
        inputs=(Input(name="x", shape=(n,)),),
        populations=(Population(name="out", shape=(2,),
                                neuron=LIF(decay=scalar(0.9), threshold=scalar(1))),),
        projections=(Projection(source="x", target="out", map=dense(rng, n, 2)),),
        outputs=(Output(name="out", population="out"),), steps=5)
    (integer, _), _, _ = quantized(network, {"x": (rng.random((2, 5, n)) < 0.3).astype(np.float32)})
    assert np.any(integer.projections[0].map.weights())


def test_values_of_a_coarse_grid_travel_exactly():
    port = Input(name="x", shape=(4,))
    values = np.array([[0, 1 / 16, 0.5, 1]], np.float32)
    chosen = BACKEND.input_format(port, values, TARGET)
    assert chosen == SpikeFormat(payload_bits=9, scale=1 / 16)
    sent = payloads(replace(port, format=chosen), values)
    np.testing.assert_array_equal(sent * chosen.scale, values)


def test_spikes_travel_as_spikes_and_loihi1_has_nothing_else():
    port = Input(name="x", shape=(2,))
    assert BACKEND.input_format(port, np.array([[0.0, 1.0]]), TARGET).payload_bits == 0
    graded = BACKEND.input_format(port, np.array([[0.2, 0.9]]), load_target("loihi1"))
    assert graded.payload_bits == 0


def test_a_bias_ahead_of_a_synaptic_current_is_kept_from_the_first_step_on():
    rng = np.random.default_rng(0)
    neuron = CubaLIF(current_decay=scalar(0.8), decay=scalar(0.9), threshold=scalar(1))
    network = Network(
        inputs=(Input(name="input", shape=(6,)),),
        populations=(Population(name="n", shape=(4,), neuron=neuron,
                                bias=np.array([0.2, 0.05, -0.1, 0], np.float32)),),
        projections=(Projection(source="input", target="n", map=dense(rng, 6, 4)),),
        outputs=(Output(name="output", population="n"),),
    )
    inputs = spikes(network, rate=0.1)
    (integer, errors), latency, trace = quantized(network, inputs)
    found = run_aligned(integer, latency, {"input": payloads(integer.inputs[0], inputs["input"])})
    scale = errors[0].scale * (1 if errors[0].gain is None else errors[0].gain)
    np.testing.assert_allclose(found.records["n"]["v"][:, :3] / scale,
                               trace.records["n"]["v"][:, :3], atol=0.02)
    assert (found.spikes("n") != trace.spikes("n")).mean() < 0.02


def test_a_soft_reset_at_the_threshold_fires_and_keeps_what_the_model_does():
    rng = np.random.default_rng(3)
    weight = rng.choice([0.25, 0.5], (8, 12)).astype(np.float32)
    network = Network(
        inputs=(Input(name="input", shape=(12,)),),
        populations=(Population(name="out", shape=(8,), neuron=LIF(
            decay=scalar(1), threshold=scalar(1), reset=Reset.SUBTRACT, fires_at_threshold=True)),),
        projections=(Projection(source="input", target="out", map=Dense(
            weight=weight, in_shape=(12,), out_shape=(8,))),),
        outputs=(Output(name="out", population="out"),))
    inputs = {"input": (rng.random((4, 60, 12)) < 0.15).astype(np.float32)}
    (integer, _), latency, trace = quantized(network, inputs)
    assert integer.populations[0].neuron.inclusive
    sent = {"input": payloads(integer.inputs[0], inputs["input"])}
    found = run_aligned(integer, latency, sent)
    assert trace.spikes("out").sum() > 200
    assert np.array_equal(found.spikes("out"), trace.spikes("out"))
