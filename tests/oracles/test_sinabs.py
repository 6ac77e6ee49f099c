"""sinabs' DYNAP-CNN backend computes the same integers, spikes, memories and mappings.

sinabs is part of the test environment; a stand-in for samna lets its backend be imported.
"""

import numpy as np
import pytest
import torch
from helpers.random_speck import torch_layers
from helpers.samna_stand_in import install
from nmcompile_backends.speck.arithmetic import TICK, run
from nmcompile_backends.speck.cores import Destination, SpeckCore, SpeckNetwork
from nmcompile_backends.speck.discretize import discretize
from nmcompile_backends.speck.limits import CORES, assign, fitting, memory
from nmcompile_backends.speck.neuron import SpeckNeuron
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.ir.neurons import Reset

install()
layers = pytest.importorskip("sinabs.layers")
activation = pytest.importorskip("sinabs.activation")
dynapcnn = pytest.importorskip("sinabs.backend.dynapcnn")


def chain(seed, spike_fn, positive=False):
    """A random chain in sinabs, its DynapcnnNetwork, and ours from the same real numbers.

    No weight exceeds its layer's threshold where resets subtract: sinabs goes on firing in steps
    without input where a membrane stays above, the chip does not.

    positive  no weight is negative and every reset subtracts
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    shape = (int(rng.integers(1, 3)), 16, 14)
    parts, poolings = torch_layers(rng, shape, lambda: layers.IAFSqueeze(
        batch_size=1, spike_threshold=float(rng.uniform(0.1, 2)), spike_fn=spike_fn,
        min_v_mem=-float(rng.uniform(0.2, 2)), reset_fn=activation.MembraneSubtract()))
    for conv, spk in pairs(parts):
        if positive:
            conv.weight.data = conv.weight.data.abs()
        elif rng.integers(2):
            spk.reset_fn = activation.MembraneReset()
            continue
        largest = float(conv.weight.detach().max())
        spk.spike_threshold.data.clamp_(min=largest)
    network = dynapcnn.DynapcnnNetwork(nn.Sequential(*parts), input_shape=shape, discretize=True)
    return network, ours(parts, poolings, shape), shape


def pairs(parts):
    """Each convolution with the neurons behind it."""
    kinds = (nn.Conv2d, layers.IAFSqueeze)
    return list(zip(*([p for p in parts if isinstance(p, kind)] for kind in kinds), strict=True))


def ours(parts, poolings, shape):
    """The chain of `parts` as Speck's cores, discretised by our own functions."""
    cores = []
    for index, ((conv, spk), pool) in enumerate(zip(pairs(parts), poolings, strict=True)):
        found = discretize(conv.weight.detach().numpy(), None, float(spk.spike_threshold),
                           float(spk.min_v_mem))
        last = index == len(poolings) - 1
        cores.append(SpeckCore(
            weight=found.weight, in_shape=shape, stride=conv.stride, padding=conv.padding,
            threshold_high=found.threshold_high, threshold_low=found.threshold_low,
            return_to_zero=isinstance(spk.reset_fn, activation.MembraneReset),
            destinations=() if last else (Destination(index + 1, pool),)))
        out = cores[-1].out_shape
        shape = (out[0], out[1] // pool, out[2] // pool)
    return SpeckNetwork(cores=tuple(cores), inputs=(Destination(0),))


def frames(events, shape):
    """One time step for each event, as torch takes them."""
    steps = np.zeros((len(events), *shape), np.float32)
    steps[(np.arange(len(events)), *np.asarray(events).reshape(-1, 3).T)] = 1
    return torch.tensor(steps)


def listed(spikes):
    """Spikes (steps, features, y, x) as events, those of a step in the order of our taps."""
    turned = np.argwhere(spikes[:, :, ::-1, ::-1])
    turned[:, 2:] = np.array(spikes.shape[2:]) - 1 - turned[:, 2:]
    return turned[:, 1:]


def test_every_core_fires_the_events_of_sinabs_own_simulation_with_one_event_a_step():
    fired = [events_of_cores(seed) for seed in range(30)]
    assert sum(fired) > 5000


def events_of_cores(seed):
    """Compare each core's events and states with those of its layer in sinabs; how many fired."""
    theirs, network, shape = chain(seed, activation.SingleSpike)
    events = np.random.default_rng(seed).integers(0, shape, (400, 3))
    found, fired = run(network, events), 0
    for index, layer in theirs.dynapcnn_layers.items():
        core = network.cores[index]
        mine = found.events[found.events[:, 1] == index, 2:]
        if len(events) == 0:
            assert len(mine) == 0
            break
        with torch.no_grad():
            spikes = layer.spk_layer(layer.conv_layer(frames(events, core.in_shape))).numpy()
        events = listed(spikes)
        np.testing.assert_array_equal(mine, events)
        np.testing.assert_array_equal(found.states[index], layer.spk_layer.v_mem[0])
        fired += len(events)
        for destination in core.destinations:
            height, width = network.cores[destination.core].in_shape[1:]
            events = events // np.array([1, destination.pooling, destination.pooling])
            events = events[(events[:, 1] < height) & (events[:, 2] < width)]
    return fired


@pytest.mark.parametrize("seed", range(12))
def test_a_whole_network_of_weights_that_are_not_negative_fires_as_sinabs_says_in_each_step(seed):
    theirs, network, shape = chain(seed, activation.MultiSpike, positive=True)
    for core in network.cores:
        assert core.weight.min() >= 0
        assert core.weight.max() <= core.threshold_high
    events = np.random.default_rng(seed).integers(0, shape, (300, 3))
    with torch.no_grad():
        wanted = theirs(frames(events, shape)).numpy()
    counts = np.zeros(wanted.shape, int)
    last = run(network, events).events
    last = last[last[:, 1] == len(network.cores) - 1]
    np.add.at(counts, tuple(last[:, [0, 2, 3, 4]].T), 1)
    np.testing.assert_array_equal(counts, wanted)
    assert counts.sum() > 0


def test_steps_without_events_add_the_bias_as_ticks_add_the_leak():
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 6, 3)
    conv.bias.data *= 3
    layer = dynapcnn.DynapcnnLayer(conv, layers.IAFSqueeze(batch_size=1, min_v_mem=-1.0),
                                   (1, 5, 4), [(1, 1)])
    found = discretize(conv.weight.detach().numpy(), conv.bias.detach().numpy(), 1.0, -1.0)
    core = SpeckCore(weight=found.weight, leak=found.bias, in_shape=(1, 5, 4),
                     threshold_high=found.threshold_high, threshold_low=found.threshold_low)
    with torch.no_grad():
        wanted = layer.spk_layer(layer.conv_layer(torch.zeros(50, 1, 5, 4))).numpy()
    got = run(SpeckNetwork(cores=(core,), inputs=(Destination(0),)), np.full((50, 3), TICK))
    assert len(got.events) > 20
    np.testing.assert_array_equal(got.events[:, [0, 2, 3, 4]], np.argwhere(wanted))
    np.testing.assert_array_equal(got.states[0], layer.spk_layer.v_mem[0])


