"""snnTorch 1.0."""

from __future__ import annotations

from functools import partial

import snntorch as snn
import torch
from torch import nn

from helpers.conformance.rows import Row

row = partial(Row, "snnTorch")


class Loop(nn.Module):
    """The loop of the tutorials: states made by the neuron and passed by hand."""

    def __init__(self, kind: type[nn.Module], first: float = 0.0, **options: object) -> None:
        super().__init__()
        self.first = first
        self.fc1, self.lif1 = nn.Linear(8, 12), kind(**options)
        self.fc2, self.lif2 = nn.Linear(12, 5), snn.Leaky(beta=0.7, threshold=1.5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states, mem = self.lif1.reset_mem(), self.lif2.reset_mem()
        states = states if isinstance(states, tuple) else (states,)
        if self.first:
            states = tuple(torch.full((x.shape[1], 12), self.first) for _ in states)
            if hasattr(self.lif1, "spk"):
                states = (torch.zeros(x.shape[1], 12), *states[1:])
        spikes, membranes = [], []
        for step in range(x.size(0)):
            given, states = states, None
            spk, *states = self.lif1(self.fc1(x[step]), *given)
            states = [spk, *states] if hasattr(self.lif1, "spk") else states
            out, mem = self.lif2(self.fc2(spk), mem)
            spikes.append(out)
            membranes.append(mem)
        return torch.stack(spikes), torch.stack(membranes)


def sequential(kind: type[nn.Module], **options: object) -> nn.Module:
    """A Sequential with hidden states."""
    return nn.Sequential(nn.Linear(8, 12), kind(init_hidden=True, **options), nn.Linear(12, 5),
                         snn.Leaky(beta=0.85, threshold=0.8, init_hidden=True, output=True))


class BatchFirst(nn.Module):
    """A loop over the second axis, states kept inside; spikes summed."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), snn.Leaky(beta=0.8, init_hidden=True)
        self.fc2, self.lif2 = nn.Linear(12, 5), snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(self.lif2(self.fc2(self.lif1(self.fc1(x[:, t])))) for t in range(x.shape[1]))


class Parallel(nn.Module):
    """LeakyParallel, which takes all steps at once."""

    def __init__(self, own: bool = False, **options: object) -> None:
        super().__init__()
        self.lif1 = snn.LeakyParallel(8, 12, **options)
        self.fc, self.lif2 = nn.Linear(12, 5), snn.Leaky(beta=0.9)
        if own:
            return
        nn.init.uniform_(self.lif1.rnn.weight_ih_l0, -0.3, 0.6)
        if options.get("beta") is None:
            self.lif1.rnn.weight_hh_l0.data = torch.diag(SPREAD)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, out = self.lif2.reset_mem(), []
        for spikes in self.lif1(x):
            spk, mem = self.lif2(self.fc(spikes), mem)
            out.append(spk)
        return torch.stack(out)


class ConvNet(nn.Module):
    """Tutorial 6's convolutional network, with average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3), snn.Leaky(beta=0.9)
        self.conv2, self.lif2 = nn.Conv2d(4, 6, 2), snn.Leaky(beta=0.5)
        self.pool, self.bn = nn.AvgPool2d(2), nn.BatchNorm2d(4)
        self.fc, self.lif3 = nn.Linear(6, 5), snn.Leaky(beta=0.6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, mem3 = (lif.reset_mem() for lif in (self.lif1, self.lif2, self.lif3))
        out = []
        for values in x:
            spk, mem1 = self.lif1(self.bn(self.conv1(values)), mem1)
            spk, mem2 = self.lif2(self.pool(self.conv2(self.pool(spk))), mem2)
            spk, mem3 = self.lif3(self.fc(spk.view(spk.size(0), -1)), mem3)
            out.append(spk)
        return torch.stack(out)


class MaxPooled(nn.Module):
    """Max pooling of spikes, by a module and by a function, of one and of two axes."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(2, 4, 3, padding=1), snn.Leaky(beta=0.7, **options)
        self.conv2, self.lif2 = nn.Conv2d(4, 6, 3, padding=1), snn.Leaky(beta=0.7)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.fc, self.lif3 = nn.Linear(12, 5), snn.Leaky(beta=0.6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, mem3 = (lif.reset_mem() for lif in (self.lif1, self.lif2, self.lif3))
        out = []
        for values in x:
            spk, mem1 = self.lif1(self.conv1(values), mem1)
            spk, mem2 = self.lif2(self.conv2(self.pool(spk)), mem2)
            spk = nn.functional.max_pool2d(spk, 2)
            spk, mem3 = self.lif3(self.fc(nn.functional.max_pool1d(spk.flatten(2), 2).flatten(1)),
                                  mem3)
            out.append(spk)
        return torch.stack(out)


OPTIONS = {
    snn.Leaky: {"beta": 0.8}, snn.Lapicque: {"beta": 0.7, "threshold": 0.25},
    snn.Synaptic: {"alpha": 0.6, "beta": 0.8, "threshold": 1.5},
    snn.RLeaky: {"beta": 0.8, "linear_features": 12},
    snn.RSynaptic: {"alpha": 0.6, "beta": 0.8, "linear_features": 12, "threshold": 1.5},
    snn.Alpha: {"alpha": 0.8, "beta": 0.6, "threshold": 0.3},
}
UNDELAYED = (snn.Leaky, snn.Synaptic, snn.RLeaky)


def each_reset() -> list[Row]:
    rows = []
    for kind, options in OPTIONS.items():
        for reset in ("subtract", "zero", "none"):
            higher = 2.5 if reset == "none" else 1.0
            chosen = {**options, "threshold": higher * options.get("threshold", 1.0)}
            rows.append(row(f"{kind.__name__}, reset {reset}", partial(
                Loop, kind, reset_mechanism=reset, **chosen)))
            if kind in UNDELAYED:
                rows.append(row(f"{kind.__name__}, reset {reset}, reset_delay=False", partial(
                    Loop, kind, reset_mechanism=reset, reset_delay=False, **chosen)))
    return rows


SPREAD = torch.linspace(0.2, 0.95, 12)

ROWS = (
    *each_reset(),
    *(row(f"{kind.__name__}, hidden states in a Sequential", partial(
        sequential, kind, **options)) for kind, options in OPTIONS.items()),
    *(row(f"{kind.__name__}, states passed by hand, from 0.3", partial(
        Loop, kind, 0.3, **OPTIONS[kind])) for kind in OPTIONS),
    row("Leaky, learned beta and threshold for each neuron", partial(
        Loop, snn.Leaky, beta=SPREAD, learn_beta=True, threshold=SPREAD + 0.2,
        learn_threshold=True)),
    row("Leaky, graded_spikes_factor", partial(
        Loop, snn.Leaky, beta=0.8, graded_spikes_factor=0.7)),
    row("Lapicque, R, C and time_step", partial(
        Loop, snn.Lapicque, R=2.0, C=3.0, time_step=0.9, threshold=0.4)),
    row("RLeaky, one to one", partial(
        Loop, snn.RLeaky, beta=0.8, all_to_all=False, V=SPREAD)),
    row("RSynaptic, one to one", partial(
        Loop, snn.RSynaptic, alpha=0.5, beta=0.8, all_to_all=False, V=0.3, threshold=1.5)),
    row("LeakyParallel", partial(Parallel, beta=0.8, threshold=1.5)),
    row("LeakyParallel, weights of its own", partial(Parallel, threshold=2.0, bias=False)),
    row("LeakyParallel, the constructor's own weights, some below 0", partial(
        Parallel, own=True, threshold=0.2)),
    row("batch first, spikes summed", BatchFirst),
    row("Conv2d, BatchNorm2d, AvgPool2d in a class with a loop", ConvNet, (2, 8, 8)),
    row("MaxPool2d, max_pool2d and max_pool1d of spikes", MaxPooled, (2, 8, 8)),
    row("MaxPool2d of graded spikes", partial(MaxPooled, graded_spikes_factor=0.4), (2, 8, 8)),
)
