"""The configuration folder: its files, the same bytes twice, and what names may not do."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers import register_machine
from helpers.loihi_programs import (
    dense,
    network,
    neuron,
    payloads,
    port,
    program,
    projection,
    sparse,
    weights,
)
from helpers.networks import every_step
from helpers.random_loihi import random_chain, random_network
from nmcompile_backends.loihi import BACKEND
from nmcompile_backends.loihi.emit import emit

from nmcompile.errors import NmcError
from nmcompile.ir import Network, Population, run
from nmcompile.mapper import map_network
from nmcompile.mapping import Program
from nmcompile.target import Target, load_target

STEPS = 12
FILES = {"network.net", "lava_model.py", "arrays.npz", "registers.json", "registers.h5",
         "registers.schema.json"}


def one_layer(name: str) -> Network:
    layer = Population(name=name, shape=(3,), neuron=neuron(), bias=np.zeros((), np.int32))
    return network((port((2,)),), (layer,), (projection("in", name, dense(
        weights(np.random.default_rng(0), (3, 2)))),))


def crowded(target: Target, **limits: int) -> Target:
    """`target` with smaller cores."""
    core = {name: getattr(target.core, name).model_copy(update={"value": value})
            for name, value in limits.items()}
    return target.model_copy(update={"core": target.core.model_copy(update=core)})


def mapped(net: Network, target: Target) -> Program:
    """`net` through the mapping passes."""
    return map_network(net, target, BACKEND, every_step(net))[0]


def test_all_files_are_written_and_described(tmp_path: Path) -> None:
    described = emit(program(random_chain(0)), tmp_path)
    assert set(described) == FILES
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_edges_that_the_files_cannot_say_are_refused(tmp_path: Path) -> None:
    net = one_layer("n")
    layer = replace(net.populations[0], neuron=neuron(edges="nengo", v_min_exponent=0))
    with pytest.raises(NmcError) as error:
        emit(program(replace(net, populations=(layer,))), tmp_path)
    assert str(error.value) == (
        "n: edges like those of 'nengo' and v from 0 to 8388607 can be simulated, not written: "
        "files mean Lava's. Leave `edges`, `v_min_exponent` and `v_max_exponent` at their defaults.")


def test_what_is_not_written_is_described_but_not_there(tmp_path: Path) -> None:
    described = emit(program(random_network(0)), tmp_path)
    assert described["network.net"].startswith("not written: ")
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"network.net"}


@pytest.mark.parametrize("make", [random_network, random_chain])
def test_the_same_program_gives_the_same_bytes_in_another_process(
    tmp_path: Path, make: object
) -> None:
    code = ("import sys; from pathlib import Path; from helpers import loihi_programs as p, "
            "random_loihi as r; from nmcompile_backends.loihi.emit import emit; "
            f"emit(p.program(r.{make.__name__}(3), cut=2), Path(sys.argv[1]))")
    (tmp_path / "here").mkdir()
    emit(program(make(3), cut=2), tmp_path / "here")
    (tmp_path / "there").mkdir()
    subprocess.run([sys.executable, "-c", code, tmp_path / "there"], check=True,
                   cwd=Path(__file__).parents[2], env={"PYTHONHASHSEED": "7", "PATH": ""})
    for path in (tmp_path / "here").iterdir():
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ['x"""; import os', "x'; raise SystemExit #", "{x}", "\\"])
def test_a_name_cannot_become_code(tmp_path: Path, name: str) -> None:
    emit(program(one_layer(name)), tmp_path)
    tree = ast.parse((tmp_path / "lava_model.py").read_text())
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert name in strings
    plain = tmp_path / "plain"
    plain.mkdir()
    emit(program(one_layer("x")), plain)
    lines = (plain / "lava_model.py").read_text().count("\n")
    assert (tmp_path / "lava_model.py").read_text().count("\n") == lines


def test_a_script_of_plain_layers_holds_no_class_of_its_own(tmp_path: Path) -> None:
    emit(program(one_layer("fc")), tmp_path)
    script = (tmp_path / "lava_model.py").read_text()
    assert "class" not in script
    assert "node['fc'] = LIF(" in script
    assert "import DelayDense" not in script


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_registers_of_a_network_that_the_passes_mapped_run_alike(
    tmp_path: Path, target: str, seed: int
) -> None:
    net = random_network(seed)
    if target == "loihi1":
        net = replace(net, inputs=(port(net.inputs[0].shape),))
    mapping = mapped(net, crowded(load_target(target), neurons=20, input_axons=300))
    emit(mapping, tmp_path)
    assert len(np.unique(mapping.mapping.slices.core)) > 3
    sent = payloads(net, STEPS, np.random.default_rng(seed))
    found = register_machine.run(tmp_path, {n: x[0] for n, x in sent.items()}, STEPS)
    for name, record in run(net, sent).records.items():
        np.testing.assert_array_equal(found[name]["v"], record["v"][0])


def test_one_altered_entry_of_any_table_changes_what_the_registers_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = Population(name="out", shape=(8,), neuron=neuron(silent=True),
                       bias=np.zeros((), np.int32))
    net = network((port((6,)),), (layer,), (projection("in", "out", sparse(rng, 6, 8)),))
    emit(program(net), tmp_path)
    sent = {"in": rng.integers(0, 2, (STEPS, 6))}
    wanted = register_machine.run(tmp_path, sent, STEPS)["out"]["v"]
    for path in ("cores/0/synapses/0/weights", "cores/0/synapses/0/targets",
                 "cores/0/input_axons/pointer", "inputs/0/output_axons/delay"):
        with h5py.File(tmp_path / "registers.h5", "r+") as arrays:
            table = arrays[path]
            before = table[2]
            table[2] = before + 1
        assert np.any(register_machine.run(tmp_path, sent, STEPS)["out"]["v"] != wanted), path
        with h5py.File(tmp_path / "registers.h5", "r+") as arrays:
            arrays[path][2] = before
