"""What the libraries' own exporters fail on, where no other table has it."""

from __future__ import annotations

from functools import partial

import sinabs.layers as sl
import snntorch as snn
import torch
from sinabs.activation import SingleSpike
from torch import nn

from helpers.conformance.rows import Row


class Padded(nn.Module):
    """Average pooling with padding, counted or not, and batch normalisation ahead of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.lif1 = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), snn.Leaky(beta=0.8)
        self.pool = nn.Sequential(nn.AvgPool2d(3, 2, padding=1), nn.AvgPool2d(
            2, 1, padding=1, count_include_pad=False))
        self.fc, self.lif2 = nn.Linear(64, 5), snn.Leaky(beta=0.7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for values in x:
            spk, mem1 = self.lif1(self.bn(self.conv(values)), mem1)
            spk, mem2 = self.lif2(self.fc(self.pool(spk).flatten(1)), mem2)
            out.append(spk)
        return torch.stack(out)


class Joined(nn.Module):
    """torch.add, torch.cat and flatten between layers, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 6), snn.Leaky(beta=0.8)
        self.twice, self.lif2 = nn.Linear(6, 6), snn.Leaky(beta=0.6)
        self.fc3, self.lif3 = nn.Linear(12, 5), snn.Leaky(beta=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, mem3 = (lif.reset_mem() for lif in (self.lif1, self.lif2, self.lif3))
        out = []
        for values in x:
            spk1, mem1 = self.lif1(self.fc1(values), mem1)
            spk2, mem2 = self.lif2(self.twice(spk1), mem2)
            both = torch.cat([torch.add(spk1, spk2), self.twice(spk2)], dim=1)
            spk3, mem3 = self.lif3(self.fc3(both.reshape(-1, 3, 4).flatten(1)), mem3)
            out.append(spk3)
        return torch.stack(out)


def pooled() -> nn.Module:
    """Sinabs with average pooling and batch normalisation."""
    iaf = partial(sl.IAFSqueeze, batch_size=1, spike_fn=SingleSpike)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), iaf(), nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 2), nn.BatchNorm2d(6), iaf(), nn.Flatten(), nn.Linear(24, 5), iaf())


IMAGE = (2, 8, 8)
ROWS = (
    Row("snnTorch", "AvgPool2d with padding, BatchNorm2d", Padded, IMAGE),
    Row("snnTorch", "torch.add, torch.cat, flatten, a layer used twice", Joined),
    Row("Sinabs", "AvgPool2d, BatchNorm2d, IAFSqueeze", pooled, IMAGE),
)
