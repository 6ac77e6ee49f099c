"""Every field of a core is the one that sinabs fills, for all that a core may hold.

sinabs is part of the test environment; a stand-in for samna lets its backend be imported.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import random_speck
from helpers.accepted import TAKEN, taken
from helpers.samna_stand_in import install
from helpers.sinabs_fields import by_sinabs, plain
from nmcompile_backends.speck import BACKEND, encode
from nmcompile_backends.speck.configuration import configuration
from nmcompile_backends.speck.cores import Destination, SpeckCore, SpeckNetwork
from nmcompile_backends.speck.discretize import discretize
from torch import nn

import nmcompile as nmc

install()
sl = pytest.importorskip("sinabs.layers")
activation = pytest.importorskip("sinabs.activation")
dynapcnn = pytest.importorskip("sinabs.backend.dynapcnn")
SHAPE = (2, 8, 6)


def drawn(seed):
    """Random cores, with strides, padding, leaks, states, and up to two destinations each."""
    rng = np.random.default_rng(seed)
    network = random_speck.graph(rng, merging=bool(seed % 2))
    cores = []
    for core in network.cores:
        leak = rng.integers(-99, 99, core.out_shape[0]).astype(np.int16)
        states = rng.integers(-99, 99, core.out_shape).astype(np.int16)
        cores.append(replace(core, leak=leak if rng.integers(2) else None,
                             initial=states if rng.integers(2) else core.initial))
    network = replace(network, cores=tuple(cores))
    places = tuple(rng.permutation(9)[: len(cores)].tolist())
    monitored = tuple(i for i in range(len(cores)) if rng.integers(2))
    return network, places, monitored


@pytest.mark.filterwarnings("ignore:Layer . has pooling and is being monitored")
def test_random_cores_have_every_field_that_sinabs_fills():
    seen = {"strides": set(), "pads": set(), "pools": set(), "leaks": 0, "states": 0, "two": 0}
    for seed in range(60):
        network, places, monitored = drawn(seed)
        wanted = by_sinabs(network, places, monitored)
        found = configuration(network, places, monitored)
        assert found["cnn_layers"] == wanted["cnn_layers"]
        assert found["dvs_layer"]["pass_sensor_events"] == wanted["dvs_layer"]["pass_sensor_events"]
        for core in network.cores:
            seen["strides"].add(core.stride)
            seen["pads"].add(core.padding)
            seen["pools"] |= {d.pooling for d in core.destinations}
            seen["leaks"] += core.leak is not None
            seen["states"] += bool(core.initial.any())
            seen["two"] += len(core.destinations) == 2
    assert min(len(seen["strides"]), len(seen["pads"])) >= 4
    assert seen["pools"] == {1, 2, 4}
    assert min(seen["leaks"], seen["states"], seen["two"]) > 5


def changes(core):
    """The core with one bit of each of its registers turned, by the register's name."""
    for name in ("weight", "leak", "initial"):
        values = getattr(core, name)
        flat = np.array(np.broadcast_to(values, core.out_shape) if name == "initial" else values)
        flat.reshape(-1)[-1] ^= 1
        yield name, replace(core, **{name: flat})
    for name in ("threshold_high", "threshold_low"):
        yield name, replace(core, **{name: getattr(core, name) ^ 1})
    yield "return_to_zero", replace(core, return_to_zero=not core.return_to_zero)
    for name in ("stride", "padding"):
        y, x = getattr(core, name)
        yield name, replace(core, **{name: (y, x + 1)})
    yield "destinations", replace(core, destinations=(core.destinations[0]._replace(pooling=2),))


def test_one_altered_bit_of_any_register_is_no_longer_what_sinabs_fills():
    rng = np.random.default_rng(0)
    first = random_speck.core(
        rng, (2, 9, 9), 3, leak=np.array([1, -2, 3], np.int16), stride=(1, 1), padding=(1, 1),
        destinations=(Destination(1),))
    second = random_speck.core(rng, (3, 9, 9), 2, kernel=1)
    network, places = SpeckNetwork(cores=(first, second), inputs=(Destination(0),)), (4, 0)
    wanted = by_sinabs(network, places, (1,))["cnn_layers"]
    assert configuration(network, places, (1,))["cnn_layers"] == wanted
    for name, core in changes(first):
        other = replace(network, cores=(core, second))
        assert configuration(other, places, (1,))["cnn_layers"] != wanted, name
    assert configuration(network, (5, 0), (1,))["cnn_layers"] != wanted
    assert configuration(network, places, (0,))["cnn_layers"] != wanted


