"""network.nir, read by the `nir` package, is what spinnaker2.json says.

py-spinnaker2 is not on the package index; how its `s2_nir.py` turns NIR nodes into parameters
(`convert_LIF`, `convert_IF`, Forward Euler, weights unscaled) is written down again here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch
from helpers.accepted import TAKEN, taken
from helpers.networks import conv, dense, scalar, sparse

from nmcompile.frontends.interface import Traced
from nmcompile.ir import Input, Network, Output, Population, Projection, run, verify
from nmcompile.ir.neurons import LIF, Reset, ResetAt
from nmcompile.pipeline import compile_stage
from nmcompile.registry import backend
from nmcompile.target import load_target

TARGET, BACKEND = load_target("spinnaker2"), backend("spinnaker2")
Dump = dict[str, dict[str, object]]


def network(reset: Reset = Reset.ZERO, decay: float = 0.9) -> Network:
    """A convolution, a layer that feeds itself, a sparse answer, all with biases."""
    rng = np.random.default_rng(3)
    image = conv(rng, (1, 6, 6), 3, stride=(2, 2), padding=(1, 1), gain=2.0)

    def layer(name: str, shape: tuple[int, ...]) -> Population:
        return Population(
            name=name, shape=shape, bias=rng.normal(0, 0.03, shape).astype(np.float32),
            neuron=LIF(decay=scalar(decay), threshold=scalar(1), reset=reset,
                       reset_at=ResetAt.SPIKE))

    first = replace(layer("conv", image.out_shape), bias=np.full((3, 1, 1), 0.02, np.float32))
    return verify(Network(
        inputs=(Input(name="image", shape=(1, 6, 6)),),
        populations=(first, layer("hidden", (12,)), layer("out", (4,))),
        projections=(
            Projection(source="image", target="conv", map=image),
            Projection(source="conv", target="hidden", map=dense(rng, 27, 12, 3.0)),
            Projection(source="hidden", target="hidden", delay=1, map=dense(rng, 12, 12, 0.6)),
            Projection(source="hidden", target="out", map=sparse(rng, 12, 4, 0.7))),
        outputs=(Output(name="out", population="out"),)))


def written(net: Network, folder: Path) -> dict[str, str]:
    rng = np.random.default_rng(1)
    given = {"image": (rng.random((4, 20, 1, 6, 6)) < 0.4).astype(np.float32)}
    traced = Traced(network=net, inputs=given, expected=run(net, given).records)
    return BACKEND.emit(compile_stage(traced, TARGET).program, folder)


def of_json(folder: Path) -> Dump:
    """Parameters of each population, and weights (post, pre) of each projection."""
    values = json.loads((folder / "spinnaker2.json").read_text("utf-8"))
    sizes = {p["name"]: p["size"] for p in (*values["inputs"], *values["populations"])}
    found: Dump = {}
    for population in values["populations"]:
        params, n = population["params"], population["size"]
        found[population["name"]] = {
            name: np.broadcast_to(np.float32(params[name]), n)
            for name in ("alpha_decay", "threshold", "i_offset")}
    for link in values["projections"]:
        weights = np.zeros((sizes[link["post"]], sizes[link["pre"]]))
        one = link["connections"]
        weights[one["post"], one["pre"]] = one["weight"]
        found[f"{link['pre']}>{link['post']}"] = {"weight": weights}
    return found


def of_graph(path: Path) -> Dump:
    """The same as py-spinnaker2 finds it in the graph."""
    graph = nir.read(path)
    dt = float(graph.metadata["dt"])
    neurons = {name: node for name, node in graph.nodes.items()
               if isinstance(node, nir.LIF | nir.IF)}
    found: Dump = {}
    for name, node in neurons.items():
        share = dt / node.tau if isinstance(node, nir.LIF) else np.zeros(node.r.shape)
        scale = 1 / (share * node.r) if isinstance(node, nir.LIF) else 1 / node.r
        offset = np.zeros(node.r.shape)
        if isinstance(node, nir.LIF):
            offset = share * node.v_leak * scale
        for before, after in graph.edges:
            bias = getattr(graph.nodes[before], "bias", None)
            if after == name and bias is not None:
                planes = bias.reshape(-1, *[1] * (offset.ndim - 1)) if offset.ndim == 3 else bias
                offset = offset + planes
        found[name] = {"alpha_decay": np.float32(1 - share).reshape(-1),
                       "threshold": np.float32(node.v_threshold * scale).reshape(-1),
                       "i_offset": np.float32(offset).reshape(-1)}
    for name in neurons:
        for pre, weights in arriving(graph, name):
            found[f"{pre}>{name}"] = {"weight": weights}
    return found


def arriving(graph: nir.NIRGraph, name: str) -> list[tuple[str, np.ndarray]]:
    """Each source of `name` and its weights (post, pre), by torch's own convolution."""
    found = []
    for before in [a for a, b in graph.edges if b == name]:
        node, (behind,) = graph.nodes[before], [a for a, b in graph.edges if b == before]
        if isinstance(graph.nodes[behind], nir.Flatten):
            (behind,) = [a for a, b in graph.edges if b == behind]
        if isinstance(node, nir.Conv2d):
            size = (node.weight.shape[1] * node.groups, *node.input_shape)
            eye = torch.eye(int(np.prod(size)), dtype=torch.float64).reshape(-1, *size)
            rows = torch.nn.functional.conv2d(
                eye, torch.tensor(node.weight, dtype=torch.float64), None, tuple(node.stride),
                tuple(node.padding), tuple(node.dilation), node.groups)
            found.append((behind, rows.reshape(len(eye), -1).T.numpy()))
        else:
            found.append((behind, node.weight.reshape(node.weight.shape[0], -1)))
    return found