def test_two_hundred_layers_are_discretised_to_the_same_integers():
    rng = np.random.default_rng(0)
    for seed in range(200):
        torch.manual_seed(seed)
        conv = nn.Conv2d(int(rng.integers(1, 9)), int(rng.integers(1, 17)),
                         int(rng.integers(1, 6)), bias=bool(rng.integers(2)))
        conv.weight.data *= float(10 ** rng.uniform(-2, 2))
        low = None if seed % 10 == 0 else -float(rng.uniform(0.01, 3))
        spk = layers.IAFSqueeze(batch_size=1, min_v_mem=low,
                                spike_threshold=float(10 ** rng.uniform(-1, 2)))
        with torch.no_grad():
            if seed % 3 == 0:
                spk(torch.randn(20, conv.out_channels, 3, 3))
        start = spk.v_mem[0].numpy() if spk.is_state_initialised() else None
        bias = None if conv.bias is None else conv.bias.detach().numpy()
        got = discretize(conv.weight.detach().numpy(), bias, float(spk.spike_threshold), low, start)
        theirs, neurons = dynapcnn.discretize.discretize_conv_spike(conv, spk)
        np.testing.assert_array_equal(got.weight, theirs.weight.detach().numpy())
        np.testing.assert_array_equal(
            got.bias, 0 if bias is None else theirs.bias.detach().numpy())
        assert got.threshold_high == int(neurons.spike_threshold)
        assert got.threshold_low == int(neurons.min_v_mem)
        if start is not None:
            np.testing.assert_array_equal(got.initial, neurons.v_mem[0].numpy())


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.ZERO])
def test_a_step_is_sinabs_iaf_with_several_spikes_and_a_lower_bound(reset):
    rng = np.random.default_rng(1)
    for threshold, v_min in [(1, -5), (40, -40), (700, -32768), (32767, -1), (10, 4)]:
        current = rng.integers(-3 * threshold - 50, 5 * threshold, (4, 60, 3))
        theirs = layers.IAF(
            spike_threshold=float(threshold), min_v_mem=float(v_min), record_states=True,
            reset_fn=activation.MembraneSubtract() if reset is Reset.SUBTRACT
            else activation.MembraneReset())
        with torch.no_grad():
            wanted = theirs(torch.tensor(current, dtype=torch.float32)).numpy()
        neuron = SpeckNeuron(threshold=np.array(threshold), v_min=np.array(v_min), reset=reset)
        neuron.verify("n", (3,))
        state = neuron.initial_state((4, 3))
        for step in range(60):
            state, spikes = neuron.step(state, current[:, step])
            np.testing.assert_array_equal(spikes, wanted[:, step])
            np.testing.assert_array_equal(state["v"], theirs.recordings["v_mem"][:, step].numpy())


