"""Sums that several layers share: relays compute what fan-in computes, and pay where chosen."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import conv, dense, scalar
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.maps import Chain, LinearMap, Scale
from nmcompile.ir.neurons import LIF
from nmcompile.passes.relay import rates_of, relay
from nmcompile.passes.relay.relay import rewired
from nmcompile.passes.relay.sums import arriving, shared
from nmcompile.pipeline import compile_stage
from nmcompile.target import load_target

SHAPE = (3, 6, 6)
SMALLER = (6, 3, 3)
Path_ = tuple[str, tuple[LinearMap, ...]]


def residual(seed: int, blocks: int = 3, threshold: float = 0.3) -> Network:
    """Membrane shortcuts as in MS-ResNet: blocks at one size, a smaller one, and a readout.

    The value x of a block is a sum of paths; its neurons take it times a gain of their own.
    """
    rng = np.random.default_rng(seed)
    populations: list[Population] = []
    projections: list[Projection] = []
    value: list[Path_] = [("input", (conv(rng, (2, 6, 6), 3, padding=(1, 1), gain=1.5),))]

    def layer(name: str, paths: list[Path_], shape: tuple[int, ...], *behind: LinearMap) -> None:
        neuron = LIF(decay=scalar(0.8), threshold=scalar(threshold))
        bias = rng.normal(0, 0.02, shape).astype(np.float32)
        populations.append(Population(name=name, shape=shape, neuron=neuron, bias=bias))
        projections.extend(
            Projection(source=source, target=name, map=Chain(maps=(*links, *behind)))
            for source, links in paths)

    def block(number: int, paths: list[Path_], shape: tuple[int, int, int], stride: int,
              after: tuple[int, int, int]) -> list[Path_]:
        gain = Scale(factor=rng.uniform(0.6, 1.4, (shape[0], 1, 1)).astype(np.float32),
                     in_shape=shape)
        layer(f"a{number}", paths, shape, gain)
        first = conv(rng, shape, after[0], padding=(1, 1), stride=(stride, stride), gain=1.5)
        layer(f"b{number}", [(f"a{number}", (first,))], after)
        carried = paths
        if stride > 1:
            down = conv(rng, shape, after[0], kernel=(1, 1), stride=(stride, stride))
            carried = [(source, (*links, down)) for source, links in paths]
        second = conv(rng, after, after[0], padding=(1, 1), gain=1.5)
        return [*carried, (f"b{number}", (second,))]

    for number in range(blocks):
        value = block(number, value, SHAPE, 1, SHAPE)
    value = block(blocks, value, SHAPE, 2, SMALLER)
    value = block(blocks + 1, value, SMALLER, 1, SMALLER)
    layer("last", value, SMALLER, Scale(factor=scalar(1.1), in_shape=SMALLER))
    layer("out", [("last", (dense(rng, 54, 4, gain=1.5),))], (4,))
    return verify(Network(
        inputs=(Input(name="input", shape=(2, 6, 6)),), populations=tuple(populations),
        projections=tuple(projections), outputs=(Output(name="out", population="out"),)))


def spikes_in(seed: int, samples: int = 3, steps: int = 15) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {"input": (random.random((samples, steps, 2, 6, 6)) < 0.4).astype(np.float32)}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.data())
def test_relays_for_any_of_the_sums_change_no_spike(seed, blocks, data):
    network, inputs = residual(seed, blocks), spikes_in(seed)
    sums = arriving(network)
    owners = {use.owner for use in shared(sums, set(sums)).values()}
    assert len(owners) >= blocks
    chosen = data.draw(st.sets(st.sampled_from(sorted(owners)), min_size=1))
    relayed = verify(rewired(network, sums, chosen))
    assert len(relayed.populations) == len(network.populations) + len(chosen)
    wanted, found = run(network, inputs).records, run(relayed, inputs).records
    for name, record in wanted.items():
        assert np.array_equal(found[name]["spikes"], record["spikes"])
        assert np.abs(found[name]["v"] - record["v"]).max() < 1e-4


def test_each_sum_is_made_of_the_one_before_it():
    network = residual(1)
    sums = arriving(network)
    owners = {use.owner for use in shared(sums, set(sums)).values()}
    relayed = rewired(network, sums, owners)
    assert [len(network.incoming(f"a{n}")) for n in range(5)] == [1, 2, 3, 4, 5]
    assert sorted(owners) == ["a1", "a2", "a3", "a4"]
    assert {p.source for p in relayed.incoming("a3.sum")} == {"a2.sum", "b2"}
    assert {p.source for p in relayed.incoming("a4.sum")} == {"a3.sum", "b3"}
    assert {p.source for p in relayed.incoming("last")} == {"a4.sum", "b4"}


def test_rare_spikes_fan_in_and_frequent_ones_are_relayed():
    network, chip = residual(2), load_target("loihi2")
    nodes = [node.name for node in network.nodes]
    rare, frequent = ({name: rate for name in nodes} for rate in (0.002, 0.6))
    fan_in = relay(network, chip, lambda: rare)
    assert fan_in.note.startswith("4 sums are shared by several layers: 0 by graded relays, 4 by ")
    assert len(fan_in.network.populations) == len(network.populations)
    relayed = relay(network, chip, lambda: frequent)
    count = int(re.search(r": (\d) by graded relays", relayed.note)[1])
    assert len(relayed.network.populations) == len(network.populations) + count > len(nodes) - 1
    least, by_fan_in, by_relays = map(float, re.findall(r"[\d.e+]+(?= nJ|,|\))", relayed.note))
    assert least <= min(by_fan_in, by_relays)
    assert least < by_fan_in


def test_a_chip_without_relays_gets_fan_in_and_says_so():
    network = residual(3)
    found = relay(network, None, lambda: pytest.fail("rates are not needed"))
    assert found.network is network
    assert found.note == ("4 sums are shared by several layers: each layer receives them from all "
                          "that contribute, for the chip has no graded relays")


def test_a_network_without_shared_sums_stays_as_it_is():
    network = residual(4, blocks=1)
    plain = verify(Network(
        inputs=network.inputs, populations=network.populations[:2],
        projections=tuple(p for p in network.projections if p.target in ("a0", "b0")),
        outputs=(Output(name="out", population="b0"),)))
    found = relay(plain, load_target("loihi2"), lambda: pytest.fail("rates are not needed"))
    assert found.network is plain
    assert found.note == ""


def test_a_relayed_network_runs_on_loihi2_bit_for_bit(tmp_path: Path):
    network, inputs = residual(5, threshold=0.15), spikes_in(5, samples=8)
    assert max(rates_of(network, inputs).values()) > 0.2
    compiled = compile_stage(
        Traced(network=network, inputs=inputs, expected={}), load_target("loihi2"))
    kinds = {p.neuron.kind for p in compiled.program.network.populations}
    assert kinds == {"loihi", "loihi-relay"}
    figures = {check.arrow: check.figures for check in compiled.checks}
    assert figures["lower"]["spikes_differing"] == 0
    assert figures["map"]["spikes_differing"] == figures["map"]["states_differing"] == 0
    relays = [e for e in compiled.layer_errors if e.population.endswith(".sum")]
    assert relays
    assert max(error.error for error in relays) < 0.01
    assert compiled.notes[-1].startswith("4 sums are shared by several layers: ")
