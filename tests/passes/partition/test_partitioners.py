"""Who cuts irregular populations is the user's choice, and what a build says."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import scalar, small_target, sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from nmcompile import api
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, verify
from nmcompile.ir.neurons import LIF
from nmcompile.passes.partition import cutter, partitioners
from nmcompile.passes.partition.hypergraph import Hypergraph, cut, km1
from nmcompile.pipeline import Options, compile_stage

peer = pytest.mark.skipif(find_spec("mtkahypar") is None, reason="needs the extra `partition`")


def graph(seed: int, n: int = 60, nets: int = 150) -> Hypergraph:
    """Nets of up to 6 pins, some of them listed twice, and weights that differ."""
    rng = np.random.default_rng(seed)
    start = np.concatenate([[0], np.cumsum(rng.integers(0, 7, nets))])
    return Hypergraph(start=start, pins=rng.integers(0, n, start[-1]).astype(np.int32),
                      net_weight=rng.integers(0, 9, nets), vertex_weight=rng.integers(1, 5, n))


def compiled(partitioner: str):
    """A population behind a sparse map that takes several cores, compiled for Loihi 2."""
    rng = np.random.default_rng(0)
    net = verify(Network(
        inputs=(Input(name="in", shape=(80,)),),
        populations=(Population(name="pool", shape=(80,),
                                neuron=LIF(decay=scalar(0.9), threshold=scalar(1))),),
        projections=(Projection(source="in", target="pool", map=sparse(rng, 80, 80, 0.1)),),
        outputs=(Output(name="out", population="pool"),)))
    inputs = {"in": (rng.random((2, 9, 80)) < 0.3).astype(np.float32)}
    return compile_stage(Traced(network=net, inputs=inputs, expected={}),
                         small_target(input_axons=60), options=Options(partitioner=partitioner))


@given(st.integers(0, 200), st.integers(2, 6), st.sampled_from([0.05, 0.3]))
@settings(max_examples=10, deadline=None)
@peer
def test_auto_takes_the_lower_cost_within_the_same_limit(seed, k, imbalance):
    drawn = graph(seed)
    limit = np.ceil((1 + imbalance) * drawn.vertex_weight.sum() / k)
    costs = {}
    for name in ("own", "mt-kahypar", "auto"):
        part = cutter(name)(drawn, k, imbalance)
        assert np.bincount(part, drawn.vertex_weight, k).max() <= limit
        np.testing.assert_array_equal(cutter(name)(drawn, k, imbalance), part)
        costs[name] = km1(drawn, part, k)
    assert costs["auto"] == min(costs.values())
    assert costs["own"] == km1(drawn, cut(drawn, k, imbalance=imbalance), k)


@peer
def test_vertices_that_no_net_joins_are_cut_by_weight_alone():
    loose = graph(0, nets=0)
    part = cutter("mt-kahypar")(loose, 4, 0.3)
    assert np.bincount(part, loose.vertex_weight, 4).max() <= 1.3 * loose.vertex_weight.sum() / 4


@peer
def test_weights_beyond_32_bits_are_cut_in_a_coarser_unit():
    drawn = graph(1)
    heavy = replace(drawn, vertex_weight=drawn.vertex_weight * 10**9)
    part = cutter("mt-kahypar")(heavy, 4, 0.3)
    assert np.bincount(part, heavy.vertex_weight, 4).max() <= 1.3 * heavy.vertex_weight.sum() / 4


@peer
def test_where_one_of_both_finds_no_parts_auto_takes_the_other_s(monkeypatch):
    def finds_none(*_):
        return None

    drawn = graph(2)
    own, theirs = (cutter(name)(drawn, 3, 0.1) for name in ("own", "mt-kahypar"))
    with monkeypatch.context() as patch:
        patch.setattr(partitioners, "own_cutter", finds_none)
        np.testing.assert_array_equal(cutter("auto")(drawn, 3, 0.1), theirs)
        patch.setattr(partitioners, "_peer", finds_none)
        assert cutter("auto")(drawn, 3, 0.1) is None
    monkeypatch.setattr(partitioners, "_peer", finds_none)
    np.testing.assert_array_equal(cutter("auto")(drawn, 3, 0.1), own)


@peer
def test_parts_that_are_too_heavy_are_none():
    drawn = graph(3)
    weights = drawn.vertex_weight.copy()
    weights[0] = 10_000
    heavy = replace(drawn, vertex_weight=weights)
    assert cutter("mt-kahypar")(heavy, 3, 0.1) is None


def test_our_own_partitioner_needs_nothing_and_is_not_spoken_of():
    found = compiled("own")
    assert found.program.mapping.slices.orders
    assert found.notes == ()


@peer
def test_a_build_says_who_cut_it_and_a_new_mapping_says_its_own(tmp_path: Path):
    found = compiled("mt-kahypar")
    assert found.program.mapping.slices.orders
    peer_ = f"Mt-KaHyPar {version('mtkahypar')} (deterministic preset)"
    assert found.notes == (f"irregular populations are cut by {peer_}",)
    build = api.write_build(found, tmp_path / "one", {"options": {}})
    api.remap(build, tmp_path / "two", partitioner="auto")
    api.remap(build, tmp_path / "three")
    notes = [json.loads((tmp_path / name / "manifest.json").read_text())["notes"]
             for name in ("one", "two", "three")]
    assert notes == [list(found.notes), [
        f"irregular populations are cut by ours or, where its km1 is lower, {peer_}"], []]


@pytest.mark.parametrize(("name", "search", "message"), [
    ("metis", False, "partitioner: is 'metis'. Take one of own, mt-kahypar, auto."),
    ("auto", True, "partitioner: is 'auto', and --search cuts boxes without one. Leave out one of "
                   "them."),
])
def test_a_choice_that_cannot_be_followed_is_refused(name, search, message):
    with pytest.raises(NmcError) as error:
        api.choices.partitioner(name, search)
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["mt-kahypar", "auto"])
def test_what_is_not_installed_is_said(name, monkeypatch):
    monkeypatch.setattr(partitioners, "find_spec", lambda _: None)
    with pytest.raises(NmcError) as error:
        cutter(name)
    assert str(error.value) == (f"partitioner: is '{name}', and Mt-KaHyPar is not installed. pip "
                                "install '.[partition]' in nmcompile's folder, or take own.")
