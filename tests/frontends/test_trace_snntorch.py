from __future__ import annotations

import numpy as np
import pytest
import snntorch
import torch
from helpers.models_snntorch import BatchFirst, Features, Loop, Static, TimeFirst, sequential
from torch import nn

from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import run
from nmcompile.ir.text import to_text


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1)


def spikes(*shape: int) -> np.ndarray:
    return (np.random.default_rng(0).random(shape) < 0.4).astype(np.float32)


def traced(model: nn.Module, sample: np.ndarray) -> Traced:
    return FRONTEND.load(Request(model=model, sample=sample))


def assert_same(result: Traced, fired: int = 20) -> None:
    found = run(result.network, result.inputs)
    for name, records in result.expected.items():
        for variable, wanted in records.items():
            values = found.records[name][variable]
            if variable == "spikes":
                assert np.array_equal(values, wanted), name
                assert wanted.sum() > fired, name
                assert wanted.mean() < 1, name
            else:
                assert np.abs(values - wanted).max() < 1e-5 * max(1, np.abs(wanted).max()), name


@pytest.mark.parametrize("delayed", [True, False])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky"])
def test_every_neuron_and_reset_gives_the_model_s_spikes(
    kind: str, reset: str, delayed: bool
) -> None:
    model = TimeFirst(kind, reset_mechanism=reset, reset_delay=delayed)
    assert_same(traced(model, spikes(7, 40, 8)))


@pytest.mark.parametrize(
    "options",
    [{"beta": torch.linspace(0.1, 1.2, 12)}, {"threshold": torch.linspace(0.3, 1.5, 12)},
     {"learn_beta": True}, {"learn_threshold": True}, {"beta": torch.tensor(0.7)},
     {"graded_spikes_factor": 0.5}, {"beta": torch.full((1,), 0.5)},
     {"graded_spikes_factor": torch.linspace(0.5, 2, 12)}],
    ids=["beta", "threshold", "learn_beta", "learn_threshold", "tensor", "graded", "one",
         "graded each"],
)
@pytest.mark.parametrize("delayed", [True, False])
def test_scalar_learned_and_per_neuron_parameters_are_taken_over(
    options: dict[str, object], delayed: bool
) -> None:
    assert_same(traced(TimeFirst(**options, reset_delay=delayed), spikes(7, 40, 8)))


def test_one_to_one_recurrence_is_a_delayed_projection() -> None:
    model = TimeFirst("RLeaky", all_to_all=False, linear_features=None, V=torch.rand(12))
    result = traced(model, spikes(7, 40, 8))
    assert [(p.source, p.delay) for p in result.network.incoming("lif1")] == [
        ("input", 0), ("lif1", 1)]
    assert_same(result)


def test_convolutional_recurrence_is_a_delayed_projection() -> None:
    lif = snntorch.RLeaky(beta=0.8, conv2d_channels=3, kernel_size=3, threshold=0.4,
                          init_hidden=True)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), lif, nn.Flatten(), nn.Linear(48, 4),
                          snntorch.Leaky(beta=0.9, threshold=0.3, init_hidden=True))
    assert_same(traced(model, spikes(5, 30, 2, 6, 6)), fired=2)


@pytest.mark.parametrize(
    ("model", "shape", "steps", "static"),
    [(TimeFirst, (6, 30, 8), None, False), (BatchFirst, (6, 30, 8), None, False),
     (sequential, (6, 30, 8), None, False), (sequential, (6, 8), 25, True),
     (Static, (6, 8), 30, True), (TimeFirst, (1, 30, 8), None, False)],
)
def test_the_axis_of_time_is_found(
    model: type, shape: tuple[int, ...], steps: int | None, static: bool
) -> None:
    result = traced(model(), spikes(*shape))
    assert result.inputs["input"].shape == (shape[0], steps or 30, 8)
    assert (result.network.steps, result.network.static) == (steps, static)
    assert_same(result, fired=5)


def test_example_input_array_is_read_as_the_forward_takes_it() -> None:
    model = TimeFirst()
    model.example_input_array = torch.from_numpy(spikes(30, 6, 8))
    result = FRONTEND.load(Request(model=model))
    assert result.inputs["input"].shape == (6, 30, 8)
    assert_same(result)


def test_the_model_is_given_back_as_it_was() -> None:
    model = sequential().train()
    model(torch.ones(3, 8))
    before = model[1].mem.clone()
    traced(model, spikes(6, 30, 8))
    assert model.training
    assert torch.equal(model[1].mem, before)


