"""What we count of a model's network is what NeuroBench's own harness counts of the torch model.

NMC_NEUROBENCH_PYTHON names the interpreter that `tools/oracles/make_env.py neurobench DIR` made.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import snntorch
import torch
from helpers import models_neurobench
from helpers.models_neurobench import ConvSpikes, Perceptron, Recurrent
from nmcompile_examples import train_digits
from torch import nn

from nmcompile.api import load
from nmcompile.frontends.interface import Request
from nmcompile.frontends.loading.model import load_model
from nmcompile.report.yardsticks import real_counts

PYTHON = os.environ.get("NMC_NEUROBENCH_PYTHON")
RUNNER = Path(__file__).parents[2] / "tools" / "oracles" / "neurobench_run.py"
DIGITS = Path(train_digits.__file__).parent
pytestmark = [
    pytest.mark.neurobench,
    pytest.mark.skipif(PYTHON is None, reason="NMC_NEUROBENCH_PYTHON names no Python with it"),
]
Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, its inputs with samples first, and the modules that our layers are."""

    net: nn.Module
    x: np.ndarray
    layers: dict[str, str]
    code: str
    time_first: bool = False


def digits() -> Case:
    net = train_digits.DigitsNet()
    net.load_state_dict(load_model(Request(path=DIGITS / "digits.pt")).model.state_dict())
    x = np.load(DIGITS / "digits_test.npz")["x"][:48].astype(np.float32)
    return Case(net=net, x=x, layers={"lif1": "lif1", "lif2": "lif2", "lif3": "lif3"},
                code=f"{train_digits.__file__}:DigitsNet")


def small(kind: type[nn.Module], x: np.ndarray, **more: Any) -> Case:
    torch.manual_seed(4)
    return Case(net=kind(), x=x.astype(np.float32),
                code=f"{models_neurobench.__file__}:{kind.__name__}", **more)


def conv() -> Case:
    x = np.random.default_rng(1).random((12, 9, 2, 9, 9)) < 0.2
    case = small(ConvSpikes, x, time_first=True, layers={n: n for n in ("lif1", "lif2", "lif3")})
    with torch.no_grad():
        case.net.conv1.weight[::2] = 0
    return case


def recurrent() -> Case:
    rng = np.random.default_rng(2)
    x = rng.random((17, 11, 9)) * (rng.random((17, 11, 9)) < 0.4)
    return small(Recurrent, x, time_first=True, layers={"lif1": "lif1", "lif2": "lif2"})


def perceptron() -> Case:
    x = np.maximum(np.random.default_rng(3).normal(size=(40, 12)), 0)
    return small(Perceptron, x, layers={"net.relu_1": "1", "net.relu_3": "3"})


CASES: dict[str, Callable[[], Case]] = {
    "digits": digits, "conv": conv, "recurrent": recurrent, "perceptron": perceptron}


@pytest.fixture(scope="module", params=CASES)
def both(request, tmp_path_factory) -> tuple[Case, Figures, Figures]:
    """A case, what the harness finds, and what we do."""
    case, folder = CASES[request.param](), tmp_path_factory.mktemp(request.param)
    torch.save(case.net.state_dict(), folder / "model.pt")
    np.savez(folder / "input.npz", x=case.x, y=np.zeros(len(case.x), np.int64))
    (folder / "model.json").write_text(
        json.dumps({"code": case.code, "time_first": case.time_first}))
    subprocess.run([PYTHON, RUNNER, folder], check=True, timeout=300)
    theirs = json.loads((folder / "figures.json").read_text())
    traced = load(Request(model=case.net.eval(), sample=case.x))
    return case, theirs, real_counts(traced.network, traced.inputs)


def test_connection_sparsity_is_neurobench_s(both) -> None:
    _, theirs, ours = both
    assert round(ours["connection_sparsity"], 4) == theirs["ConnectionSparsity"]


def test_activation_sparsity_is_neurobench_s_in_all_and_of_each_layer(both) -> None:
    case, theirs, ours = both
    samples = ours["samples"]
    assert ours["activation_sparsity"] * samples / samples == theirs["ActivationSparsity"]
    mine = {row["name"]: row["activation_sparsity"] for row in ours["layers"]}
    named = theirs["ActivationSparsityByLayer"]
    assert {name: mine[name] for name in case.layers} == {
        name: named[module] for name, module in case.layers.items()}


def test_synaptic_operations_are_neurobench_s(both) -> None:
    _, theirs, ours = both
    assert {"Effective_MACs": ours["effective_macs"], "Effective_ACs": ours["effective_acs"],
            "Dense": ours["dense"]} == theirs["SynapticOperations"]


def test_membrane_updates_are_neurobench_s(both) -> None:
    _, theirs, ours = both
    assert ours["membrane_updates"] == theirs["MembraneUpdates"]


def test_the_footprint_lacks_only_what_torch_holds_beside_the_network(both) -> None:
    """Buffers; the second of two biases that are added to the same neurons; what a norm folds."""
    case, theirs, ours = both
    modules = list(case.net.modules())
    folded = sum(m.linear_features for m in modules if isinstance(m, snntorch.RLeaky))
    folded += sum(m.num_features for m in modules if isinstance(m, nn.BatchNorm2d))
    learnt = sum(isinstance(getattr(m, "beta", None), nn.Parameter) for m in modules)
    assert ours["parameters"] + folded + learnt == theirs["ParameterCount"]
    assert ours["footprint_bytes"] + 4 * (folded + learnt) + theirs["buffer_bytes"] == theirs[
        "Footprint"]


def test_one_weight_less_is_seen(both) -> None:
    """The harness and we would differ if either looked at other weights."""
    case, theirs, _ = both
    layer = next(m for m in case.net.modules() if isinstance(m, nn.Linear))
    changed = copy.deepcopy(case.net)
    with torch.no_grad():
        next(m for m in changed.modules() if isinstance(m, nn.Linear)).weight[0] = 0
    assert layer.weight[0].any()
    traced = load(Request(model=changed.eval(), sample=case.x))
    found = real_counts(traced.network, traced.inputs)
    assert round(found["connection_sparsity"], 4) != theirs["ConnectionSparsity"]
    assert found["effective_macs"] + found["effective_acs"] < sum(
        theirs["SynapticOperations"][name] for name in ("Effective_MACs", "Effective_ACs"))
