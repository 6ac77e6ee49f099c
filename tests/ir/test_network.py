"""What a network means, and the rules that it keeps."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import conv_network, dense, scalar, spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.errors import NmcError
from nmcompile.ir import (
    Input,
    Network,
    Output,
    Population,
    Projection,
    SpikeFormat,
    SynapseFormat,
    order,
    run,
    verify,
)
from nmcompile.ir.formats import SPLIT
from nmcompile.ir.maps import Conv, Dense
from nmcompile.ir.neurons import LI, LIF, Reset, ResetAt, ResonateFire
from nmcompile.ir.text import to_text


def one_neuron(neuron):
    identity = replace(dense(np.random.default_rng(0), 1, 1), weight=np.ones((1, 1), np.float32))
    return Network(
        inputs=(Input(name="input", shape=(1,)),),
        populations=(Population(name="n", shape=(1,), neuron=neuron),),
        projections=(Projection(source="input", target="n", map=identity),),
        outputs=(Output(name="output", population="n"),),
    )


def response(neuron, values):
    given_values = np.array(values, np.float32).reshape(1, -1, 1)
    records = run(one_neuron(neuron), {"input": given_values}).records["n"]
    return records["spikes"].ravel().tolist(), records["v"].ravel().tolist()


def lif(**fields):
    return LIF(decay=scalar(0.5), threshold=scalar(1), **fields)


@pytest.mark.parametrize(
    ("fields", "membrane"),
    [
        ({"reset": Reset.ZERO, "reset_at": ResetAt.SPIKE}, [0, 0.5, 0.75]),
        ({"reset": Reset.ZERO, "reset_at": ResetAt.LEAK}, [2, 0.5, 0.75]),
        ({"reset": Reset.ZERO, "reset_at": ResetAt.INPUT}, [2, 0, 0.5]),
        ({"reset": Reset.SUBTRACT, "reset_at": ResetAt.SPIKE}, [1, 1, 1]),
        ({"reset": Reset.SUBTRACT, "reset_at": ResetAt.INPUT}, [2, 0.5, 0.75]),
        ({"reset": Reset.NONE}, [2, 1.5, 1.25]),
    ],
)
def test_each_reset_leaves_the_membrane_that_its_definition_says(fields, membrane):
    assert response(lif(**fields), [2, 0.5, 0.5])[1] == membrane


def test_a_neuron_fires_above_its_threshold_and_at_it_only_where_it_says_so():
    assert response(lif(), [1])[0] == [0]
    assert response(lif(fires_at_threshold=True), [1])[0] == [1]


def test_a_leaky_integrator_never_fires():
    assert response(LI(decay=scalar(1)), [5, 5])[0] == [0, 0]


def test_a_projection_with_delay_arrives_that_many_steps_later():
    network = one_neuron(LI(decay=scalar(0)))
    late = replace(network, projections=(replace(network.projections[0], delay=2),))
    values = np.array([3, 0, 0, 0], np.float32).reshape(1, 4, 1)
    assert run(late, {"input": values}).records["n"]["v"].ravel().tolist() == [0, 0, 3, 0]


def test_a_population_holds_its_state_before_its_start():
    network = one_neuron(LI(decay=scalar(1)))
    started = replace(
        network, populations=(replace(network.populations[0], bias=scalar(1), start=2),)
    )
    values = np.zeros((1, 4, 1), np.float32)
    assert run(started, {"input": values}).records["n"]["v"].ravel().tolist() == [0, 0, 1, 2]


def test_populations_are_ordered_along_projections_without_delay():
    network = conv_network()
    shuffled = replace(network, populations=network.populations[::-1])
    assert order(shuffled) == ("conv", "rec", "out")


def test_a_loop_without_delay_is_refused():
    network = conv_network()
    loop = Projection(source="out", target="rec", map=dense(np.random.default_rng(0), 5, 20))
    with pytest.raises(NmcError) as error:
        verify(replace(network, projections=(*network.projections, loop)))
    assert str(error.value) == (
        "network: the loop through out, rec has no delay. "
        "A recurrent connection needs a delay of at least one step."
    )


def test_a_time_constant_in_place_of_a_decay_is_refused():
    with pytest.raises(NmcError) as error:
        verify(one_neuron(LIF(decay=scalar(20), threshold=scalar(1))))
    assert str(error.value) == (
        "n: decay spans 20 to 20, expected -1 to 1. Convert a time constant with exp(-dt / tau)."
    )


def split_into(neuron, **fields):
    """One projection whose weights of 2 and -3 are split by their sign."""
    linear = Dense(weight=np.array([[2, -3]], np.int32), in_shape=(2,), out_shape=(1,))
    return Network(
        inputs=(Input(name="in", shape=(2,), format=SpikeFormat(payload_bits=0)),),
        populations=(Population(name="n", shape=(1,), neuron=neuron, bias=np.zeros((), np.int32)),),
        projections=(Projection(source="in", target="n", delay=1, map=linear,
                                format=SynapseFormat(bits=16, sign=SPLIT), **fields),),
        outputs=(Output(name="out", population="n"),))


def test_weights_split_by_sign_feed_two_currents_with_their_magnitudes():
    both = ResonateFire(sin_decay=scalar(0), cos_decay=scalar(0), threshold=scalar(9))
    net = split_into(both)
    record = run(verify(net), {"in": np.array([[[1, 0], [0, 1], [1, 1], [0, 0]]])}).records["n"]
    assert record["re"].reshape(-1).tolist() == [0, 2, 0, 2]
    assert record["v"].reshape(-1).tolist() == [0, 0, 3, 3]


@pytest.mark.parametrize(("fields", "found"), [({}, 1), ({"current": 0}, 2)])
def test_weights_split_by_sign_into_other_than_two_currents_are_refused(fields, found):
    two = ResonateFire(sin_decay=scalar(0), cos_decay=scalar(0), threshold=scalar(9))
    with pytest.raises(NmcError) as error:
        verify(split_into(two if fields else lif(), **fields))
    assert str(error.value) == (f"in -> n: its weights are split by sign, its target has {found} "
                                f"current{'s' if found > 1 else ''} for them.")


def test_a_map_that_does_not_fit_its_ends_is_refused():
    network = conv_network()
    wrong = Projection(source="rec", target="out", map=dense(np.random.default_rng(0), 19, 5))
    with pytest.raises(NmcError) as error:
        verify(replace(network, projections=(wrong,)))
    assert str(error.value) == (
        "rec -> out: its map goes from 19 to 5 elements, its ends have 20 and 5."
    )


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.data())
def test_a_convolution_is_torchs(kernel, stride, padding, dilation, data):
    import torch

    groups = data.draw(st.sampled_from([1, 2]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    conv = Conv(
        weight=rng.normal(size=(4, 2 // groups, kernel, 2)),
        in_shape=(2, 7, 6),
        stride=(stride, 1),
        padding=(padding, 1),
        dilation=(dilation, 1),
        groups=groups,
    )
    x = rng.normal(size=(3, 84))
    expected = torch.nn.functional.conv2d(
        torch.tensor(x.reshape(3, 2, 7, 6)),
        torch.tensor(conv.weight),
        None,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups,
    ).numpy()
    assert conv.out_shape == expected.shape[1:]
    np.testing.assert_allclose(conv.apply(x), expected.reshape(3, -1), atol=1e-9)


def from_part(linear, sources, shape):
    return Network(
        inputs=(Input(name="input", shape=shape),),
        populations=(Population(name="n", shape=linear.out_shape, neuron=lif()),),
        projections=(Projection(source="input", target="n", map=linear, sources=sources),),
        outputs=(Output(name="output", population="n"),))


def test_a_projection_from_a_part_of_its_source_hears_that_part_alone():
    network = verify(from_part(dense(np.random.default_rng(0), 3, 4, 5.0), (2, 5), (7,)))
    inputs = spikes(network)
    quiet = {"input": inputs["input"] * (np.arange(7) // 3 == 1)}  # 3, 4, 5
    quiet["input"][..., 2] = inputs["input"][..., 2]
    wanted, found = (run(network, values).spikes("n") for values in (inputs, quiet))
    assert wanted.any()
    assert np.array_equal(wanted, found)
    assert "  input[2:5] -> n delay 0: dense 3 to 4" in to_text(network)


@pytest.mark.parametrize(("linear", "sources", "message"), [
    (dense(np.random.default_rng(0), 3, 4), (5, 8),
     "input -> n: it comes from neurons 5 to 7 of the 7 of its source."),
    (dense(np.random.default_rng(0), 3, 4), (2, 6),
     "input -> n: its map goes from 3 to 4 elements, its ends have 4 and 4."),
    (dense(np.random.default_rng(0), 7, 4), (),
     "input -> n: () is no first neuron of its source and the one behind its last."),
])
def test_a_part_that_a_source_does_not_have_is_refused(linear, sources, message):
    with pytest.raises(NmcError) as error:
        verify(from_part(linear, sources, (7,)))
    assert str(error.value) == message


@pytest.mark.parametrize(("sources", "groups"), [((2, 10), 1), ((4, 12), 2)])
def test_a_convolution_takes_whole_channels_in_one_group(sources, groups):
    linear = Conv(weight=np.ones((2, 2 // groups, 1, 1), np.float32), in_shape=(2, 2, 2),
                  groups=groups)
    with pytest.raises(NmcError, match="takes whole channels, in one group"):
        verify(from_part(linear, sources, (4, 2, 2)))
    verify(from_part(replace(linear, weight=np.ones((2, 2, 1, 1), np.float32), groups=1), (4, 12),
                     (4, 2, 2)))


def test_the_text_of_a_network_is_stable():
    text = to_text(conv_network())
    assert text == to_text(conv_network())
    assert text.splitlines()[0] == "input input 2x8x7 real"
    assert text.splitlines()[-1] == "output output: out.spikes"


def test_runs_do_not_depend_on_what_else_is_in_the_batch():
    network = conv_network()
    inputs = spikes(network)
    whole = run(network, inputs).spikes("out")
    alone = run(network, {"input": inputs["input"][2:3]}).spikes("out")
    np.testing.assert_array_equal(whole[2:3], alone)
