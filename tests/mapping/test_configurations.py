"""Profiles and formats that a core keeps once are counted once, and limit what is cut and shared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.loihi_programs import dense, network, neuron, port, projection, sparse, weights
from helpers.networks import every_step
from hypothesis import given, settings
from hypothesis import strategies as st
from nmcompile_backends.loihi.arithmetic import LoihiNeuron

from nmcompile.ir import Network, Population
from nmcompile.ir.neurons import Reset
from nmcompile.mapper import Recorded, map_network
from nmcompile.mapping.capacity import CapacityError
from nmcompile.passes.partition import search
from nmcompile.registry import backend
from nmcompile.report import compiled_figures
from nmcompile.target import Target, load_target

LOIHI, ZERO = backend("loihi"), np.zeros((), np.int32)


def chip(name: str = "loihi1", **core: int) -> Target:
    """A chip of 2 x 1 tiles, with cores as small as `core` says."""
    target = load_target(name)
    changed = {limit: getattr(target.core, limit).model_copy(update={"value": value})
               for limit, value in core.items()}
    size = {limit: getattr(target.board, limit).model_copy(update={"value": value})
            for limit, value in {"chips": 1, "mesh_width": 2, "mesh_height": 1}.items()}
    return target.model_copy(update={"core": target.core.model_copy(update=changed),
                                     "board": target.board.model_copy(update=size)})


def several(seed: int, n: int, kinds: int) -> Network:
    """`n` small layers of one input, whose neurons have registers of `kinds` values each."""
    rng = np.random.default_rng(seed)

    def layer(i: int) -> Population:
        shape = ((2, 3, 4), (9,), (5, 4))[i % 3]
        each = shape if rng.random() < 0.7 else ()
        drawn = {name: rng.integers(1, 1 + kinds, each).astype(np.int32)
                 for name in ("du", "dv", "threshold")}
        return Population(name=f"layer{i}", shape=shape, bias=ZERO, start=1, neuron=LoihiNeuron(
            **drawn, bias_mantissa=ZERO, refractory=int(rng.integers(1, 3))))

    layers = tuple(layer(i) for i in range(n))
    maps = [dense(weights(rng, (p.size, 6))) if i % 2 else sparse(rng, 6, p.size)
            for i, p in enumerate(layers)]
    maps = [replace(m, out_shape=p.shape) for m, p in zip(maps, layers, strict=True)]
    return network((port((6,)),), layers, tuple(
        projection("in", p.name, linear, exponent=int(rng.integers(-2, 2)))
        for p, linear in zip(layers, maps, strict=True)))


def counted(net: Network, slices, core: int) -> dict[str, int]:
    """What a core keeps, neuron by neuron."""
    profiles, thresholds, formats = set(), set(), set()
    for i in np.flatnonzero(slices.core == core):
        population = net.populations[slices.population[i]]
        model = population.neuron
        for member in slices.members(population.shape, int(i)):
            at = [int(np.broadcast_to(r, population.shape).reshape(-1)[member])
                  for r in (model.du, model.dv, model.threshold)]
            profiles.add((at[0], at[1], model.refractory))
            thresholds.add(at[2])
        formats |= {(p.format.exponent, p.map.kind) for p in net.incoming(population.name)}
    return {"compartment_profiles": len(profiles), "threshold_profiles": len(thresholds),
            "synapse_formats": len(formats)}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), n=st.integers(1, 12), kinds=st.integers(1, 4))
def test_what_a_core_keeps_is_counted_once_and_within_its_limits(seed, n, kinds):
    net = several(seed, n, kinds)
    target = chip(compartment_profiles=20, threshold_profiles=3, synapse_formats=6)
    try:
        program, needs = map_network(net, target, LOIHI, every_step(net))
    except CapacityError as error:
        assert error.limit == "cores"  # noqa: PT017
        return
    core = program.mapping.slices.core
    found = needs.on_cores(core, target.n_cores)
    for number in range(target.n_cores):
        for limit, count in counted(net, program.mapping.slices, number).items():
            assert found[limit][number] == count <= getattr(target.core, limit).value


def layer_of(thresholds: int, n: int = 60) -> Network:
    rng = np.random.default_rng(0)
    each = np.arange(n, dtype=np.int32) % thresholds + 100
    own = replace(neuron(), threshold=each)
    return network((port((6,)),), (Population(name="layer", shape=(n,), neuron=own, bias=ZERO,
                                              start=1),),
                   (projection("in", "layer", dense(weights(rng, (n, 6)))),))


def test_a_layer_of_more_thresholds_than_a_core_tells_apart_takes_several():
    for thresholds, cores in ((7, 1), (8, 10), (60, 10)):
        net = layer_of(thresholds)
        program, _ = map_network(net, load_target("loihi1"), LOIHI, every_step(net))
        assert len(program.mapping.slices) >= -(-thresholds // 7)
        assert len(program.mapping.slices) <= cores


def test_no_such_limit_is_known_of_loihi2():
    net = layer_of(60)
    program, needs = map_network(net, load_target("loihi2"), LOIHI, every_step(net))
    assert len(program.mapping.slices) == 1
    assert not needs.kept


def test_more_synapse_formats_into_a_neuron_than_a_core_has_are_refused():
    rng = np.random.default_rng(0)
    ports = tuple(port((2,), name=f"in{i}") for i in range(16))
    layer = Population(name="layer", shape=(3,), neuron=neuron(), bias=ZERO, start=1)
    net = network(ports, (layer,), tuple(
        projection(p.name, "layer", dense(weights(rng, (3, 2), bits=8 - i // 8)), exponent=i % 8 - 4,
                   bits=8 - i // 8) for i, p in enumerate(ports)))
    with pytest.raises(CapacityError) as error:
        map_network(net, load_target("loihi1"), LOIHI, every_step(net))
    assert str(error.value) == (
        "layer: needs 16 synapse formats on one core, loihi1 has 15 (published: "
        "core.synapse_formats). With --bits 4 it takes 1 of 4,096 cores.")


@pytest.mark.parametrize("seed", range(4))
def test_the_search_shares_cores_within_these_limits(seed):
    net = several(seed, 14, 2)
    target = chip(compartment_profiles=12, threshold_profiles=2, synapse_formats=5)
    rng = np.random.default_rng(0)
    spikes = {node.name: (rng.random((20, node.size)) < 0.2).astype(np.int32)
              for node in net.nodes}
    program, needs = map_network(net, target, LOIHI, every_step(net), None, Recorded(typical=spikes))
    assert len(program.mapping.slices) > len(np.unique(program.mapping.slices.core))
    assert max(needs.on_cores(program.mapping.slices.core, 8)["threshold_profiles"]) <= 2


def test_the_search_cuts_a_layer_by_its_thresholds():
    net, rng = layer_of(20), np.random.default_rng(0)
    spikes = {node.name: (rng.random((20, node.size)) < 0.2).astype(np.int32)
              for node in net.nodes}
    assert len(search(net, chip(), LOIHI, spikes).slices) >= 3


def test_a_neuron_of_two_compartments_takes_a_profile_for_each():
    net = layer_of(3)
    joined = replace(net.populations[0].neuron, compartments=2, reset=Reset.NONE)
    net = replace(net, populations=(replace(net.populations[0], neuron=joined),))
    _, needs = map_network(net, load_target("loihi1"), LOIHI, every_step(net))
    assert needs.of_slices()["compartment_profiles"].tolist() == [2]
    assert needs.of_slices()["threshold_profiles"].tolist() == [3]


def test_what_a_core_keeps_once_counts_as_used():
    program, needs = map_network(layer_of(3), chip(threshold_profiles=4), LOIHI,
                                 every_step(layer_of(3)))
    layers = compiled_figures(program, needs, ())["layers"]
    assert layers[-1]["utilisation"] == 3 / 4


def test_the_one_of_a_kind_that_a_core_has_does_not_count_as_used():
    program, needs = map_network(layer_of(1), chip(threshold_profiles=1), LOIHI,
                                 every_step(layer_of(1)))
    assert needs.of_slices()["threshold_profiles"].tolist() == [1]
    assert compiled_figures(program, needs, ())["layers"][-1]["utilisation"] < 0.25
