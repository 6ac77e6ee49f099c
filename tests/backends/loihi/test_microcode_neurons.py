"""Loihi 2's adaptive and resonating neurons: kernels, and what leaves a register."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from helpers.edges import at_edges, followed
from helpers.random_microcode import adaptive, resonator
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.currents import one_current_each
from nmcompile_backends.loihi.legalize import legalize

from nmcompile.errors import NmcError
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.maps import Conv, Dense, from_matrix
from nmcompile.ir.neurons import ResonateFire
from nmcompile.target import load_target

SHAPE = (3, 2)
LIMIT = 2**23 - 1


def agree(model, rng: np.random.Generator, reach: int, full: bool = False) -> Counter:
    """Steps both forms of `model` on random currents; how often it fired and was at an end.

    full  whether u, v and re begin at the ends of 24 bits
    """
    inputs = (2, model.currents, *SHAPE) if hasattr(model, "currents") else (2, *SHAPE)
    state = model.initial_state((2, *SHAPE))
    if full:
        state |= {name: at_edges(rng, -LIMIT, LIMIT, (2, *SHAPE))
                  for name in ("u", "v", "re") if name in state}
    currents = [at_edges(rng, -reach, reach, inputs) for _ in range(25)]
    reached: Counter = Counter()
    for after, spikes in followed(model, SHAPE, state, currents):
        ends = after.get("re", after["v"])  # at its upper end v may be reset
        reached += Counter(spikes=int(spikes.sum()), top=np.count_nonzero(ends == LIMIT),
                           bottom=np.count_nonzero(after["v"] == -LIMIT))
    return reached


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([256, 4000, 2**18]), st.booleans())
@example(0, 256, True)
def test_the_kernel_of_an_adaptive_neuron_is_its_readable_step(seed, reach, full):
    rng = np.random.default_rng(seed)
    agree(adaptive(rng, SHAPE), rng, reach, full)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([10, 256, 2**18]), st.booleans())
@example(0, True, 256, True)
def test_the_kernel_of_a_resonator_is_its_readable_step(seed, phase, reach, full):
    rng = np.random.default_rng(seed)
    agree(resonator(rng, phase, SHAPE), rng, reach, full)


@pytest.mark.parametrize("make", [
    adaptive, lambda rng, shape: resonator(rng, True, shape),
    lambda rng, shape: resonator(rng, False, shape)], ids=["adaptive", "phase", "izhikevich"])
def test_random_neurons_fire_and_reach_the_ends_of_their_states(make):
    rng = np.random.default_rng(0)
    calm = sum((agree(make(rng, SHAPE), rng, 4000) for _ in range(20)), Counter())
    loud = sum((agree(make(rng, SHAPE), rng, 2**18, full=True) for _ in range(40)), Counter())
    assert calm["spikes"] > 100
    assert loud["bottom"] > 50
    assert loud["top"] > 5


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (adaptive, {"dtheta": np.array(4096)},
         "n: dtheta spans 4096 to 4096 (int64), Loihi holds integers of 0 to 4095."),
        (adaptive, {"bias_exponent": 8}, "n: a bias exponent of 8, expected 0 to 7."),
        (lambda rng, shape, **more: resonator(rng, True, shape, **more),
         {"cos_decay": np.array(-4097)},
         "n: cos_decay spans -4097 to -4097 (int64), Loihi holds integers of -4096 to 4096."),
    ],
)
def test_a_value_beyond_its_register_is_refused(make, fields, message):
    with pytest.raises(NmcError) as error:
        make(np.random.default_rng(0), SHAPE, **fields).verify("n", SHAPE)
    assert str(error.value) == message


def into_resonators(linear, shape, in_shape) -> Network:
    plain = np.float32(0.5)
    layer = Population(name="r", shape=shape, bias=np.zeros((), np.float32), neuron=ResonateFire(
        sin_decay=plain, cos_decay=plain, threshold=plain))
    return Network(inputs=(Input(name="in", shape=in_shape),), populations=(layer,),
                   projections=(Projection(source="in", target="r", map=linear, delay=1),),
                   outputs=(Output(name="out", population="r"),))


RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(4, 12)).astype(np.float32)


@pytest.mark.parametrize(
    ("linear", "shape", "in_shape"),
    [
        (Dense(weight=np.ascontiguousarray(MATRIX.T), in_shape=(4,), out_shape=(2, 6)), (6,), (4,)),
        (from_matrix(scipy.sparse.csr_array(MATRIX * (MATRIX > 0)), (4,), (2, 6)), (6,), (4,)),
        (Conv(weight=RNG.normal(size=(4, 3, 2, 2)).astype(np.float32), in_shape=(3, 5, 5)),
         (2, 4, 4), (3, 5, 5)),
    ],
)
def test_a_projection_into_both_currents_becomes_one_into_each(linear, shape, in_shape):
    whole = verify(into_resonators(linear, shape, in_shape))
    cut = verify(one_current_each(whole))
    assert [p.current for p in cut.projections] == [0, 1]
    inputs = {"in": RNG.normal(size=(2, 9, *in_shape)).astype(np.float32)}
    wanted, found = run(whole, inputs).records["r"], run(cut, inputs).records["r"]
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)


@pytest.mark.parametrize(
    ("neuron", "bias", "message"),
    [
        ({"re_init": np.float32(0.5)}, 0, "r: resonators begin at rest on loihi2. Start the model "
                                          "from states of 0."),
        ({}, 0.5, "r: a bias of resonators does not exist on loihi2. Train without bias and "
                  "normalisation."),
    ],
)
def test_resonators_with_a_state_or_a_bias_are_refused(neuron, bias, message):
    net = into_resonators(
        Dense(weight=np.ones((12, 4), np.float32), in_shape=(4,), out_shape=(2, 6)), (6,), (4,))
    layer = net.populations[0]
    changed = replace(layer, neuron=replace(layer.neuron, **neuron), bias=np.float32(bias))
    with pytest.raises(NmcError) as error:
        legalize(replace(net, populations=(changed,)), load_target("loihi2"))
    assert str(error.value) == message


def test_a_current_that_a_neuron_does_not_have_is_refused():
    net = one_current_each(into_resonators(
        Dense(weight=np.ones((12, 4), np.float32), in_shape=(4,), out_shape=(2, 6)), (6,), (4,)))
    with pytest.raises(NmcError) as error:
        verify(replace(net, projections=(replace(net.projections[0], current=2),)))
    assert str(error.value) == "in -> r: it feeds current 2 of a neuron that has 2."
