from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.models_snntorch import BatchFirst, Static, TimeFirst, sequential
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import run

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch.export itself


def exported(path: Path, model: nn.Module, *shape: int) -> Path:
    torch.manual_seed(0)
    program = torch.export.export(model.eval(), (torch.rand(shape).round(),))
    torch.export.save(program, path)
    return path


def load(path: Path, **options: Any) -> Traced:
    assert FRONTEND.claims(path)
    return FRONTEND.load(Request(path=path, **options))


@pytest.mark.parametrize(
    ("make", "shape", "steps"),
    [(lambda: TimeFirst("Leaky", reset_mechanism="zero"), (8, 3, 8), 8),
     (lambda: TimeFirst("Leaky", beta=torch.rand(12), graded_spikes_factor=0.5), (8, 3, 8), 8),
     (lambda: TimeFirst("Synaptic", reset_mechanism="zero"), (8, 3, 8), 8),
     (lambda: TimeFirst("RLeaky"), (8, 3, 8), 8), (BatchFirst, (3, 8, 8), 8),
     (Static, (1, 8), 30)],
    ids=["zero", "graded", "synaptic", "recurrent", "batch first", "static"],
)
def test_an_exported_loop_gives_the_model_s_spikes(
    tmp_path: Path, make: Callable[[], nn.Module], shape: tuple[int, ...], steps: int
) -> None:
    torch.manual_seed(1)
    model = make()
    for parameter in model.parameters():
        if parameter.dim() == 2:
            nn.init.uniform_(parameter, -0.3, 0.6)
    own = FRONTEND.load(Request(model=model, sample=np.ones((2, 8, 8), np.float32)
                                if steps == 8 else np.ones((2, 8), np.float32)))
    found = load(exported(tmp_path / "m.pt2", model, *shape))
    assert found.inputs["input"].shape[1:] == (steps, 8)
    records = run(found.network, found.inputs).records
    for name, expected in found.expected.items():
        assert np.array_equal(records[name]["spikes"], expected["spikes"])
        assert np.abs(records[name]["v"] - expected["v"]).max() < 1e-5
        assert expected["spikes"].sum() > 5
    kinds = [(p.name, p.neuron.reset, p.neuron.reset_at) for p in own.network.populations]
    assert [(p.name, p.neuron.reset, p.neuron.reset_at)
            for p in found.network.populations] == kinds


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("export") / "m.pt2", Static(), 1, 8)


def changed(original: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The archive `original` with its graph changed, at `path`."""
    with zipfile.ZipFile(original) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    name = next(name for name in entries if name.endswith("models/model.json"))
    content = json.loads(entries[name])
    change(content["graph_module"]["graph"])
    entries[name] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


def message(path: Path, **options: Any) -> str:
    with pytest.raises(NmcError) as error:
        load(path, **options)
    return str(error.value).replace(str(path.parent) + "/", "")


@pytest.mark.parametrize("target", [
    "torch.ops.aten.from_file.default", "os.system", "_operator.add",
    # attributes of a known operation that are no overloads: a way to any code
    "torch.ops.aten.add.__call__", "torch.ops.aten.pixel_shuffle.__getattribute__",
    "torch.ops.aten.add._op", "torch.ops.aten.add.overloads", "torch.ops.aten.add.",
])
def test_an_operation_that_is_not_known_is_not_run(
    tmp_path: Path, static: Path, target: str
) -> None:
    def change(graph: dict[str, Any]) -> None:
        graph["nodes"][3]["target"] = target

    assert message(changed(static, tmp_path / "m.pt2", change)) == (
        f"m.pt2: uses the operation {target.removeprefix('torch.ops.')}, which is not among those "
        "that are run.")


def test_a_program_of_one_step_is_refused(tmp_path: Path) -> None:
    assert message(exported(tmp_path / "m.pt2", sequential(), 3, 8)) == (
        "m.pt2: was exported for a single step, without the states of its neurons. Export a model "
        "whose forward holds the loop over steps.")


def test_a_sample_of_another_shape_names_the_exported_one(static: Path) -> None:
    assert message(static, sample=np.ones((4, 9), np.float32)) == (
        "sample: 4 x 9 values do not go through the model. torch says: it was exported for inputs "
        "of shape 1 x 8.")


def test_a_damaged_archive_is_refused(tmp_path: Path, static: Path) -> None:
    damaged = changed(static, tmp_path / "m.pt2", lambda graph: graph.pop("nodes"))
    assert message(damaged) == (
        "m.pt2: is no torch.export archive that can be read (KeyError: 'nodes'). Export it again "
        "with this version of torch.")
