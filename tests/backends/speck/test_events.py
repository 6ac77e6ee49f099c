"""Speck's cores: the kernel is the readable definition, and each rule of the data sheet holds."""

import numpy as np
import pytest
from helpers.edges import at_edges
from helpers.random_speck import events, graph
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.speck.arithmetic import TICK, Order, Rules, Taps, run, run_readable
from nmcompile_backends.speck.cores import Destination, SpeckCore, SpeckNetwork

from nmcompile.errors import NmcError

ALL_RULES = [Rules(order=order, taps=taps, leak_fires=fires, skips_zeros=not fires)
             for order in Order for taps in Taps for fires in (False, True)]


def one(weights, **registers):
    """A network of one neuron with one input channel for each weight."""
    kernel = np.array(weights, np.int8).reshape(1, -1, 1, 1)
    values = {"threshold_high": 100, "in_shape": (kernel.shape[1], 1, 1)} | registers
    return SpeckNetwork(cores=(SpeckCore(weight=kernel, **values),), inputs=(Destination(0),))


def respond(network, channels):
    """Numbers of the inputs that made the neuron fire, and its state at the end."""
    found = run(network, np.array([(c, 0, 0) for c in channels]))
    return found.events[:, 0].tolist(), int(found.states[0].item())


def same(left, right):
    np.testing.assert_array_equal(left.events, right.events)
    for a, b in zip(left.states, right.states, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(left.additions, right.additions)
    np.testing.assert_array_equal(left.saturated, right.saturated)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(ALL_RULES), st.booleans(), st.booleans())
def test_the_kernel_is_the_readable_definition(seed, rules, merging, decimated):
    rng = np.random.default_rng(seed)
    drawn = {"decimator": int(rng.integers(3))} if decimated else {}
    network = graph(rng, merging, **drawn)
    cores = []
    for core in network.cores:
        edge = at_edges(rng, -(2**15), 2**15 - 1, core.out_shape).astype(np.int16)
        leak = rng.integers(-90, 90, core.out_shape[0]).astype(np.int16)
        cores.append(SpeckCore(**{**vars(core), "initial": edge, "leak": leak}))
    network = SpeckNetwork(cores=tuple(cores), inputs=network.inputs)
    inputs = events(rng, network, 12, tick_rate=0.1)
    same(run(network, inputs, rules), run_readable(network, inputs, rules))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_in_a_chain_the_order_of_handling_changes_neither_spikes_nor_states(seed):
    rng = np.random.default_rng(seed)
    network = graph(rng, merging=False)
    inputs = events(rng, network, 40)
    depth, breadth = (run(network, inputs, Rules(order=order)) for order in Order)
    for core in range(len(network.cores)):
        np.testing.assert_array_equal(depth.events[depth.events[:, 1] == core],
                                      breadth.events[breadth.events[:, 1] == core])
        np.testing.assert_array_equal(depth.states[core], breadth.states[core])


def test_where_cores_merge_the_order_of_handling_changes_spikes():
    different = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        network = graph(rng, merging=True)
        inputs = events(rng, network, 200)
        depth, breadth = (run(network, inputs, Rules(order=order)) for order in Order)
        different += sorted(depth.events.tolist()) != sorted(breadth.events.tolist())
    assert different > 0


def test_one_addition_fires_once_even_above_twice_the_threshold_and_the_rest_waits_for_the_next():
    network = one([127, 1], threshold_high=40)
    assert respond(network, [0]) == ([0], 87)
    assert respond(network, [0, 1, 1, 1]) == ([0, 1, 2], 10)


def test_a_state_at_the_threshold_fires():
    assert respond(one([100]), [0]) == ([0], 0)
    assert respond(one([99]), [0]) == ([], 99)


def test_return_to_zero_loses_what_exceeds_the_threshold():
    assert respond(one([60]), [0, 0]) == ([1], 20)
    assert respond(one([60], return_to_zero=True), [0, 0]) == ([1], 0)


def test_no_state_falls_below_threshold_low():
    assert respond(one([-60, 5], threshold_low=-100), [0, 0]) == ([], -100)
    assert respond(one([-60, 5], threshold_low=-100), [0, 0, 1]) == ([], -95)


def test_the_upper_end_of_16_bits_saturates_and_is_counted():
    network = one([127], threshold_high=1, initial=np.full((), 32700, np.int16))
    found = run(network, np.zeros((1, 3), int))
    assert (int(found.states[0].item()), found.saturated.tolist()) == (32766, [1])