BETWEEN = {
    "conv": (nn.Conv2d(3, 4, 3, padding=1), 256),
    "strided": (nn.Conv2d(3, 6, 3, stride=2, padding=1, dilation=2, groups=3), 54),
    "same": (nn.Conv2d(3, 4, 4, padding="same"), 256),
    "transposed": (nn.ConvTranspose2d(3, 2, 2, stride=2), 512),
    "average": (nn.AvgPool2d(2), 48),
    "average over ceil": (nn.AvgPool2d(3, 2, padding=1, ceil_mode=True), 75),
    "average without padding": (nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), 48),
    "adaptive": (nn.AdaptiveAvgPool2d(4), 48),
    "adaptive uneven": (nn.AdaptiveAvgPool2d(3), 27),
    "adaptive one": (nn.AdaptiveAvgPool2d(1), 3),
    "norm": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), 144),
    "flat": (nn.Sequential(nn.Flatten(), nn.Linear(192, 10)), 10),
    "flat norm": (nn.Sequential(nn.Flatten(), nn.Linear(192, 10), nn.BatchNorm1d(10)), 10),
    "conv1d": (nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 4, 5, stride=3)), 80),
    "last axis": (nn.Linear(8, 5), 120),
    "upsample": (nn.Upsample(scale_factor=2), 768),
    "dropout": (nn.Sequential(nn.Dropout(0.5), nn.Identity(), nn.Conv2d(3, 2, 3)), 72),
    "shuffle": (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.PixelShuffle(2)), 256),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", BETWEEN)
def test_linear_layers_between_neurons_are_taken_over(name: str) -> None:
    between, size = BETWEEN[name]
    for part in between.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()  # under the seed
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.uniform_(-0.2, 0.2)
            part.running_var.uniform_(0.3, 0.5)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, 0, 0.3)
    assert_same(traced(Features(between, size), spikes(5, 30, 3, 8, 8)), fired=2)


def residual(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    a = m.lif1(m.fc1(x))
    return m.lif2(m.fc2(a) + a)


def recurrent(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    return m.lif2(m.fc2(m.lif1(m.fc1(x) + m.back(last))))


def arithmetic(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    a = m.lif1(2 * m.fc1(x) / 1.5 - 0.1)
    b = m.fc2(a)
    b += 0.3
    b *= torch.linspace(0.5, 1.5, 8)
    return m.lif2(0.1 - (-b) - a[:, [3, 1, 2, 0, 7, 6, 5, 4]])


def reshaped(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    a = m.lif1(m.fc1(x))
    b = a.view(-1, 2, 4).transpose(1, 2).reshape(-1, 8)
    c = torch.cat([b[:, 4:], a[:, :4]], dim=1)
    d = torch.stack(torch.chunk(c, 2, dim=1), dim=2).permute(0, 2, 1).flatten(1)
    return m.lif2(m.fc2(d.unsqueeze(1).squeeze(1)) + d.roll(1, dims=1))


def masked(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    weight = m.fc2.weight * (m.fc2.weight > 0)
    return m.lif2(nn.functional.linear(m.lif1(m.fc1(x)), weight))


@pytest.mark.parametrize("step", [residual, recurrent, arithmetic, reshaped, masked])
def test_arithmetic_and_reshapes_between_neurons_are_taken_over(step: object) -> None:
    assert_same(traced(Loop(step), spikes(6, 30, 8)))


def test_spikes_of_the_step_before_are_a_projection_with_delay() -> None:
    network = traced(Loop(recurrent), spikes(6, 30, 8)).network
    assert [(p.source, p.delay) for p in network.incoming("lif1")] == [("input", 0), ("lif2", 1)]
    assert "lif2 -> lif1 delay 1: dense 8 to 8, 64 weights" in to_text(network)


def test_layers_over_the_whole_series_before_the_loop_are_followed() -> None:
    class Whole(TimeFirst):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            current, spikes = self.fc1(x.flatten(0, 1)).unflatten(0, x.shape[:2]), []
            mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
            for values in current:
                spk, mem1 = self.lif1(values, mem1)
                spikes.append(spk)
            out = []
            for values in self.fc2(torch.stack(spikes)).unbind(0):
                spk, mem2 = self.lif2(values, mem2)
                out.append(spk)
            return torch.stack(out, 1).mean(1)

    assert_same(traced(Whole(), spikes(6, 30, 8)))


def test_a_linear_layer_at_the_end_is_an_integrator_without_memory() -> None:
    class Summed(BatchFirst):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            total = 0
            for t in range(x.shape[1]):
                total = total + self.fc2(self.lif1(self.fc1(x[:, t])))
            return torch.softmax(total / x.shape[1], 1)

    model = Summed()
    result = traced(model, spikes(6, 30, 8))
    assert [(o.population, o.variable) for o in result.network.outputs] == [("fc2", "v")]
    found = run(result.network, result.inputs).records["fc2"]["v"].sum(1)
    wanted = model(torch.from_numpy(spikes(6, 30, 8))).detach()
    assert torch.allclose(torch.softmax(torch.from_numpy(found), 1), wanted, atol=1e-5)
    assert result.network.notes[0].startswith("the output is taken before")


def test_steps_written_into_a_tensor_are_followed() -> None:
    class Written(TimeFirst):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
            hidden, out = torch.zeros(len(x), x.size(1), 12), torch.zeros(x.size(1), len(x), 5)
            for step in range(len(x)):
                hidden[step], mem1 = self.lif1(self.fc1(x[step]), mem1)
                out[:, step], mem2 = self.lif2(self.fc2(hidden[step]), mem2)
            return out

    result = traced(Written(), spikes(6, 30, 8))
    assert [(o.population, o.variable) for o in result.network.outputs] == [("lif2", "spikes")]
    assert_same(result)
