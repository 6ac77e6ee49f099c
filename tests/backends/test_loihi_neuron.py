"""Loihi's integer neuron: readable step and kernel agree, edges are where the registers end."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from helpers.edges import assert_kernel_follows, at_edges, followed
from helpers.networks import dense
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.arithmetic import LoihiNeuron
from nmcompile_backends.loihi.relay import LoihiRelay
from nmcompile_backends.loihi.sigma_delta import LoihiSigmaDelta

from nmcompile.arithmetic.fixed_point import saturate, scale_toward_zero, wrap
from nmcompile.errors import NmcError
from nmcompile.ir import Projection, SynapseFormat
from nmcompile.ir.accumulate import shifted
from nmcompile.ir.neurons import Reset

HALF = 1 << 23
SHAPE = (3, 2)


def whole(value):
    return np.array(value, np.int32)


def neuron(**fields):
    values = {"du": whole(4095), "dv": whole(0), "threshold": whole(100), "bias_mantissa": whole(0)}
    return LoihiNeuron(**(values | fields))


def respond(model, currents):
    state, spikes, membranes = model.initial_state((1, 1)), [], []
    for current in currents:
        state, fired = model.step(state, np.array([[current]]))
        spikes.append(int(fired[0, 0]))
        membranes.append(int(state["v"][0, 0]))
    return spikes, membranes


def edge_neuron(rng, reset=Reset.ZERO, **fields):
    """Registers at their ends or next to them half of the time; du = -1 never decays."""
    return neuron(**{
        "du": at_edges(rng, -1, 4095, (3, 1)), "dv": at_edges(rng, 0, 4095, SHAPE),
        "threshold": at_edges(rng, 0, 131071, (1, 2)),
        "bias_mantissa": at_edges(rng, -4095, 4095, SHAPE),
        "bias_exponent": int(at_edges(rng, 0, 7)), "reset": reset,
        "refractory": int(at_edges(rng, 1, 63)), "v_min_exponent": int(at_edges(rng, 0, 23)),
        "v_max_exponent": int(at_edges(rng, 0, 7)), **fields})


def edge_states(rng, model):
    """u and v at their ends; 2**23 belongs to Lava's u, -2**23 to nengo's."""
    low = -HALF if model.edges == "nengo" else 1 - HALF
    return {"u": at_edges(rng, low, low + 2 * HALF - 1, (2, *SHAPE)),
            "v": at_edges(rng, *model.v_limits, (2, *SHAPE)),
            "hold": at_edges(rng, 0, model.refractory - 1, (2, *SHAPE))}


def edge_currents(rng, weight, steps=20):
    """Sums of `weight` and of its neighbours, and of nothing."""
    return [at_edges(rng, -weight, weight, (2, *SHAPE)) for _ in range(steps)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(list(Reset)), st.booleans(), st.booleans(),
       st.booleans(), st.sampled_from([256, 256 << 7, 2**17, 2**24]))
@example(0, Reset.ZERO, False, False, False, 256)
@example(1, Reset.ZERO, False, False, True, 2**17)
def test_the_kernel_is_the_readable_step(seed, reset, late, silent, nengo, weight):
    rng = np.random.default_rng(seed)
    model = edge_neuron(
        rng, Reset.ZERO if nengo else reset, subtract_late=late, silent=silent,
        inclusive=bool(seed % 2) and not nengo, edges="nengo" if nengo else "lava")
    assert_kernel_follows(model, SHAPE, edge_states(rng, model), edge_currents(rng, weight))


@pytest.mark.parametrize(("edges", "extreme"), [("lava", HALF), ("nengo", -HALF)])
def test_random_neurons_do_reach_the_ends_of_u_and_v(edges, extreme):
    reached = Counter()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        model = edge_neuron(rng, edges=edges, v_min_exponent=23, v_max_exponent=7)
        weight = int(rng.choice([256, 2**17]))
        state = edge_states(rng, model)
        for after, _ in followed(model, SHAPE, state, edge_currents(rng, weight)):
            jumps = np.abs(after["u"].astype(np.int64) - state["u"])
            reached += Counter(
                extreme=np.count_nonzero(after["u"] == extreme),
                wraps=np.count_nonzero(jumps > 1.2 * HALF), kept=np.count_nonzero(
                    (model.du == -1) & (np.abs(after["u"]) > HALF - 1000)),
                bottom=np.count_nonzero(after["v"] == 1 - HALF))
            state = after
    assert len(reached) == 4
    assert min(reached.values()) > 1, reached


@pytest.mark.parametrize(("inclusive", "spikes", "left"), [(True, [1, 0], 0), (False, [0, 1], 1)])
def test_a_neuron_at_its_threshold_fires_if_the_comparison_includes_it(inclusive, spikes, left):
    model = neuron(reset=Reset.SUBTRACT, subtract_late=False, inclusive=inclusive)
    fired, membranes = respond(model, [100, 1])
    assert fired == spikes
    assert membranes[-1] == (left if not inclusive else 1) * 64


def test_decay_rounds_toward_zero_on_both_sides():
    assert scale_toward_zero(np.array([7, -7]), 2048, 12).tolist() == [3, -3]


def test_the_current_wraps_and_the_membrane_saturates_at_24_bits():
    assert wrap(np.array([HALF, HALF + 1, -HALF, -HALF + 1]), 24).tolist() == [
        HALF,
        -HALF + 1,
        HALF,
        -HALF + 1,
    ]
    assert saturate(np.array([HALF, -HALF]), 24).tolist() == [HALF - 1, 1 - HALF]
    model = neuron(du=whole(0), threshold=whole(131071), reset=Reset.NONE, silent=True)
    assert respond(model, [131071, 0])[1] == [131071 << 6, HALF - 1]


def test_edges_like_nengo_s_wrap_q_in_22_bits_and_u_with_its_bias_in_24():
    limits = {"du": whole(0), "dv": whole(4095), "threshold": whole(131071)}
    model = neuron(**limits, edges="nengo", u_init=whole(HALF - 1), bias_mantissa=whole(4095))
    assert respond(model, [0]) == ([0], [HALF - 1 - 2048 + 4095 - 2 * HALF])
    q = 2**15
    assert respond(neuron(**limits, edges="nengo"), [q])[1] == [-64 * q]
    assert respond(neuron(**limits), [q])[1] == [64 * q]


def test_registers_limit_the_membrane():
    model = neuron(dv=whole(0), v_min_exponent=12, v_max_exponent=1)
    assert respond(model, [-100, 40])[1] == [1 - 2**12, 1 - 2**12 + 40 * 64]
    assert respond(neuron(v_max_exponent=1), [99])[1] == [2**11 - 1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"edges": "brian"}, "n: edges like those of 'brian', known: lava, nengo."),
        ({"v_max_exponent": 8}, "n: limits of v of the exponents 23 (0 to 23) and 8 (0 to 7) do "
                                "not fit Loihi."),
        ({"edges": "nengo", "reset": Reset.SUBTRACT},
         "n: nengo-loihi has no reset but to zero and fires above the threshold only. Leave "
         "`edges` at 'lava'."),
    ],
)
def test_edges_that_no_emulator_has_are_refused(fields, message):
    with pytest.raises(NmcError) as error:
        neuron(**fields).verify("n", (1,))
    assert str(error.value) == message


def test_steps_that_wrap_the_current_or_saturate_the_membrane_are_counted():
    model = neuron(du=whole(0), threshold=whole(131071), reset=Reset.NONE, silent=True)
    state, left = model.initial_state((1, 1)), []
    for current in ([[100_000]], [[40_000]], [[0]]):
        found = model.overflows(state, np.array(current))
        left.append((bool(found["u"][0, 0]), bool(found["v"][0, 0])))
        state, _ = model.step(state, np.array(current))
    assert left == [(False, False), (True, False), (False, True)]


def test_a_negative_exponent_rounds_toward_minus_infinity():
    rng = np.random.default_rng(0)
    link = Projection(source="a", target="b", map=dense(rng, 1, 1),
                      format=SynapseFormat(bits=8, exponent=-1))
    assert shifted(np.array([5, -5]), link).tolist() == [2, -3]
    up = replace(link, format=SynapseFormat(bits=8, exponent=2))
    assert shifted(np.array([5, -5]), up).tolist() == [20, -20]


def test_a_spike_needs_more_than_the_threshold():
    assert respond(neuron(), [100])[0] == [0]
    assert respond(neuron(), [101])[0] == [1]


def test_a_late_subtraction_leaves_the_membrane_behind_the_leak():
    model = neuron(reset=Reset.SUBTRACT, dv=whole(2048))
    assert respond(model, [150, 0]) == ([1, 0], [150 << 6, (75 - 100) << 6])
    prompt = neuron(reset=Reset.SUBTRACT, dv=whole(2048), subtract_late=False)
    assert respond(prompt, [150, 0])[1] == [50 << 6, 25 << 6]


def test_refractory_two_loses_the_input_of_the_next_step():
    assert respond(neuron(refractory=2), [150, 90, 90])[1] == [0, 0, 90 << 6]
    assert respond(neuron(refractory=1), [150, 90, 0])[1] == [0, 90 << 6, 90 << 6]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("du", 4096, "n: du spans 4096 to 4096, Loihi holds -1 to 4095."),
        ("threshold", 131072, "n: threshold spans 131072 to 131072, Loihi holds 0 to 131071."),
        (
            "bias_mantissa",
            -4096,
            "n: bias_mantissa spans -4096 to -4096, Loihi holds -4095 to 4095.",
        ),
    ],
)
def test_a_value_beyond_its_register_is_refused(field, value, message):
    with pytest.raises(NmcError) as error:
        neuron(**{field: whole(value)}).verify("n", (1,))
    assert str(error.value) == message


def test_a_relay_sends_the_24_bit_sum_of_its_step_and_its_kernel_alike():
    model, shape = LoihiRelay(), (3, 4)
    current = np.random.default_rng(0).integers(-2**25, 2**25, (5, *shape)).astype(np.int32)
    current[0, 0, 0], current[0, 0, 1] = 2**23, -(2**23)
    state, sent = model.step(model.initial_state((5, *shape)), current)
    assert np.array_equal(sent, state["v"])
    assert (sent[0, 0, 0], sent[0, 0, 1]) == (2**23, 2**23)
    assert np.array_equal((sent.astype(np.int64) - current) % 2**24, np.zeros(sent.shape))
    flat, spikes = np.zeros((5, 12), np.int32), np.zeros((5, 12), np.int32)
    model.stepper(shape)({"v": flat}, current.reshape(1, 5, -1), spikes[None])
    assert np.array_equal(spikes.reshape(sent.shape), sent)
    assert np.array_equal(flat, spikes)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.sampled_from([0, 6]),
       st.sampled_from([50, 2**16, 2**24]))
def test_the_kernel_of_a_sigma_delta_neuron_is_its_readable_step(
    seed, rectified, accumulates, shift, reach
):
    rng, shape = np.random.default_rng(seed), (3, 4)
    model = LoihiSigmaDelta(
        threshold=at_edges(rng, 0, min(2 * reach, HALF - 1), (4,)),
        offset=at_edges(rng, -min(reach, HALF - 1), min(reach, HALF - 1), shape),
        rectified=rectified, accumulates=accumulates, shift=shift)
    full = seed % 3 == 0  # states begin at the ends of 24 bits, else at rest
    state = {name: at_edges(rng, 1 - HALF, HALF - 1, (2, *shape)) * full
             for name in model.state_names}
    currents = [at_edges(rng, -reach, reach, (2, *shape)) for _ in range(6)]
    assert_kernel_follows(model, shape, state, currents)


def test_what_leaves_a_register_of_a_sigma_delta_neuron_is_refused():
    model = LoihiSigmaDelta(threshold=whole(2**23), offset=whole(0))
    with pytest.raises(NmcError) as error:
        model.verify("n", (2,))
    assert str(error.value) == ("n: threshold spans 8388608 to 8388608 (int32), Loihi holds integers "
                                "of 0 to 8388607.")