def test_a_tick_adds_the_leak_to_every_neuron_and_compares_it():
    network = one([60], leak=np.array([-7], np.int16))
    assert respond(network, [0, TICK, TICK]) == ([], 46)
    assert respond(one([60], leak=np.array([50], np.int16)), [0, TICK]) == ([1], 10)
    silent = run(one([60], leak=np.array([50], np.int16)), np.array([(0, 0, 0), (TICK, 0, 0)]),
                 Rules(leak_fires=False))
    assert (len(silent.events), int(silent.states[0].item())) == (0, 110)


def test_a_weight_of_zero_does_not_ask_a_neuron_that_is_still_above_its_threshold():
    network = one([127, 0], threshold_high=40)
    inputs = np.array([(0, 0, 0), (1, 0, 0)])
    assert run(network, inputs).events[:, 0].tolist() == [0]
    assert run(network, inputs, Rules(skips_zeros=False)).events[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize(("interval", "every"), [(0, 2), (1, 4), (2, 8), (5, 128)])
def test_the_decimator_passes_one_spike_of_every_n(interval, every):
    found, _ = respond(one([100], decimator=interval), [0] * 300)
    assert found == list(range(every - 1, 300, every))


def test_a_corner_reaches_the_neurons_that_torch_says_it_reaches():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    kernel = rng.integers(1, 128, (4, 2, 5, 5)).astype(np.int8)
    core = SpeckCore(weight=kernel, in_shape=(2, 13, 17), stride=(4, 2), padding=(3, 1),
                     threshold_high=32767)
    network = SpeckNetwork(cores=(core,), inputs=(Destination(0),))
    for place in [(0, 0, 0), (1, 12, 16), (0, 6, 9), (1, 0, 16)]:
        frame = np.zeros((1, 2, 13, 17), np.float32)
        frame[0][place] = 1
        wanted = torch.nn.functional.conv2d(torch.tensor(frame), torch.tensor(kernel).float(),
                                            stride=(4, 2), padding=(3, 1))
        np.testing.assert_array_equal(run(network, np.array([place])).states[0], wanted[0].numpy())


def test_cost_grows_with_events_and_taps_alone():
    core = SpeckCore(weight=np.ones((8, 2, 3, 3), np.int8), in_shape=(2, 64, 64), padding=(1, 1),
                     threshold_high=32767)
    network = SpeckNetwork(cores=(core,), inputs=(Destination(0),))
    inside = np.random.default_rng(0).integers((0, 1, 1), (2, 63, 63), (1000, 3))
    assert run(network, inside).additions.tolist() == [1000 * 8 * 9]


@pytest.mark.parametrize(
    ("registers", "message"),
    [
        ({"threshold_low": 0}, "core 0: threshold_low is 0, which this generation of Speck cannot "
         "hold (a known fault of the chip). Use -1."),
        ({"threshold_high": 32768}, "core 0: threshold_high is 32768, Speck holds 1 to 32767."),
        ({"stride": (3, 1)}, "core 0: stride is (3, 1), Speck has 1, 2, 4 and 8."),
        ({"padding": (8, 0)}, "core 0: padding is (8, 0), Speck has 0 to 7."),
        ({"leak": np.zeros(2, np.int16)}, "core 0: leak has shape (2,), expected one value for "
         "each of 1 features."),
        ({"decimator": 8}, "core 0: output_decimator_interval is 8, expected 0 to 7."),
        ({"destinations": (Destination(1),)}, "core 0: it sends to core 1, which does not exist."),
        ({"destinations": (Destination(0),)}, "network: cores 0 run in a loop, whose order of "
         "events is not known."),
        ({"destinations": (Destination(0, 3),)}, "core 0: pooling is 3, Speck has 1, 2 and 4."),
    ],
)
def test_a_register_that_cannot_hold_its_value_is_named(registers, message):
    with pytest.raises(NmcError) as error:
        one([1], **registers).verify()
    assert str(error.value) == message


def test_an_input_event_outside_of_the_first_core_is_named():
    with pytest.raises(NmcError) as error:
        run(one([1]), np.array([(0, 0, 0), (0, 1, 0)]))
    assert str(error.value) == ("input event 1: (channel, y, x) is (0, 1, 0), core 0 takes less "
                                "than (1, 1, 1).")
