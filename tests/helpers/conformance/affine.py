"""What stands between neurons and is affine, or a function of binary spikes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import snntorch as snn
import torch
from spikingjelly.activation_based import neuron
from torch import nn
from torch.nn import functional

from helpers.conformance.artificial import IMAGE, Function, cnn, mlp
from helpers.conformance.artificial import row as artificial
from helpers.conformance.rows import Row, loop

Between = Callable[[torch.Tensor], torch.Tensor]


def between(function: Between, features: int = 12, threshold: float = 0.6) -> nn.Module:
    """`function` of the spikes of 12 neurons, ahead of a linear layer and neurons."""
    return loop(
        lambda m, x: m.lif2(m.fc2(function(m.lif1(m.fc1(x))).flatten(1))),
        fc1=nn.Linear(8, 12), lif1=snn.Leaky(beta=0.8, init_hidden=True),
        fc2=nn.Linear(features, 5),
        lif2=snn.Leaky(beta=0.7, threshold=threshold, init_hidden=True))


def pooled(pool: nn.Module) -> nn.Module:
    """A convolution, neurons, and `pool` of their spikes."""
    return loop(
        lambda m, x: m.lif2(m.fc(m.pool(m.lif1(m.conv(x))).flatten(1))),
        conv=nn.Conv2d(2, 4, 3, padding=1), lif1=snn.Leaky(beta=0.7, init_hidden=True), pool=pool,
        fc=Function(lambda x: x.view(len(x), -1, 4)[:, :5].sum(2) * 0.4),
        lif2=snn.Leaky(beta=0.6, init_hidden=True))


def written(zeroed: bool) -> Between:
    """A copy with some of its features zeroed, or written over by others."""
    def write(spikes: torch.Tensor) -> torch.Tensor:
        copy = spikes.clone()
        copy[:, :4] = 0 if zeroed else spikes[:, 4:8]
        return copy
    return write


class Delayed(nn.Module):
    """Spikes that reach the next layer three steps later, through a buffer."""

    def __init__(self, rolled: bool) -> None:
        super().__init__()
        self.rolled = rolled
        self.fc1, self.lif1 = nn.Linear(8, 12), snn.Leaky(beta=0.8, init_hidden=True)
        self.fc2, self.lif2 = nn.Linear(12, 5), snn.Leaky(beta=0.7, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        waiting, out = torch.zeros(4, x.shape[1], 12), []
        for values in x:
            spikes = self.lif1(self.fc1(values))
            if self.rolled:
                waiting = torch.roll(waiting, 1, 0)
                waiting[0] = spikes
            else:
                waiting = torch.cat([spikes[None], waiting[:-1]])
            out.append(self.lif2(self.fc2(waiting[-1])))
        return torch.stack(out)


class Collected(nn.Module):
    """Currents of all steps that are added into a tensor of zeros, ahead of the neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, 12), snn.Leaky(beta=0.8, init_hidden=True)
        self.fc2, self.lif2 = nn.Linear(12, 5), snn.Leaky(beta=0.7, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        currents = torch.zeros(len(x), x.shape[1], 5)
        for step, values in enumerate(x):
            currents[step].add_(self.fc2(self.lif1(self.fc1(values))))
        return torch.stack([self.lif2(current) for current in currents])


class TokenMask(nn.Module):
    """The attention of QKFormer or of the spike-driven transformer: a mask of tokens or channels.

    axis  that the spikes of q, or of k and v together, are summed along
    """

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.embed, self.first = nn.Linear(8, 24), neuron.LIFNode(v_threshold=0.6)
        self.q, self.k, self.v = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.lif_q, self.lif_k, self.lif_v = (neuron.LIFNode(v_threshold=0.5) for _ in range(3))
        self.gate, self.last = neuron.LIFNode(v_threshold=0.3), neuron.LIFNode(v_threshold=0.1)
        self.head = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.step(values) for values in x])

    def step(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.first(self.embed(x)).unflatten(1, (6, 4))
        q, k = self.lif_q(self.q(tokens)), self.lif_k(self.k(tokens))
        if self.axis == 2:
            masked = self.gate(q.sum(2, keepdim=True)) * k
        else:
            masked = q.mul(self.gate(k.mul(self.lif_v(self.v(tokens))).sum(1, keepdim=True)))
        return self.last(self.head(masked.flatten(1)))


def convolution(mode: str) -> nn.Module:
    conv = nn.Conv2d(1, 2, 3, padding=1, padding_mode=mode)
    return loop(
        lambda m, x: m.lif2(m.fc2(m.conv(m.lif1(m.fc1(x)).view(-1, 1, 3, 4)).flatten(1))),
        fc1=nn.Linear(8, 12), lif1=snn.Leaky(beta=0.8, init_hidden=True), conv=conv,
        fc2=nn.Linear(24, 5), lif2=snn.Leaky(beta=0.7, threshold=1.0, init_hidden=True))


def padded(mode: str) -> Between:
    return lambda s: functional.pad(s[:, None], (2, 3), mode=mode)


def levels(rounding: Between, count: int) -> Function:
    """QCFS: a ReLU clipped at 1.2, in levels."""
    return Function(lambda x: rounding(torch.clamp(x / 1.2, 0, 1) * count) / count * 1.2)


class Squeezed(nn.Module):
    """A map and its mean over space, which is added everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.conv1(x))
        x = functional.relu(self.conv2(x) + x.mean((2, 3), keepdim=True))
        return self.fc(x.amax((2, 3)))


row = partial(Row, "torch")
SPIKES: dict[str, Between] = {
    "torch.where of spikes and of constants": lambda s: torch.where(s > 0, 0.7, -0.2),
    "torch.where of spikes, their double and one less": lambda s: torch.where(
        s.bool(), s * 2, s - 1),
    "torch.where of three spikes": lambda s: torch.where(s.bool(), s.roll(1, 1), s.flip(1)),
    "spikes as bool, int and long": lambda s: (
        s.bool().float() + s.int().float() * 0.5 + s.long() * 0.2),
    "1 / (1 + s) and 2 / (s + 1)": lambda s: 1 / (1 + s) + torch.div(2.0, s + 1),
    "logical_or, logical_xor": lambda s: (
        torch.logical_or(s > 0, s.roll(1, 1) > 0).float()
        + torch.logical_xor(s, s.roll(2, 1)).float()),
    "logical_and, logical_not": lambda s: torch.logical_and(
        torch.logical_not(s), s.roll(1, 1)).float(),
    "bitwise operators of spikes: or, and, exclusive or, not": lambda s: (
        (s.bool() | s.roll(1, 1).bool()).float() - (s.bool() & ~s.roll(1, 1).bool()).float()
        + (s.bool() ^ s.flip(1).bool()).float()),
    "maximum and minimum of spikes": lambda s: (
        torch.maximum(s, s.roll(1, 1)) + torch.minimum(s, s.flip(1))),
    "masked_fill where no spike is": lambda s: s.masked_fill(s == 0, -0.5),
    "any and all along features": lambda s: torch.cat(
        [s.view(-1, 4, 3).any(2).float(), s.view(-1, 6, 2).all(2).float(), s[:, :2]], 1),
    "amax, max, amin and prod along features": lambda s: torch.cat(
        [s.view(-1, 4, 3).amax(2), s.view(-1, 3, 4).max(2)[0], s.view(-1, 3, 4).amin(1)[:, :3],
         s.view(-1, 2, 6)[..., :2].prod(2)], 1),
    "less the mean of the layer": lambda s: s - s.mean(1, keepdim=True),
    "plus the mean of each channel": lambda s: (
        s.view(-1, 3, 2, 2) + s.view(-1, 3, 2, 2).mean((2, 3), keepdim=True)),
    "AND with one gate for several": lambda s: s.view(-1, 3, 4) * s[:, :3].unsqueeze(-1),
    "features zeroed": written(True),
    "features written over by others": written(False),
}
HIGHER = {"1 / (1 + s) and 2 / (s + 1)": 12.0}

ROWS = (
    *(row(name, partial(between, function, threshold=HIGHER.get(name, 0.6)))
      for name, function in SPIKES.items()),
    *(row(f"F.pad of mode {mode}", partial(between, padded(mode), 17))
      for mode in ("circular", "reflect", "replicate")),
    *(row(f"Conv2d, padding_mode={mode}", partial(convolution, mode))
      for mode in ("circular", "reflect", "replicate")),
    *(row(f"{name} of spikes", partial(pooled, pool), IMAGE) for name, pool in (
        ("MaxPool2d with ceil_mode", nn.MaxPool2d(3, 2, ceil_mode=True)),
        ("MaxPool2d with dilation", nn.MaxPool2d(2, 1, dilation=2)),
        ("uneven AdaptiveMaxPool2d", nn.AdaptiveMaxPool2d((3, 5))),
        ("MaxPool3d", nn.Sequential(nn.Unflatten(1, (1, 4)), nn.MaxPool3d((2, 2, 2)))))),
    row("delay line made by torch.cat", partial(Delayed, False)),
    row("delay line made by torch.roll", partial(Delayed, True)),
    row("steps added into a tensor of zeros", Collected),
    row("attention mask of tokens (QKFormer)", partial(TokenMask, 2)),
    row("attention mask of channels (spike-driven transformer)", partial(TokenMask, 1)),
    *(artificial(f"{name} of activations", partial(cnn, pool), IMAGE) for name, pool in (
        ("MaxPool2d with ceil_mode", nn.MaxPool2d(3, 2, ceil_mode=True)),
        ("uneven AdaptiveMaxPool2d", nn.AdaptiveMaxPool2d((3, 5))),
        ("MaxPool3d", nn.Sequential(nn.Unflatten(1, (1, 4)), nn.MaxPool3d((1, 2, 2)),
                                    nn.Flatten(1, 2))))),
    artificial("MaxPool2d ahead of the ReLU", lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(64, 5)), IMAGE),
    artificial("mean over space added to each place, amax", Squeezed, IMAGE),
    artificial("QCFS: floor(x * L + 0.5) / L, and round", partial(
        mlp, levels(lambda x: torch.floor(x + 0.5), 4), levels(torch.round, 3))),
    artificial("floor and ceil to levels", partial(
        mlp, levels(torch.floor, 5), levels(torch.ceil, 4))),
)
