"""Kernels in time: delays as convolutions over the steps, learned ones by DCLS among them."""

from __future__ import annotations

from functools import partial

import torch
from DCLS.construct.modules import Dcls1d
from spikingjelly.activation_based import layer, neuron
from torch import nn
from torch.nn import functional

from helpers.conformance.rows import Row

LENGTH = 6  # of a kernel, in steps


class Delayed(nn.Module):
    """Spikes through `kernel`, which sees the steps as its axis of space and the past only.

    As in Hammouamri et al. 2023 (arXiv 2306.17670): (steps, samples, neurons) with zeros in front.
    """

    def __init__(self, kernel: nn.Module, n: int = 8) -> None:
        super().__init__()
        self.stem, self.sn0 = layer.Linear(8, n, step_mode="m"), neuron.IFNode(step_mode="m")
        self.kernel, self.sn1 = kernel, neuron.LIFNode(tau=2.0, v_threshold=0.5, step_mode="m")
        self.head, self.sn2 = layer.Linear(8, 5, step_mode="m"), neuron.IFNode(step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.sn0(self.stem(x)).permute(1, 2, 0)
        late = self.kernel(functional.pad(spikes, (LENGTH - 1, 0)))
        return self.sn2(self.head(self.sn1(late.permute(2, 0, 1))))


class Ring(nn.Module):
    """Spikes through a buffer of the last steps, which torch.roll moves on: three steps late."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.sn0 = nn.Linear(8, 8), neuron.IFNode()
        self.head, self.sn1 = nn.Linear(8, 5), neuron.LIFNode(tau=2.0, v_threshold=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        buffer, spikes = torch.zeros(4, x.shape[1], 8), []
        for step in x:
            buffer = torch.roll(buffer, 1, 0)
            buffer[0] = self.sn0(self.stem(step))
            spikes.append(self.sn1(self.head(buffer[-1])))
        return torch.stack(spikes)


def dcls(version: str) -> nn.Module:
    """One learned delay for each synapse."""
    kernel = Dcls1d(8, 8, kernel_count=1, groups=1, dilated_kernel_size=LENGTH, bias=False,
                    version=version)
    nn.init.uniform_(kernel.weight, 0.0, 0.5)
    nn.init.uniform_(kernel.P, -LENGTH / 2, LENGTH / 2)
    if version != "v1":
        nn.init.constant_(kernel.SIG, 0.23)
    return Delayed(kernel)


row = partial(Row, "DCLS")
ROWS = (
    Row("torch", "Conv1d over the steps", lambda: Delayed(nn.Conv1d(8, 8, LENGTH, bias=False))),
    Row("torch", "Conv1d over the steps, dilated, of each channel",
        lambda: Delayed(nn.Conv1d(8, 8, 2, groups=8, dilation=LENGTH - 1, bias=True))),
    Row("torch", "a buffer of steps, torch.roll", Ring),
    *(row(f"Dcls1d, version {version}", partial(dcls, version))
      for version in ("v1", "max", "gauss")),
)
