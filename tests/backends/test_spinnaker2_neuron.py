"""SpiNNaker 2's neuron: readable step and kernel agree, and the trace of the NIR paper is met."""

from pathlib import Path

import nir
import numpy as np
import pytest
from helpers.edges import assert_kernel_follows, at_edges
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.spinnaker2.arithmetic import Spinnaker2Neuron
from nmcompile_backends.spinnaker2.conversion import (
    Continuous,
    Integrator,
    full_scale,
    neuron,
    quantise,
)

from nmcompile.errors import NmcError
from nmcompile.ir.neurons import Reset

DATA = Path(__file__).parents[3] / "shared" / "data" / "nir"


def single(value):
    return np.array(value, np.float32)


def respond(model, currents):
    state, spikes, membranes = model.initial_state((1, 1)), [], []
    for current in currents:
        state, fired = model.step(state, np.array([[current]]))
        spikes.append(int(fired[0, 0]))
        membranes.append(float(state["v"][0, 0]))
    return spikes, membranes


@pytest.mark.skipif(not DATA.exists(), reason="there is no ../shared/data/nir")
def test_the_spikes_of_the_nir_papers_trace_are_met_at_every_step():
    # paper/01_lif/lif_spinnaker2.py of the NIR repository: scale, dt, reset and integrator. Its
    # backend is py-spinnaker2's Brian2 model (double precision, decay in single), not the chip.
    graph, scale = nir.read(DATA / "lif_norse.nir"), 102.02
    lif, affine = graph.nodes["1"], graph.nodes["0"]
    model, unit = neuron(
        Continuous(tau=lif.tau.astype(np.float64), r=lif.r, v_threshold=lif.v_threshold,
                   v_leak=lif.v_leak, bias=affine.bias),
        dt=1e-4, weight_scale=scale, integrator=Integrator.FORWARD, reset=Reset.ZERO)
    model.verify("1", (1,))
    weight = quantise("0", affine.weight, scale)
    sent, v, spikes = np.loadtxt(DATA / "lif_spinnaker2.csv", delimiter=",").T
    fired, membranes = respond(model, sent.astype(int) * int(weight[0, 0]))
    assert (weight.tolist(), float(model.decay[0])) == ([[102]], float(np.float32(0.96)))
    assert float(unit[0]) == pytest.approx(scale / 0.04)
    assert fired == spikes.tolist()
    assert sum(fired) == 4
    np.testing.assert_allclose(np.array(membranes) / scale, v, rtol=0, atol=2e-7)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([Reset.ZERO, Reset.SUBTRACT]),
       st.sampled_from([1.0, 1e-3, 1e30]))
def test_the_kernel_is_the_readable_step(seed, reset, reach):
    rng, shape = np.random.default_rng(seed), (2, 3, 2)
    model = Spinnaker2Neuron(
        decay=single(rng.uniform(-0.1, 1.1, shape[1:])), threshold=single(rng.normal(0, reach, 2)),
        offset=single(rng.normal(0, reach)), v_reset=single(rng.normal(0, reach, (3, 1))),
        v_init=single(rng.normal(0, reach)), reset=reset)
    model.verify("n", shape[1:])
    slow, step = model.initial_state(shape), model.stepper(shape[1:])
    fast = {"v": slow["v"].reshape(2, 6).copy()}
    for _ in range(20):
        current = rng.integers(-300, 300, shape)
        slow, wanted = model.step(slow, current)
        spikes = np.zeros((2, 6), np.int32)
        step(fast, current.reshape(1, 2, 6).astype(np.int32), spikes[None])
        assert slow["v"].dtype == np.float32
        np.testing.assert_array_equal(spikes, wanted.reshape(2, 6))
        np.testing.assert_array_equal(fast["v"], slow["v"].reshape(2, 6))


ENDS = np.array([0, -0.0, 1e-45, -1e-45, 1.2e-38, 1, -1, 2**24 - 1, 2**24, -2**24, 2e37, -2e37],
                np.float32)  # subnormals, the last whole numbers, and what can be added often


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([Reset.ZERO, Reset.SUBTRACT]))
@example(0, Reset.SUBTRACT)
def test_the_kernel_is_the_readable_step_at_the_ends_of_single_precision(seed, reset):
    rng, shape = np.random.default_rng(seed), (3, 4)
    model = Spinnaker2Neuron(
        decay=rng.choice(np.array([0, 1e-45, 0.5, 1 - 2**-24, 1], np.float32), shape),
        threshold=rng.choice(ENDS, shape), offset=rng.choice(ENDS[:-2], (4,)),
        v_reset=rng.choice(ENDS, (3, 1)), reset=reset)
    currents = [at_edges(rng, -2**31, 2**31 - 1, (2, *shape)) for _ in range(6)]
    assert_kernel_follows(model, shape, {"v": rng.choice(ENDS, (2, *shape))}, currents)


def test_every_operation_is_rounded_to_single_precision_in_its_order():
    model = Spinnaker2Neuron(decay=single(1), threshold=single(1e9), offset=single(0.5),
                             v_init=single(2**24))
    assert respond(model, [1])[1] == [2.0**24]  # 2**24 + 1.5 is 2**24 + 2 at once
    two = Spinnaker2Neuron(decay=single(0.1), threshold=single(1e9), v_init=single(3))
    assert respond(two, [0])[1] == [float(np.float32(0.1) * np.float32(3))]


def test_a_spike_needs_more_than_the_threshold_and_resets_or_subtracts():
    zero = Spinnaker2Neuron(decay=single(1), threshold=single(10), v_reset=single(-1))
    assert respond(zero, [10, 1, 0]) == ([0, 1, 0], [10, -1, -1])
    less = Spinnaker2Neuron(decay=single(1), threshold=single(10), reset=Reset.SUBTRACT)
    assert respond(less, [25, 0, 0]) == ([1, 1, 0], [15, 5, 5])


def test_exponential_euler_decays_by_the_exponential_and_forward_euler_by_its_tangent():
    lif = Continuous(tau=np.float64(10), r=np.float64(2), v_threshold=np.float64(1),
                     v_leak=np.float64(0.5), bias=np.float64(0.25))
    forward, scale = neuron(lif, dt=1.0, weight_scale=4.0, integrator=Integrator.FORWARD)
    assert (float(forward.decay), float(scale)) == (float(np.float32(0.9)), 20.0)
    assert (float(forward.threshold), float(forward.offset)) == (20.0, 2.0)
    exact, _ = neuron(lif, dt=1.0, weight_scale=4.0)
    assert exact.decay == np.float32(np.exp(-0.1))
    assert exact.threshold == np.float32(4 / (2 * (1 - np.exp(-0.1))))


def test_weights_fill_eight_bits_and_are_cut_toward_zero():
    weights = np.array([0.5, -0.3, 0.01])
    assert quantise("w", weights, full_scale(weights)).tolist() == [127, -76, 2]
    with pytest.raises(NmcError) as error:
        quantise("w", weights, 400)
    assert str(error.value) == ("w: weights span -120 to 200 at scale 400, SpiNNaker 2 holds -128 "
                                "to 127.")


def test_a_double_is_refused():
    model = Spinnaker2Neuron(decay=np.array(0.5), threshold=single(1))
    with pytest.raises(NmcError) as error:
        model.verify("n", (2,))
    assert str(error.value) == ("n: decay spans 0.5 to 0.5 (float64), SpiNNaker 2 holds finite "
                                "float32.")
