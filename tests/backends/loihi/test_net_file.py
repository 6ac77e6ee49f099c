"""The `.net` file says what the network is to a reader that follows netx's rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import netx_reader
from helpers.loihi_programs import (
    dense,
    network,
    neuron,
    payloads,
    port,
    projection,
    sparse,
    weights,
)
from helpers.random_loihi import random_chain
from nmcompile_backends.loihi.net_file import write_net
from nmcompile_backends.loihi.relay import LoihiRelay

from nmcompile.ir import Network, Population, run
from nmcompile.ir.maps import Conv
from nmcompile.ir.neurons import Reset

STEPS = 16


def netx_order(values: np.ndarray) -> np.ndarray:
    """(steps, channel, row, column) as (steps, x, y, channel)."""
    return values.transpose(0, 3, 2, 1) if values.ndim == 4 else values


@pytest.mark.parametrize("seed", range(12))
def test_a_chain_of_convolutions_and_dense_layers_runs_alike_from_its_start(
    tmp_path: Path, seed: int
) -> None:
    net = random_chain(seed)
    note = write_net(net, tmp_path)["network.net"]
    assert "reset_offset=1" in note
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    wanted = run(net, sent).records
    spikes, v = netx_reader.run(tmp_path / "network.net", netx_order(sent["in"][0]), 1)
    for layer, population in enumerate(net.populations):
        first, record = population.start, wanted[population.name]
        np.testing.assert_array_equal(spikes[layer][first:],
                                      netx_order(record["spikes"][0])[first:])
        np.testing.assert_array_equal(v[layer][first:], netx_order(record["v"][0])[first:])
    assert sum(s[i + 1:].sum() for i, s in enumerate(spikes)) > 0


def layer(name: str = "fc", n: int = 4, start: int = 1, **registers: object) -> Population:
    return Population(name=name, shape=(n,), neuron=neuron(**registers), start=start,
                      bias=np.zeros((), np.int32))


def two_layers(first: Population, second: Population) -> Network:
    rng = np.random.default_rng(0)
    return network((port((5,)),), (first, second), (
        projection("in", first.name, dense(weights(rng, (first.size, 5)))),
        projection(first.name, second.name, dense(weights(rng, (second.size, first.size))))))


def test_without_biases_the_network_needs_no_argument(tmp_path: Path) -> None:
    net = two_layers(layer("a"), layer("b", start=2))
    assert write_net(net, tmp_path) == {
        "network.net": "lava-dl network, for netx: hdf5.Network(net_config='network.net')"}


def test_graded_inputs_and_silent_readouts_and_late_biases_are_described(tmp_path: Path) -> None:
    net = two_layers(layer("a"), layer("b", start=2, bias=64, silent=True, reset=Reset.NONE))
    net = replace(net, inputs=(port((5,), 9),))
    assert write_net(net, tmp_path)["network.net"] == (
        "lava-dl network, for netx: hdf5.Network(net_config='network.net', input_message_bits=9, "
        "reset_interval=(more than the steps run), reset_offset=1); b: their biases act before "
        "their start unless the resets hold them back; b: read v, it never fires")


def one(change: dict[str, object], **registers: object) -> Network:
    """One dense layer whose projection is changed."""
    link = projection("in", "fc", dense(np.full((4, 5), 6, np.int16)))
    return network((port((5,)),), (layer(**registers),), (replace(link, **change),))


def weight(values: int) -> dict[str, object]:
    return {"map": dense(np.full((4, 5), values, np.int16))}


NOT_WRITTEN = [
    (one({"delay": 2}), "in -> fc has a delay of 2 steps, a layer has 1"),
    (one({"format": projection("", "", dense(np.zeros((1, 1))), exponent=-2).format}),
     "in -> fc has the weight exponent -2"),
    (one({"format": projection("", "", dense(np.zeros((1, 1))), exponent=6).format}),
     "in -> fc has weights 384 to 384 after its exponent, a layer holds -255 to 255"),
    (one(weight(0)), "in -> fc has only zero weights, which netx cannot scale"),
    (one(weight(-64)), "in -> fc is inhibitory down to -64, which netx shifts to -256 and Lava "
     "clips to -255"),
    (one({"map": sparse(np.random.default_rng(0), 5, 4)}),
     "in -> fc is a sparse map, layers are dense or convolutions"),
    (one({}, reset=Reset.SUBTRACT), "fc resets by 'subtract', not to zero"),
    (one({}, refractory=3), "fc has 3 refractory steps, not 1"),
    (one({}, threshold=np.arange(4)), "fc has a threshold for each neuron, a layer has one"),
    (one({}, bias=65), "fc has a bias that is no multiple of 64 up to 262080"),
]


@pytest.mark.parametrize(("net", "reason"), NOT_WRITTEN, ids=[r for _, r in NOT_WRITTEN])
def test_what_the_format_cannot_say_is_named(tmp_path: Path, net: Network, reason: str) -> None:
    assert write_net(net, tmp_path) == {"network.net": f"not written: {reason}"}
    assert not list(tmp_path.iterdir())


def test_what_no_other_data_would_change_is_named_first(tmp_path: Path) -> None:
    scaled = {"format": projection("", "", dense(np.zeros((1, 1))), exponent=-2).format}
    net = one({**weight(3), **scaled}, reset=Reset.SUBTRACT, threshold=np.arange(4))
    assert write_net(net, tmp_path)["network.net"] == (
        "not written: fc resets by 'subtract', not to zero")


def test_branches_are_named(tmp_path: Path) -> None:
    net = two_layers(layer("a"), layer("b", start=2))
    again = projection("b", "a", dense(np.ones((4, 4), np.int16)))
    looped = replace(net, projections=(*net.projections, again))
    reason = "a is fed by in, b, a layer of a chain by one"
    assert write_net(looped, tmp_path) == {"network.net": f"not written: {reason}"}


def test_a_relay_is_named(tmp_path: Path) -> None:
    net = two_layers(replace(layer("a"), neuron=LoihiRelay()), layer("b", start=2))
    assert write_net(net, tmp_path) == {
        "network.net": "not written: a is of the kind loihi-relay, layers are CUBA neurons"}


def test_a_dense_layer_read_as_an_image_is_named(tmp_path: Path) -> None:
    conv = Conv(weight=np.ones((1, 1, 2, 2), np.int16), in_shape=(1, 2, 2))
    net = two_layers(layer("a"), layer("b", n=1, start=2))
    net = replace(net, projections=(net.projections[0], projection("a", "b", conv)))
    reason = "a -> b reads a dense layer as an image of (1, 2, 2)"
    assert write_net(net, tmp_path) == {"network.net": f"not written: {reason}"}


def test_an_exponent_that_fits_the_weights_is_folded_into_them(tmp_path: Path) -> None:
    net = one({"format": projection("", "", dense(np.zeros((1, 1))), exponent=3).format})
    assert write_net(net, tmp_path)["network.net"].startswith("lava-dl network")
    sent = payloads(net, STEPS, np.random.default_rng(0))
    spikes, _ = netx_reader.run(tmp_path / "network.net", sent["in"][0])
    np.testing.assert_array_equal(spikes[0], run(net, sent).spikes("fc")[0])
