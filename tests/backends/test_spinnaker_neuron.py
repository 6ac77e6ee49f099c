"""SpiNNaker 1's neuron: readable step and kernel agree, words wrap, parameters become registers."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.edges import assert_kernel_follows, at_edges
from helpers.spinnaker_networks import random_core, run_core
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.spinnaker.accum import decayed, encode, product, quotient, wrapped
from nmcompile_backends.spinnaker.arithmetic import SpinnakerNeuron
from nmcompile_backends.spinnaker.exponential import accum_exponential, fraction_exponential
from nmcompile_backends.spinnaker.parameters import Cell, neuron

from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, SynapseFormat, verify
from nmcompile.ir.maps import Dense
from nmcompile.ir.reference import run

ONE = 1 << 15
LOWEST, HIGHEST = -(2**31), 2**31 - 1


def one(dt_ms=1.0, conductance=False, shifts=(0, 0), **cell):
    return neuron("n", Cell(**cell), (1,), dt_ms=dt_ms, conductance=conductance, shifts=shifts)


def respond(model, currents):
    """Per step: spike, and v, exc and inh in mV, nA or uS."""
    state, told = model.initial_state((1, 1)), []
    for q in currents:
        state, fired = model.step(state, np.array(q).reshape(1, 2, 1))
        told.append((int(fired[0, 0]), *(int(state[k][0, 0]) for k in ("v", "exc", "inh"))))
    return told


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_the_kernels_are_the_readable_step_and_delivery(seed, wild, delta):
    network = random_core(seed, steps=15, sizes=(1, 6), wild=wild, delta=delta)
    fast, saturated = run_core(network)
    plain, saturated_plainly = run_core(network, plain=True)
    np.testing.assert_array_equal(fast, plain)
    assert saturated == saturated_plainly


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
@example(0, False)
@example(1, True)
def test_the_kernel_is_the_readable_step_at_the_ends_of_every_word(seed, conductance):
    rng, shape = np.random.default_rng(seed), (5,)
    words = ("v_rest", "v_reset", "threshold", "resistance", "decay", "i_offset")
    fractions = ("exc_decay", "exc_gain", "inh_decay", "inh_gain")
    model = replace(
        one(conductance=conductance), refractory=at_edges(rng, 0, 9, shape),
        **{name: at_edges(rng, LOWEST, HIGHEST, shape) for name in words},
        **{name: rng.choice([0, 1, 2**31, 2**32 - 2, 2**32 - 1], shape).astype(np.uint32)
           for name in fractions},
        shift_exc=int(at_edges(rng, 0, 16)), shift_inh=int(at_edges(rng, 0, 16)))
    state = {name: at_edges(rng, LOWEST, HIGHEST, (2, *shape)) for name in ("v", "exc", "inh")}
    state["hold"] = at_edges(rng, 0, 9, (2, *shape))
    currents = [at_edges(rng, 0, 0x10000, (2, 2, *shape)) for _ in range(8)]
    assert_kernel_follows(model, shape, state, currents)


@settings(max_examples=60, deadline=None)
@given(st.integers(LOWEST, HIGHEST), st.integers(LOWEST, HIGHEST), st.integers(0, 2**32 - 1))
def test_products_are_cut_downward_to_32_bits(a, b, fraction):
    low = (a * b // 2**15) % 2**32
    assert product(a, b) % 2**32 == low
    assert LOWEST <= product(a, b) <= HIGHEST
    assert decayed(a, fraction) == a * fraction // 2**32


def test_sums_and_products_wrap_and_do_not_saturate():
    assert wrapped(np.array([2**31, -(2**31) - 1])).tolist() == [LOWEST, HIGHEST]
    assert product(256 * ONE, 128 * ONE) == 32768 * ONE
    assert product(256 * ONE, 256 * ONE) == LOWEST  # 65536 is one more than the largest
    assert product(256 * ONE, 384 * ONE) == -32768 * ONE
    assert product(-1, 1) == -1
    assert product(LOWEST, LOWEST) == 0


def test_reals_become_accums_by_their_decimal_text_half_to_even():
    assert encode([1.5 / 2**15, 2.5 / 2**15, -1.5 / 2**15, 0.1], "x").tolist() == [2, 2, -2, 3277]
    with pytest.raises(NmcError) as error:
        encode([0.0, 65536.0], "n: tau_m", " ms")
    assert str(error.value) == ("n: tau_m: spans 0 to 65536 ms, an accum of SpiNNaker holds -65536 "
                                "to 65535.99997.")


def test_the_cores_exponential_of_a_decay_is_within_a_unit_and_a_half_of_the_true_one():
    arguments = np.arange(-340695, 1, 97)
    found = np.array([accum_exponential(int(x)) for x in arguments])
    assert np.abs(found - np.exp(arguments / ONE) * ONE).max() < 1.5
    fractions = np.array([fraction_exponential(int(x)) for x in arguments])
    assert np.abs(fractions - np.exp(arguments / ONE) * 2**32).max() < 2**32 * 1e-5
    assert accum_exponential(0) == ONE
    assert fraction_exponential(0) == 0  # 1 does not fit
    assert accum_exponential(-340696) == 0
    assert accum_exponential(363409) == HIGHEST


def test_the_default_cell_has_the_registers_of_its_physics():
    model = one()
    assert (model.v_rest, model.threshold) == (-65 * ONE, -50 * ONE)
    assert (model.resistance, model.refractory) == (20 * ONE, 1)
    assert model.decay == 31170  # exp(-1/20) * 2**15 is 31169.6
    assert model.exc_decay == pytest.approx(np.exp(-1 / 5) * 2**32, rel=3e-5)
    assert model.exc_gain == pytest.approx(5 * (1 - np.exp(-1 / 5)) * 2**32, rel=1e-4)
    assert quotient(ONE, 3 * ONE) == 10922


@pytest.mark.parametrize(("tau", "dt", "steps"), [(0.0, 1.0, 0), (0.1, 1.0, 1), (2.0, 1.0, 2),
                                                  (2.01, 1.0, 3), (0.5, 0.1, 5)])
def test_the_refractory_time_is_rounded_up_to_steps(tau, dt, steps):
    assert one(tau_refrac=tau, dt_ms=dt).refractory == steps


def test_a_weight_arrives_shifted_and_times_its_gain_and_decays_after_the_step():
    model = one(shifts=(3, 0), tau_refrac=0.0)
    (_, v, exc, inh), *_ = respond(model, [(4096, 0)])
    arrived = decayed(4096 << 3, model.exc_gain)
    assert exc == decayed(arrived, model.exc_decay)
    assert inh == 0
    target = product(arrived, model.resistance) + model.v_rest
    assert v == target - product(model.decay, target - model.v_rest)


def test_more_than_16_bits_of_weights_saturate_in_the_ring_buffer():
    model = one(shifts=(1, 1))
    assert respond(model, [(0xFFFF, 9)]) == respond(model, [(10**6, 9)])


def test_full_entries_and_membranes_that_wrap_are_counted():
    model = one(shifts=(15, 15), tau_m=1000.0, tau_refrac=0.0)
    for q, found in (((0xFFFF, 0), {"exc": 0, "inh": 0, "v": 1}), ((0x10000, 0), {"exc": 1, "inh": 0,
                     "v": 1}), ((0, 0x10000), {"exc": 0, "inh": 1, "v": 1}),
                     ((9, 8), {"exc": 0, "inh": 0, "v": 0})):
        told = model.overflows(model.initial_state((1, 1)), np.array(q).reshape(1, 2, 1))
        assert {name: int(left.sum()) for name, left in told.items()} == found


def test_a_neuron_at_its_threshold_fires_and_holds_its_reset_while_refractory():
    model = one(v=-50.0, v_rest=-50.0, v_reset=-70.0, tau_refrac=2.0)
    spikes, membranes = zip(*[told[:2] for told in respond(model, [(0, 0)] * 4)], strict=True)
    assert spikes == (1, 0, 0, 0)
    assert membranes[:3] == (-70 * ONE,) * 3
    assert membranes[3] > -70 * ONE


def test_a_reset_above_the_threshold_fires_in_refractory_steps_too():
    model = one(v=-40.0, v_reset=-40.0, tau_refrac=3.0)
    assert [told[0] for told in respond(model, [(0, 0)] * 3)] == [1, 1, 1]


def test_conductances_stand_1024_times_too_high_and_drive_to_their_reversals():
    model = one(conductance=True, v=-65.0, e_rev_e=0.0, e_rev_i=-90.0, tau_refrac=0.0)
    (_, up, _, _), = respond(model, [(0x4000, 0)])
    (_, down, _, _), = respond(model, [(0, 0x4000)])
    assert up > -65 * ONE > down
    half = decayed(0x4000, model.exc_gain) >> 10
    target = product(product(half, 65 * ONE), model.resistance) - 65 * ONE
    assert up == target - product(model.decay, target + 65 * ONE)


@pytest.mark.parametrize("seed", range(4))
def test_projections_of_one_delay_each_are_the_ring_buffer(seed):
    network = random_core(seed, steps=25, sizes=(3, 12))
    s, n, outer = network.synapses, network.n, network.spikes.shape[1]
    source = np.repeat(np.arange(outer + n), np.diff(s.start))
    projections = []
    for delay in np.unique(s.delay):
        here = s.delay == delay
        weight = np.zeros((2 * n, outer + n), np.int64)
        np.add.at(weight, (s.kind[here].astype(int) * n + s.target[here], source[here]),
                  s.weight[here])
        for name, part in (("in", weight[:, :outer]), ("n", weight[:, outer:])):
            projections.append(Projection(
                source=name, target="n", delay=int(delay),
                map=Dense(weight=part, in_shape=(part.shape[1],), out_shape=(2, n)),
                format=SynapseFormat(bits=16, sign="excitatory")))
    net = verify(Network(
        inputs=(Input(name="in", shape=(outer,)),),
        populations=(Population(name="n", shape=(n,), neuron=network.neuron,
                                bias=np.zeros((), np.int32)),),
        projections=tuple(projections), outputs=(Output(name="out", population="n"),)))
    record = run(net, {"in": network.spikes[None]}).records["n"]
    wanted, _ = run_core(network)
    for column, name in ((0, "v"), (2, "exc"), (3, "inh"), (4, "spikes")):
        np.testing.assert_array_equal(record[name][0], wanted[..., column])


def test_parameters_without_a_register_are_refused():
    for cell, message in (
        ({"cm": 1e-6}, "n: cm: is 0 or less once rounded to 1/32768. SpiNNaker divides by it."),
        ({"tau_m": 40.0, "cm": 0.0005},
         "tau_m / cm: is 81920 MOhm, an accum holds less than 65536."),
        ({"tau_refrac": -1.0}, "n: tau_refrac is below 0, or dt_ms is not above 0."),
    ):
        with pytest.raises(NmcError) as error:
            one(**cell)
        assert str(error.value) == message


def test_words_beyond_their_registers_are_refused():
    model = one()
    for change, message in (
        ({"threshold": np.array(2**31)}, "n: threshold spans 2147483648 to 2147483648 (int64), "
         "SpiNNaker holds integers of -2147483648 to 2147483647."),
        ({"exc_gain": np.array(-1)}, "n: exc_gain spans -1 to -1 (int64), SpiNNaker holds integers "
         "of 0 to 4294967295."),
        ({"shift_inh": 17}, "n: shift_inh is 17, expected 0 to 16."),
    ):
        with pytest.raises(NmcError) as error:
            replace(model, **change).verify("n", (1,))
        assert str(error.value) == message


def test_each_neuron_may_have_parameters_of_its_own():
    taus = np.array([[10.0, 20.0], [20.0, 40.0]])
    model = neuron("n", Cell(tau_m=taus), (2, 2))
    model.verify("n", (2, 2))
    assert isinstance(model, SpinnakerNeuron)
    assert model.resistance.tolist() == (taus * ONE).tolist()
    assert model.decay[0, 1] == model.decay[1, 0] == one(tau_m=20.0).decay
    with pytest.raises(NmcError) as error:
        neuron("n", Cell(tau_m=np.array([10.0, 20.0, 30.0])), (2, 2))
    assert str(error.value) == "n: parameters of shapes (3,) and (3,) for (2, 2)."
