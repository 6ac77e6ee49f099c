"""Models that NeuroBench's harness and ours both count; torch and snnTorch alone are imported."""

from __future__ import annotations

import snntorch
import torch
from torch import nn


class ConvSpikes(nn.Module):
    """Convolutions with strides over frames of spikes, half of the first kernel's weights 0."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 6, 3, stride=2, padding=1)
        self.lif1 = snntorch.Leaky(beta=0.8, threshold=0.5)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1, groups=2)
        self.lif2 = snntorch.Leaky(beta=0.9, threshold=0.4, reset_mechanism="zero")
        self.fc = nn.Linear(8 * 5 * 5, 4)
        self.lif3 = snntorch.Leaky(beta=0.9, threshold=0.6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mem1, mem2, mem3 = (lif.reset_mem() for lif in (self.lif1, self.lif2, self.lif3))
        spikes, membranes = [], []
        for step in range(x.size(0)):
            spk, mem1 = self.lif1(self.conv1(x[step]), mem1)
            spk, mem2 = self.lif2(self.conv2(spk), mem2)
            spk, mem3 = self.lif3(self.fc(spk.flatten(1)), mem3)
            spikes.append(spk)
            membranes.append(mem3)
        return torch.stack(spikes), torch.stack(membranes)


class Recurrent(nn.Module):
    """Spiking neurons with all-to-all recurrence, on real values of which many are 0."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(9, 14)
        self.lif1 = snntorch.RLeaky(beta=0.85, threshold=0.6, linear_features=14)
        self.fc2 = nn.Linear(14, 5)
        self.lif2 = snntorch.Leaky(beta=0.85, threshold=0.4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        spk, mem = self.lif1.reset_mem()
        out_mem = self.lif2.reset_mem()
        spikes, membranes = [], []
        for step in range(x.size(0)):
            spk, mem = self.lif1(self.fc1(x[step]), spk, mem)
            out, out_mem = self.lif2(self.fc2(spk), out_mem)
            spikes.append(out)
            membranes.append(out_mem)
        return torch.stack(spikes), torch.stack(membranes)


class Perceptron(nn.Module):
    """An ordinary network of ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 16), nn.ReLU(),
                                 nn.Linear(16, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)