def require_same_fields(program, folder):
    """The emitted file holds what sinabs fills for the program's integers; the cores."""
    BACKEND.emit(program, folder)
    written = json.loads((folder / "speck.json").read_text())
    names = [p.name for p in program.network.populations]
    places = tuple(written["layers"][name] for name in names)
    network = encode.cores(program.network)
    shown = tuple(sorted({names.index(o.population) for o in program.network.outputs}))
    assert written["cnn_layers"] == by_sinabs(network, places, shown)["cnn_layers"]
    assert written["input_cores"] == [places[d.core] for d in network.inputs]
    assert written["dvs_layer"] == {"pass_sensor_events": False}
    return network.cores


def test_all_that_speck_takes_is_written_as_sinabs_writes_it(tmp_path):
    cores = {}
    for name, made in taken("speck2f").items():
        (tmp_path / name).mkdir()
        cores[name] = require_same_fields(made.program, tmp_path / name)
    assert set(cores) > TAKEN["speck2f"]
    assert {core.return_to_zero for core in cores["iaf, zero"]} == {False, True}
    assert max(len(core.destinations) for core in cores["two targets"]) == 2


def model(bias):
    """Convolutions of all kinds, sums of windows, a dense layer and one behind it."""
    torch.manual_seed(1)
    iaf = {"min_v_mem": -1.0, "batch_size": 1, "spike_threshold": 2.0}
    made = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=(1, 2), stride=(1, 2), bias=bias), sl.IAFSqueeze(**iaf),
        sl.SumPool2d(2), nn.Conv2d(4, 6, 3, padding=1, bias=False),
        sl.IAFSqueeze(**iaf, reset_fn=activation.MembraneReset()),
        nn.Conv2d(6, 6, 2, groups=2, dilation=2, padding=1, bias=False), sl.IAFSqueeze(**iaf),
        nn.Flatten(), nn.LazyLinear(7, bias=False), sl.IAFSqueeze(**iaf),
        nn.Linear(7, 5, bias=False), sl.IAFSqueeze(**iaf))
    made(torch.zeros(1, *SHAPE))
    for parameter in made.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data * 3
    return made


@pytest.mark.parametrize("bias", [True, False])
def test_the_file_of_a_compiled_network_holds_what_sinabs_fills_for_its_integers(tmp_path, bias):
    frames = (np.random.default_rng(0).random((4, 15, *SHAPE)) < 0.3).astype(np.float32)
    program = nmc.compile(model(bias), target="speck2f", sample=frames).program
    assert len(require_same_fields(program, tmp_path)) == 5


@pytest.mark.parametrize("seed", range(6))
def test_a_chain_that_sinabs_discretises_and_places_itself_has_the_same_fields(seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    shape = (int(rng.integers(1, 3)), 16, 14)
    parts, poolings = random_speck.torch_layers(rng, shape, lambda: sl.IAFSqueeze(
        batch_size=1, spike_threshold=float(rng.uniform(0.1, 2)),
        min_v_mem=-float(rng.uniform(0.2, 2)), reset_fn=activation.MembraneSubtract()))
    theirs = dynapcnn.DynapcnnNetwork(nn.Sequential(*parts), input_shape=shape, discretize=True)
    wanted = plain(theirs.make_config(device="speck2fdevkit:0"))
    convs = [p for p in parts if isinstance(p, nn.Conv2d)]
    neurons = [p for p in parts if isinstance(p, sl.IAFSqueeze)]
    cores = []
    for index, (conv, spk, pool) in enumerate(zip(convs, neurons, poolings, strict=True)):
        found = discretize(conv.weight.detach().numpy(), None, float(spk.spike_threshold),
                           float(spk.min_v_mem))
        cores.append(SpeckCore(
            weight=found.weight, in_shape=shape, stride=conv.stride, padding=conv.padding,
            threshold_high=found.threshold_high, threshold_low=found.threshold_low,
            destinations=(Destination(index + 1, pool),) * (index < len(convs) - 1)))
        features, height, width = cores[-1].out_shape
        shape = (features, height // pool, width // pool)
    network = SpeckNetwork(cores=tuple(cores), inputs=(Destination(0),))
    places = tuple(theirs.layer2core_map[i] for i in range(len(cores)))
    found = configuration(network, places, monitored=(len(places) - 1,))
    assert found["cnn_layers"] == wanted["cnn_layers"]
