"""What the traced sample does not show: the network is the model on other data too, or refused."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import snntorch
import torch
from helpers.conformance.rows import loop
from torch import nn
from torch.nn import functional

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import run

SILENT = np.zeros((6, 20, 8), np.float32)
SPIKES = (np.random.default_rng(0).random((6, 20, 8)) < 0.5).astype(np.float32)
LONGER = (np.random.default_rng(1).random((6, 60, 8)) < 0.5).astype(np.float32)
Between = Callable[[torch.Tensor], torch.Tensor]


def model(between: Between, bias: float = -0.1) -> nn.Module:
    """8 inputs, 12 neurons, `between`, a layer and 5 neurons; silent where the input is."""
    torch.manual_seed(1)
    made = loop(lambda m, x: m.lif2(m.fc2(between(m.lif1(m.fc1(x))))),
                fc1=nn.Linear(8, 12), lif1=snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True),
                fc2=nn.Linear(12, 5), lif2=snntorch.Leaky(beta=0.9, threshold=0.3, init_hidden=True))
    nn.init.constant_(made.fc1.bias, bias)
    return made.eval()


def spikes_on(made: nn.Module, sample: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the network of `sample` and the model give for `data`, (samples, steps, 5)."""
    network = FRONTEND.load(Request(model=made, sample=sample)).network
    found = run(network, {network.inputs[0].name: data}).records["lif2"]["spikes"]
    for module in made.modules():
        if isinstance(module, snntorch.Leaky):
            module.reset_mem()
    with torch.no_grad():
        wanted = made(torch.from_numpy(data.swapaxes(0, 1).copy())).numpy().swapaxes(0, 1)
    return found, wanted


def refused(made: nn.Module, sample: np.ndarray) -> str:
    with pytest.raises(NmcError) as error:
        FRONTEND.load(Request(model=made, sample=sample))
    return str(error.value)


def added(spikes: torch.Tensor) -> torch.Tensor:
    both = torch.zeros(2, *spikes.shape)
    both[1].add_(spikes)
    return both[1]


def scaled_sum(spikes: torch.Tensor) -> torch.Tensor:
    both = torch.zeros(2, *spikes.shape)
    torch.add(spikes, spikes, out=both[0])
    return both.sum(0)


def in_constant_integers(spikes: torch.Tensor) -> torch.Tensor:
    return torch.full(spikes.shape, 2).mul_(spikes.long()).float()


def filled(spikes: torch.Tensor) -> torch.Tensor:
    return torch.zeros(2, *spikes.shape)[0].masked_fill_(spikes > 0, 1.0)


@pytest.mark.parametrize("between", [in_constant_integers, filled])
def test_a_constant_that_spikes_change_in_place_is_changed_once(between: Between) -> None:
    found, wanted = spikes_on(model(between), SPIKES, LONGER)
    assert wanted.sum() > 20
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("between", [added, scaled_sum, copy.copy, lambda s: s.data])
def test_spikes_that_a_silent_sample_hides_are_followed(between: Between) -> None:
    found, wanted = spikes_on(model(between), SILENT, LONGER)
    assert wanted.sum() > 20
    assert np.array_equal(found, wanted)


def in_one_call(spikes: torch.Tensor) -> torch.Tensor:
    total = torch.zeros_like(spikes)
    torch._foreach_add_([total], [spikes])
    return total


@pytest.mark.parametrize(("between", "text"), [
    (lambda s: torch.from_numpy(s.numpy() * 2), "numpy: its values leave torch"),
    (lambda s: torch.tensor(s.tolist()), "tolist: its values leave torch"),
    (copy.deepcopy, "deepcopy: its values leave torch"),
    (in_one_call, "foreach_add: it changes a tensor in place"),
    (torch.log, "log: it is not finite for a spike or without one"),
])
def test_what_would_come_back_as_a_constant_of_a_silent_sample_is_refused(
    between: Between, text: str
) -> None:
    assert text in refused(model(between), SILENT)


@pytest.mark.parametrize("function", [
    lambda x: functional.threshold(x, -20.0, 0.0), lambda x: torch.fmax(x, torch.tensor(-20.0)),
    lambda x: torch.fmod(x, 30.0), lambda x: x + functional.softshrink(x, 25.0),
    lambda x: x - functional.hardshrink(x, 25.0),
])
def test_what_is_linear_for_small_values_only_is_refused(function: Between) -> None:
    made = loop(lambda m, x: m.lif2(function(m.fc(x))), fc=nn.Linear(8, 5),
                lif2=snntorch.Leaky(beta=0.9, init_hidden=True))
    assert "it is not linear" in refused(made, SPIKES)


def test_noise_that_is_drawn_in_each_run_is_refused() -> None:
    noise: list[torch.Tensor] = []

    def noisy(spikes: torch.Tensor) -> torch.Tensor:
        noise.append(noise[0] if noise else torch.randn(12))
        return spikes + noise[0]

    assert "randn: numbers that are drawn anew in each run" in refused(model(noisy), SPIKES)


def test_membranes_that_are_rounded_to_whole_numbers_are_refused() -> None:
    class Rounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif = snntorch.Leaky(beta=0.9)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mem, found = self.lif.reset_mem(), torch.zeros(x.shape, dtype=torch.int64)
            for step, values in enumerate(x):
                _, mem = self.lif(values, mem)
                found[step] = mem
            return found

    assert "copy: values are rounded to torch.int64" in refused(Rounded(), SPIKES)


class Carried(nn.Module):
    """Spikes that reach the second layer as `carry` makes them of these and of what it gave."""

    def __init__(self, carry: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.carry, self.fc1, self.fc2 = carry, nn.Linear(8, 12), nn.Linear(12, 5)
        self.lif1 = snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True)
        self.lif2 = snntorch.Leaky(beta=0.9, threshold=0.3, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total, found = torch.zeros(x.shape[1], 12), []
        for values in x:
            total = self.carry(total, self.lif1(self.fc1(values)))
            found.append(self.lif2(self.fc2(0.1 * total)))
        return torch.stack(found)


@pytest.mark.parametrize("carry", [lambda total, s: total + s, lambda total, s: 0.8 * total + s])
def test_a_sum_over_all_steps_goes_on_in_a_longer_run(carry: object) -> None:
    found, wanted = spikes_on(Carried(carry), SPIKES, LONGER)
    assert wanted[:, 20:].sum() > 20
    assert np.array_equal(found, wanted)


def test_a_sample_as_short_as_the_memory_of_the_model_is_refused() -> None:
    made = Carried(lambda total, s: 0.8 * total + s)
    assert refused(made, SPIKES[:, :3]) == (
        "lif2: in the last of 3 steps it takes what lif1 gave in the first, and may take more of "
        "it in a longer run. Give a sample of more steps than the model looks back.")
    assert refused(made, SPIKES[:, :1]) == (
        "sample: its one step does not show what the model carries from step to step. Give a "
        "sample of more steps.")


def test_a_kernel_over_more_steps_than_the_sample_has_is_refused() -> None:
    class Kernel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(8, 5, 3, dilation=12)
            self.lif = snntorch.Leaky(beta=0.9, init_hidden=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            current = self.conv(functional.pad(x.permute(1, 2, 0), (24, 0))).permute(2, 0, 1)
            return torch.stack([self.lif(values) for values in current])

    assert "a kernel that reaches beyond the sample's 20 steps" in refused(Kernel(), SPIKES)
