"""Small snnTorch models of the shapes that people write, for the frontend's tests."""

from __future__ import annotations

import snntorch
import torch
from torch import nn


def neuron(kind: str, size: int = 12, **options: object) -> nn.Module:
    if kind == "Leaky":
        return snntorch.Leaky(**{"beta": 0.85, "threshold": 0.6, **options})
    if kind == "Synaptic":
        return snntorch.Synaptic(**{"alpha": 0.7, "beta": 0.85, "threshold": 0.9, **options})
    return snntorch.RLeaky(
        **{"beta": 0.85, "threshold": 0.6, "linear_features": size, **options})


class TimeFirst(nn.Module):
    """A loop over the first axis, states passed by hand."""

    def __init__(self, kind: str = "Leaky", **options: object) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), neuron(kind, **options)
        self.fc2, self.lif2 = nn.Linear(12, 5), neuron("Leaky")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states, mem = self.lif1.reset_mem(), self.lif2.reset_mem()
        states = states if isinstance(states, tuple) else (states,)
        spikes, membranes = [], []
        for step in range(x.size(0)):
            spk, *states = self.lif1(self.fc1(x[step]), *states)
            out, mem = self.lif2(self.fc2(spk), mem)
            if type(self.lif1).__name__ == "RLeaky":
                states = [spk, *states]
            spikes.append(out)
            membranes.append(mem)
        return torch.stack(spikes), torch.stack(membranes)


class BatchFirst(nn.Module):
    """A loop over the second axis, states kept inside; spikes summed."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), neuron("Leaky", init_hidden=True)
        self.fc2, self.lif2 = nn.Linear(12, 5), neuron("Leaky", init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(self.lif2(self.fc2(self.lif1(self.fc1(x[:, t])))) for t in range(x.shape[1]))


class Static(nn.Module):
    """The same values in each of the model's own steps, with the first layer before the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), neuron("Leaky")
        self.fc2, self.lif2 = nn.Linear(12, 5), neuron("Leaky")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, spikes = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        current = self.fc1(x)
        for _ in range(30):
            spk, mem1 = self.lif1(current, mem1)
            out, mem2 = self.lif2(self.fc2(spk), mem2)
            spikes.append(out)
        return torch.stack(spikes, dim=0)


def sequential(**options: object) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(8, 12), neuron("Leaky", init_hidden=True, **options),
        nn.Linear(12, 5), neuron("Leaky", init_hidden=True, output=True),
    )


class Features(nn.Module):
    """One step: `between` from 3x8x8 to the features of a second neuron; loop over time first."""

    def __init__(self, between: nn.Module, size: int) -> None:
        super().__init__()
        self.lif1, self.between = neuron("Leaky"), between
        self.lif2, self.lif3 = neuron("Leaky", threshold=0.3), neuron("Leaky", threshold=0.1)
        self.fc = nn.Linear(size, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, mem3 = (lif.reset_mem() for lif in (self.lif1, self.lif2, self.lif3))
        spikes = []
        for step in x:
            spk, mem1 = self.lif1(step, mem1)
            spk, mem2 = self.lif2(self.between(spk), mem2)
            spk, mem3 = self.lif3(self.fc(spk.flatten(1)), mem3)
            spikes.append(spk)
        return torch.stack(spikes)


class Loop(nn.Module):
    """A loop over time first of `step(self, x, previous spikes)`, two layers of 8 neurons."""

    def __init__(self, step: object) -> None:
        super().__init__()
        self.step = step
        self.fc1, self.lif1 = nn.Linear(8, 8), neuron("Leaky", init_hidden=True)
        self.fc2, self.lif2 = nn.Linear(8, 8), neuron("Leaky", init_hidden=True)
        self.back = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spk, spikes = torch.zeros(x.size(1), 8), []
        for values in x:
            spk = self.step(self, values, spk)
            spikes.append(spk)
        return torch.stack(spikes)