def layer(rng):
    """A random DynapcnnLayer, as large as those that fit no core, with what it needs by us."""
    c, f = (int(2 ** rng.uniform(0, 9)) for _ in range(2))
    kernel, side = int(rng.integers(1, 8)), int(rng.integers(8, 65))
    conv = nn.Conv2d(c, f, kernel, stride=int(rng.choice([1, 2, 4])), padding=int(rng.integers(3)),
                     bias=bool(rng.integers(2)))
    made = dynapcnn.DynapcnnLayer(conv, layers.IAFSqueeze(batch_size=1), (c, side, side),
                                  [(1, 1)], discretize=False)
    return made, memory(tuple(conv.weight.shape), made.get_neuron_shape(), conv.bias is not None)


def test_a_layer_needs_the_memory_that_sinabs_says():
    rng = np.random.default_rng(0)
    for _ in range(100):
        made, need = layer(rng)
        assert need._asdict() == made.memory_summary()


def test_the_cores_have_the_memory_that_sinabs_says():
    builder = dynapcnn.chip_factory.ChipFactory("speck2fdevkit").get_config_builder()
    assert [(c.kernel_memory, c.neuron_memory, c.bias_memory)
            for c in builder.get_constraints()] == list(CORES)


def test_a_network_finds_its_cores_exactly_where_sinabs_finds_some():
    rng = np.random.default_rng(0)
    builder = dynapcnn.chip_factory.ChipFactory("speck2fdevkit").get_config_builder()
    pool = [made for made in (layer(rng) for _ in range(600)) if 0 < len(fitting(made[1])) < 5]
    outcomes = {True: 0, False: 0}
    for _ in range(200):
        chosen = [pool[i] for i in rng.integers(0, len(pool), rng.integers(1, 10))]
        try:
            builder.map_layers_to_cores({i: made for i, (made, _) in enumerate(chosen)})
            feasible = True
        except ValueError:
            feasible = False
        needs = {f"layer {i}": need for i, (_, need) in enumerate(chosen)}
        outcomes[feasible] += 1
        if not feasible:
            with pytest.raises(NmcError, match="find a core of their own"):
                assign(needs)
            continue
        cores = assign(needs)
        assert len(set(cores.values())) == len(needs)
        for name, core in cores.items():
            assert all(n <= has for n, has in zip(needs[name], CORES[core], strict=True))
    assert min(outcomes.values()) > 20


def test_a_network_with_a_layer_that_fits_no_core_is_refused_by_both():
    rng = np.random.default_rng(5)
    builder = dynapcnn.chip_factory.ChipFactory("speck2fdevkit").get_config_builder()
    refused = 0
    for _ in range(40):
        made, need = layer(rng)
        try:
            builder.map_layers_to_cores({0: made})
        except ValueError:
            refused += 1
            with pytest.raises(NmcError):
                assign({"large": need})
        else:
            assert set(assign({"small": need})) == {"small"}
    assert 0 < refused < 40
