"""What a model returns decides as it does in the model, however it adds up its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import snntorch
import torch
from helpers.conformance.rows import loop
from torch import nn

import nmcompile as nmc
from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.nir_export import write_graph
from nmcompile.frontends.nir_file import FRONTEND as NIR
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import decisions, run, scores

SAMPLES, STEPS = 30, 20
Readout = Callable[[torch.Tensor, torch.Tensor], object]
SHIFT = torch.tensor([9.0, 0.0, 0.0, 0.0, -9.0])


class Model(nn.Module):
    """Two layers, and a readout of the spikes and membranes of the last, (steps, samples, 5)."""

    def __init__(self, readout: Readout) -> None:
        super().__init__()
        self.readout = readout
        self.fc1, self.fc2 = nn.Linear(12, 16), nn.Linear(16, 5)
        self.lif1 = snntorch.Leaky(beta=0.9, threshold=0.5)
        self.lif2 = snntorch.Leaky(beta=0.9, threshold=0.5)

    def forward(self, x: torch.Tensor) -> object:
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for values in x:
            spk1, mem1 = self.lif1(self.fc1(values), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return self.readout(torch.stack(spikes), torch.stack(membranes))


def leaky(spikes: torch.Tensor, membranes: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(())
    for step in spikes:
        total = 0.5 * total + step
    return total


def counted(spikes: torch.Tensor, membranes: torch.Tensor) -> torch.Tensor:
    count = torch.zeros_like(spikes[0])
    for step in spikes:
        count += step
    return count


def counted_as_integers(spikes: torch.Tensor, membranes: torch.Tensor) -> torch.Tensor:
    count = torch.zeros(spikes.shape[1:], dtype=torch.int64)
    for step in spikes:
        count += step.long()
    return count


EXACT: dict[str, Readout] = {
    "sum": lambda spikes, membranes: spikes.sum(0),
    "counted in place": counted,
    "counted as integers": counted_as_integers,
    "leaky sum": leaky,
    "last 5 steps": lambda spikes, membranes: spikes[-5:].sum(0),
    "all but 10 steps": lambda spikes, membranes: spikes[10:].mean(0),
    "first step": lambda spikes, membranes: spikes[0],
    "last membrane": lambda spikes, membranes: membranes[-1],
    "every second": lambda spikes, membranes: spikes[::2].sum(0),
    "late less early": lambda spikes, membranes: spikes[10:].sum(0) - spikes[:10].sum(0),
    "weighted": lambda spikes, membranes: 3 * spikes[0] + spikes[1:].sum(0),
    "membranes and a constant": lambda spikes, membranes: membranes.sum(0) + SHIFT,
    "mean of membranes": lambda spikes, membranes: membranes.mean(0),
    "spikes and a constant": lambda spikes, membranes: spikes.mean(0) + SHIFT / 40,
    "log softmax": lambda spikes, membranes: torch.log_softmax(spikes.sum(0), 1),
    "log softmax of each step": lambda spikes, membranes: torch.log_softmax(membranes, 2).sum(0),
    "softmax of a log softmax": lambda spikes, membranes: torch.softmax(
        torch.log_softmax(membranes, 2).mean(0), 1),
    "a dictionary": lambda spikes, membranes: {"logits": spikes.sum(0), "norm": spikes.norm()},
}


def traced(readout: Readout) -> tuple[Traced, np.ndarray]:
    """The network, and what the model itself decides."""
    torch.manual_seed(1)
    model = Model(readout).eval()
    sample = (np.random.default_rng(0).random((SAMPLES, STEPS, 12)) < 0.4).astype(np.float32)
    with torch.no_grad():
        returned = model(torch.from_numpy(sample.swapaxes(0, 1).copy()))
    logits = returned["logits"] if isinstance(returned, dict) else returned
    return FRONTEND.load(Request(model=model, sample=sample)), logits.argmax(1).numpy()


@pytest.mark.parametrize("name", EXACT)
def test_the_network_decides_as_the_model(name: str) -> None:
    found, wanted = traced(EXACT[name])
    assert np.array_equal(decisions(found.network, run(found.network, found.inputs)), wanted)
    assert len(np.unique(wanted)) > 1


REFUSED: dict[str, tuple[Readout, str]] = {
    "a layer behind membranes": (
        lambda spikes, membranes: membranes.sum(0)[:, :4].reshape(-1, 2, 2).sum(2),
        "what it returns is computed from v of lif2 by more than a weighted sum over steps"),
    "both": (lambda spikes, membranes: spikes.sum(0) + 0.1 * membranes.sum(0),
             "what it returns is computed from spikes of lif2, v of lif2 by more than"),
    "an operation that cannot go in": (
        lambda spikes, membranes: torch.tanh(spikes.sum(0)) ** 2, "tanh: it is no ReLU"),
    "two heads side by side behind a sigmoid": (
        lambda spikes, membranes: torch.cat([torch.sigmoid(spikes.sum(0) * gain) for gain in
                                             (1.0, 2.0)], 1), "sigmoid: it is no ReLU"),
    "a sum of two heads behind a log softmax": (
        lambda spikes, membranes: sum(torch.log_softmax(spikes.sum(0) * gain, 1) for gain in
                                      (torch.linspace(0, 1, 5), SHIFT)), "log_softmax: it is not"),
    "a log softmax and a constant": (
        lambda spikes, membranes: torch.log_softmax(spikes.sum(0), 1) + SHIFT,
        "log_softmax: it is not linear"),
    "the last of the softmax of each step": (
        lambda spikes, membranes: torch.softmax(spikes * SHIFT, 2)[-1], "softmax: it is not"),
    "the softmax of each step": (
        lambda spikes, membranes: torch.softmax(spikes * SHIFT, 2), "softmax: it is not linear"),
    "the sum of two layers in some of the steps": (
        lambda spikes, membranes: (spikes * SHIFT + spikes.flip(2))[5:].sum(0),
        "its inputs differ between step 0 and step 19"),
    "a layer behind a softmax": (
        lambda spikes, membranes: torch.softmax(membranes, 2).sum(0), "softmax: it is not linear"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_returned_is_refused_and_never_left_out(name: str) -> None:
    readout, message = REFUSED[name]
    with pytest.raises(NmcError, match=message):
        traced(readout)


def test_a_softmax_that_is_called_in_each_step_is_refused() -> None:
    model = nn.Sequential(nn.Linear(12, 5), snntorch.Leaky(beta=0.9, init_hidden=True),
                          nn.Linear(5, 5), nn.Softmax(1))
    with pytest.raises(NmcError, match=r"3 \(Softmax\): softmax: it is not linear"):
        FRONTEND.load(Request(model=model, sample=np.ones((8, 20, 12), np.float32)))


def test_what_is_returned_in_some_steps_only_is_refused() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif, self.step = snntorch.Leaky(beta=0.9, init_hidden=True), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            spikes, self.step = self.lif(x), self.step + 1
            return spikes if self.step > 1 else torch.zeros_like(spikes)

    with pytest.raises(NmcError, match="what it returns depends on its input in 24 of 25 steps"):
        FRONTEND.load(Request(model=Late(), sample=np.ones((8, 20, 5), np.float32)))


def test_what_never_changes_is_added_to_the_spikes_once() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif, self.fc = snntorch.Leaky(beta=0.9), nn.Linear(12, 5)
            self.skip = nn.Linear(12, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mem, total = self.lif.init_leaky(), torch.zeros(())
            for _ in range(10):
                spikes, mem = self.lif(x, mem)
                total = total + self.fc(spikes)
            return total + 3 * self.skip(x)

    torch.manual_seed(1)
    model, sample = Skip().eval(), np.random.default_rng(0).random((30, 12)).astype(np.float32)
    found = FRONTEND.load(Request(model=model, sample=sample))
    with torch.no_grad():
        wanted = model(torch.from_numpy(sample)).numpy()
    (port,) = found.network.outputs
    np.testing.assert_allclose(scores(port, run(found.network, found.inputs)), wanted, atol=1e-4)


def test_layers_behind_an_operation_that_cannot_go_in_are_not_dropped() -> None:
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 5))
    with pytest.raises(NmcError, match=r"2 \(LayerNorm\): native_layer_norm: it is not linear"):
        FRONTEND.load(Request(model=model, sample=np.ones((8, 12), np.float32)))


@pytest.mark.parametrize("name", ["leaky sum", "late less early"])
def test_weights_of_steps_reach_the_chip_the_build_and_nir(name: str, tmp_path: Path) -> None:
    found, _ = traced(EXACT[name])
    (port,) = found.network.outputs
    assert len(port.weights) == STEPS
    write_graph(found.network, tmp_path / "m.nir", 1e-3)
    (again,) = NIR.load(Request(path=tmp_path / "m.nir")).network.outputs
    assert again.weights == port.weights
    sample = next(iter(found.inputs.values()))
    compiled = nmc.compile(Model(EXACT[name]).eval(), target="loihi2", sample=sample)
    build = nmc.read_build(nmc.write_build(compiled, tmp_path / "build", {}).folder)
    result = nmc.simulate(build, nmc.api.DataFile(x=sample, y=None), record=("spikes",))
    (whole,) = result.run.scores.values()
    weighed = np.einsum("bts,t->bs", result.run.records["lif2"]["spikes"], port.weights)
    np.testing.assert_allclose(whole, weighed, rtol=1e-12)


def test_a_run_of_other_steps_than_those_that_were_weighed_is_refused() -> None:
    found, _ = traced(leaky)
    trace = run(found.network, found.inputs, STEPS - 1)
    with pytest.raises(NmcError, match=r"weighs each of 20 steps by its own factor, 19 are run"):
        scores(found.network.outputs[0], trace)


def test_readouts_written_out_step_by_step_are_weights_of_steps() -> None:
    def step(self: nn.Module, values: torch.Tensor) -> torch.Tensor:
        spikes, _ = self.lif(self.fc1(values))
        self.out = 0.8 * self.out + self.fc2(spikes)
        return self.out

    model = loop(step, fc1=nn.Linear(12, 16), fc2=nn.Linear(16, 5),
                 lif=snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True, output=True))
    model.out = torch.zeros(())
    sample = (np.random.default_rng(0).random((6, STEPS, 12)) < 0.4).astype(np.float32)
    found = FRONTEND.load(Request(model=model, sample=sample))
    assert [p.map.kind for p in found.network.projections].count("dense") == 2
    assert len(found.network.outputs[0].weights) == STEPS
