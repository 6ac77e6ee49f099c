from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from importlib import import_module
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
from nmcompile.ir.text import to_text

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


class Jelly(nn.Module):
    """A loop over single steps of a SpikingJelly neuron, or one call with all of them."""

    def __init__(self, kind: str, mode: str = "s", **options: Any) -> None:
        super().__init__()
        neuron = import_module("spikingjelly.activation_based.neuron")
        self.fc, self.sn = nn.Linear(8, 12), getattr(neuron, kind)(step_mode=mode, **options)
        self.fc2, self.out = nn.Linear(12, 5), neuron.IFNode(step_mode=mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sn.reset()
        self.out.reset()
        if self.sn.step_mode == "m":
            return self.out(self.fc2(self.sn(self.fc(x))))
        return torch.stack([self.out(self.fc2(self.sn(self.fc(values)))) for values in x])


JELLY = [("IFNode", {"v_threshold": 0.7}), ("IFNode", {"v_reset": None, "mode": "m"}),
         ("LIFNode", {"tau": 3.0, "v_reset": -0.2}),
         ("LIFNode", {"tau": 1.5, "decay_input": False, "v_reset": None}),
         ("LIFNode", {"tau": 2.0, "v_threshold": 0.5, "mode": "m"}),
         ("ParametricLIFNode", {"init_tau": 1.6}),
         ("ParametricLIFNode", {"init_tau": 2.5, "v_threshold": 0.5, "mode": "m"})]


def lively(kind: str, options: dict[str, Any]) -> nn.Module:
    pytest.importorskip("spikingjelly.activation_based.neuron")
    torch.manual_seed(1)
    model = Jelly(kind, **options)
    for layer in (model.fc, model.fc2):
        nn.init.uniform_(layer.weight, -0.3, 0.7)
    return model.eval()


@pytest.mark.parametrize(("kind", "options"), JELLY, ids=[f"{k} {o}" for k, o in JELLY])
def test_an_exported_spikingjelly_model_gives_the_network_of_the_model(
    tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    model = lively(kind, options)
    sample = (np.random.default_rng(0).random((3, 10, 8)) < 0.5).astype(np.float32)
    own = FRONTEND.load(Request(model=model, sample=sample))
    found = load(exported(tmp_path / "m.pt2", model, 10, 3, 8), sample=sample)
    assert to_text(found.network).splitlines()[:-1] == to_text(own.network).splitlines()
    records = run(found.network, found.inputs).records
    for name, expected in own.expected.items():
        assert np.array_equal(records[name]["spikes"], expected["spikes"])
        assert np.array_equal(found.expected[name]["spikes"], expected["spikes"])
        assert np.abs(records[name]["v"] - expected["v"]).max() < 1e-5
        assert expected["spikes"].sum() > 5


def test_a_neuron_whose_calls_have_different_parameters_is_refused(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.pt2", lively("LIFNode", {"tau": 2.0}), 10, 3, 8)

    def change(graph: dict[str, Any]) -> None:
        calls = [n for n in graph["nodes"] if n["target"] == "torch.ops.sj_lif.forward.default"]
        (tau,) = (a for a in calls[4]["inputs"] if a["name"] == "tau")
        tau["arg"]["as_float"] = 3.0

    assert message(changed(path, tmp_path / "other.pt2", change)).startswith(
        "sn: its v in the exported program is not what a LIFNode of these parameters gives.")


@pytest.mark.parametrize("value", [{"as_float": 0.5}, {"as_string": "two"}, {"as_none": True}])
def test_a_parameter_that_is_none_is_refused(tmp_path: Path, value: dict[str, Any]) -> None:
    path = exported(tmp_path / "m.pt2", lively("LIFNode", {"tau": 2.0}), 10, 3, 8)

    def change(graph: dict[str, Any]) -> None:
        for node in graph["nodes"]:
            for argument in node["inputs"]:
                if argument["name"] == "tau":
                    argument["arg"] = value

    assert "other.pt2: is damaged (" in message(changed(path, tmp_path / "other.pt2", change))


@pytest.mark.parametrize(("package", "make", "named"), [
    ("sinabs.layers", lambda sinabs: sinabs.LIF(tau_mem=5.0), "Sinabs' LIF"),
    ("norse.torch", lambda norse: Cell(norse.LIFCell()), "Norse's LIFCell")])
def test_a_neuron_that_a_program_does_not_tell_enough_of_is_refused_by_name(
    tmp_path: Path, package: str, make: Callable[[Any], nn.Module], named: str
) -> None:
    model = nn.Sequential(nn.Linear(8, 4), make(pytest.importorskip(package)))
    assert f"{named} cannot be read from an exported program. snnTorch's Leaky, Synaptic and RLeaky" in (
        message(exported(tmp_path / "m.pt2", model, 10, 3, 8)))


class Cell(nn.Module):
    """A loop that drops the last state."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, out = None, []
        for values in x:
            spikes, state = self.cell(values, state)
            out.append(spikes)
        return torch.stack(out)


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