def differing(ours: Dump, theirs: Dump) -> list[str]:
    assert ours.keys() == theirs.keys()
    return [f"{name}.{field}" for name, fields in ours.items() for field in fields
            if not np.array_equal(fields[field], theirs[name][field])]


@pytest.mark.parametrize("reset", [Reset.ZERO, Reset.SUBTRACT])
@pytest.mark.parametrize("decay", [0.9, 0.0, 1.0])
def test_the_graph_gives_py_spinnaker2_the_parameters_and_connections_of_the_file(
    tmp_path: Path, reset: Reset, decay: float
) -> None:
    told = written(network(reset, decay), tmp_path)
    method = {Reset.ZERO: "ZERO", Reset.SUBTRACT: "SUBTRACT"}[reset]
    assert f"integrator=IntegratorMethod.FORWARD, reset=ResetMethod.{method})" in told["network.nir"]
    ours = of_json(tmp_path)
    assert len(ours) == 7
    again = tmp_path / "again"
    again.mkdir()
    written(network(reset, decay), again)
    assert (again / "network.nir").read_bytes() == (tmp_path / "network.nir").read_bytes()
    assert differing(ours, of_graph(tmp_path / "network.nir")) == []


def test_all_that_spinnaker2_takes_is_the_same_in_both_files(tmp_path: Path) -> None:
    found = taken("spinnaker2")
    assert set(found) > TAKEN["spinnaker2"]
    for name, made in found.items():
        (tmp_path / name).mkdir()
        BACKEND.emit(made.program, tmp_path / name)
        ours, theirs = of_json(tmp_path / name), of_graph(tmp_path / name / "network.nir")
        assert differing(ours, theirs) == [], name


def test_an_oblong_kernel_is_read_as_the_same_weights(tmp_path: Path) -> None:
    net, rng = network(), np.random.default_rng(0)
    image = conv(rng, (1, 6, 6), 3, kernel=(3, 2), stride=(2, 2), padding=(1, 0), gain=2.0)
    assert image.out_shape == (3, 3, 3)
    net = replace(net, projections=(replace(net.projections[0], map=image), *net.projections[1:]))
    written(verify(net), tmp_path)
    assert differing(of_json(tmp_path), of_graph(tmp_path / "network.nir")) == []


def test_one_altered_number_in_the_graph_is_another_parameter_or_connection(tmp_path: Path) -> None:
    written(network(), tmp_path)
    ours, path, rng = of_json(tmp_path), tmp_path / "network.nir", np.random.default_rng(0)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        places: list[str] = []
        file.visit(lambda name: places.append(name) if name.split("/")[-1] in (
            "weight", "tau", "v_threshold", "v_leak") else None)
    assert len(places) > 10
    for place in places:
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            values = file[place][()]
            entry = tuple(int(rng.integers(n)) for n in values.shape)
            values[entry] = values[entry] * (1 + 1e-6) if values[entry] else 1
            file[place][...] = values
        assert len(differing(ours, of_graph(path))) >= 1, place


def test_a_network_of_two_resets_is_told_as_one_that_py_spinnaker2_has_no_word_for(
    tmp_path: Path,
) -> None:
    net = network()
    last = net.populations[-1]
    last = replace(last, neuron=replace(last.neuron, reset=Reset.SUBTRACT))
    told = written(replace(net, populations=(*net.populations[:-1], last)), tmp_path)
    assert told["network.nir"].endswith(
        "; py-spinnaker2 has one reset for a whole graph, this one has two")
    assert "begin at other membranes" not in told["network.nir"]


def test_what_nir_has_no_words_for_is_not_written(tmp_path: Path) -> None:
    net = network(decay=0.5)
    mixed = np.full(12, 0.5, np.float32)
    mixed[3] = 1
    hidden = net.populations[1]
    hidden = replace(hidden, neuron=replace(hidden.neuron, decay=mixed))
    told = written(
        replace(net, populations=(net.populations[0], hidden, net.populations[2])), tmp_path)
    assert told["network.nir"] == (
        "not written: hidden: NIR has no neuron without leak among others of its layer or behind "
        "a synaptic current.")
    assert not (tmp_path / "network.nir").exists()
