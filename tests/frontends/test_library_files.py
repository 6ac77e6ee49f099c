"""Whole models of SpikingJelly and Sinabs in a pickle: made of known classes, and of no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.conformance import rows as conformance
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import run
from nmcompile.ir.text import to_text

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries


def load(path: Path, *shape: int) -> Traced:
    sample = (np.random.default_rng(0).random((4, 50, *shape)) < 0.4).astype(np.float32)
    return FRONTEND.load(Request(path=path, sample=sample))


def saved(model: nn.Module, path: Path) -> Path:
    torch.save(model, path)
    return path


@pytest.mark.parametrize(
    ("library", "construct"),
    [("spikingjelly", "LIFNode, v_reset=0.2"),
     ("spikingjelly", "ParametricLIFNode, all steps, soft reset"),
     ("sinabs", "LIF, MembraneReset"), ("sinabs", "IAF, MaxSpike(2)"),
     ("sinabs", "LIFRecurrent, tau_syn"), ("sinabs", "IAFSqueeze(batch_size=1), SumPool2d, "
                                                     "Conv2d, Dropout")])
def test_a_saved_model_gives_the_network_of_the_model(
    tmp_path: Path, library: str, construct: str
) -> None:
    table = pytest.importorskip(f"helpers.conformance.{library}")
    (row,) = (r for r in table.ROWS if r.construct == construct)
    torch.manual_seed(2)
    model = conformance.with_lively_weights(row)
    found = load(saved(model, tmp_path / "m.pt"), *row.shape)
    sample = (np.random.default_rng(0).random((4, 50, *row.shape)) < 0.4).astype(np.float32)
    own = FRONTEND.load(Request(model=model, sample=sample))
    assert to_text(found.network) == to_text(own.network)
    records = run(found.network, found.inputs).records
    for name, expected in own.expected.items():
        assert np.array_equal(records[name]["spikes"], expected["spikes"])


def test_a_neuron_that_is_not_known_is_not_made(tmp_path: Path) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    model = nn.Sequential(nn.Linear(8, 6), neuron.EIFNode())
    with pytest.raises(NmcError, match="EIFNode"):
        load(saved(model, tmp_path / "m.pt"), 8)


def test_of_a_reset_only_the_numbers_are_taken(tmp_path: Path) -> None:
    layers = pytest.importorskip("sinabs.layers")
    activation = pytest.importorskip("sinabs.activation")
    reset = activation.MembraneSubtract()
    reset.subtract_value = torch.ones(3)
    reset.other = "text"
    model = nn.Sequential(nn.Linear(8, 6), layers.IAF(spike_fn=activation.SingleSpike,
                                                      reset_fn=reset))
    found = load(saved(model, tmp_path / "m.pt"), 8)
    assert found.network.populations[0].neuron.reset.value == "subtract"


@pytest.mark.parametrize("name", ["_memories", "surrogate_function", "tau"])
def test_a_neuron_with_parts_missing_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    model = nn.Sequential(nn.Linear(8, 6), neuron.LIFNode())
    model[1].__dict__.pop(name, None)
    model[1]._modules.pop(name, None)
    with pytest.raises(NmcError) as error:
        load(saved(model, tmp_path / "m.pt"), 8)
    assert "\n" not in str(error.value)


def test_states_that_a_run_left_in_a_state_dict_are_left_out(tmp_path: Path) -> None:
    layers = pytest.importorskip("sinabs.layers")
    code = tmp_path / "net.py"
    code.write_text(
        "from torch import nn\nimport sinabs.layers\n\n\ndef net():\n"
        "    return nn.Sequential(nn.Linear(8, 6), sinabs.layers.IAF(record_states=False))\n")
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 6), layers.IAF())
    sample = torch.as_tensor((np.random.default_rng(0).random((4, 50, 8)) < 0.4).astype(np.float32))
    own = FRONTEND.load(Request(model=model, sample=sample.numpy()))
    model(sample)
    path = tmp_path / "m.pt"
    torch.save(model.state_dict(), path)
    assert torch.load(path)["1.v_mem"].abs().max() > 0
    found = FRONTEND.load(Request(path=path, sample=sample.numpy(), code=f"{code}:net"))
    assert to_text(found.network) == to_text(own.network)


def test_steps_of_weights_that_brevitas_trained_load_from_a_state_dict(tmp_path: Path) -> None:
    pytest.importorskip("brevitas")
    code = tmp_path / "net.py"
    code.write_text(
        "import brevitas.nn\nimport snntorch\nfrom brevitas.quant import "
        "Int8WeightPerTensorFloatMSE as MSE\nfrom torch import nn\n\n\ndef net():\n"
        "    return nn.Sequential(brevitas.nn.QuantLinear(8, 6, bias=True, weight_bit_width=4,\n"
        "        weight_quant=MSE), snntorch.Leaky(beta=0.9, init_hidden=True))\n")
    scope: dict[str, object] = {}
    exec(code.read_text(), scope)
    model = scope["net"]()
    sample = (np.random.default_rng(0).random((4, 50, 8)) < 0.4).astype(np.float32)
    model(torch.as_tensor(sample[:, 0]))
    path = tmp_path / "m.pt"
    state = {k: v for k, v in model.state_dict().items() if k.startswith("0.")}
    assert any("scaling_impl" in key for key in state)
    with torch.no_grad():
        state["0.weight_quant.tensor_quant.scaling_impl.value"] *= 1.5
    own = scope["net"]()
    torch.save({**own.state_dict(), **state}, path)
    found = FRONTEND.load(Request(path=path, sample=sample, code=f"{code}:net"))
    (projection,) = found.network.projections
    own.load_state_dict(state, strict=False)
    expected = own.eval()[0].quant_weight().value.detach().numpy()
    assert np.allclose(projection.map.weight, expected, atol=1e-6)
    assert len(np.unique(expected)) > 4
