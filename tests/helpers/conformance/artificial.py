"""Networks of activations: what plain torch users write."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from helpers.conformance.rows import Row, loop


class Function(nn.Module):
    """A module of `function`."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def mlp(*activations: nn.Module) -> nn.Module:
    """Linear layers with one of `activations` behind each but the last."""
    layers: list[nn.Module] = []
    for activation in activations:
        layers += [nn.Linear(12 if layers else 8, 12), activation]
    return nn.Sequential(*layers, nn.Linear(12, 5))


def cnn(pool: nn.Module, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), activation(), pool,
        nn.Conv2d(4, 6, 3, padding=1), activation(), nn.AvgPool2d(2), nn.Flatten(),
        nn.LazyLinear(5))


class Residual(nn.Module):
    """A block whose one ReLU runs twice, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        self.down, self.relu = nn.Conv2d(2, 4, 1, 2), nn.ReLU(inplace=True)
        self.fc = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out = self.relu(hidden + self.down(x))
        return functional.log_softmax(self.fc(out.mean((2, 3))), dim=1)


def initialised(make: Callable[[], nn.Module], *shape: int) -> nn.Module:
    """A module whose lazy layers have seen an input of `shape`."""
    model = make().eval()
    model(torch.zeros(2, *shape))
    return model


def row(construct: str, make: Callable[[], nn.Module], shape: tuple[int, ...] = (8,)) -> Row:
    return Row("torch", construct, partial(initialised, make, *shape), shape, steps=0,
               spread=2.5, mean=0.3)


IMAGE = (2, 8, 8)
ROWS = (
    row("ReLU as module, function and in place", partial(
        mlp, nn.ReLU(), Function(functional.relu), Function(torch.relu_))),
    row("ReLU6, Hardtanh, Hardsigmoid", partial(
        mlp, nn.ReLU6(), nn.Hardtanh(-0.5, 0.8), nn.Hardsigmoid())),
    row("clamp of both sides and of one", partial(
        mlp, Function(lambda x: x.clamp(0, 0.7)), Function(lambda x: x.clamp(min=0.2)),
        Function(lambda x: x.clamp(0.1, 0.9)))),
    row("LeakyReLU, PReLU for each neuron, abs", partial(
        mlp, nn.LeakyReLU(0.1), nn.PReLU(12), Function(torch.abs))),
    row("maximum and minimum of two layers", partial(
        mlp, Function(lambda x: torch.maximum(x, x.flip(1))),
        Function(lambda x: torch.minimum(x.relu(), x.roll(1, 1))))),
    row("Conv2d, BatchNorm2d, MaxPool2d", partial(cnn, nn.MaxPool2d(2)), IMAGE),
    row("MaxPool2d that overlaps, padded", partial(cnn, nn.MaxPool2d(3, 2, 1)), IMAGE),
    row("MaxPool2d of values below 0", partial(cnn, nn.MaxPool2d(2), nn.Hardtanh), IMAGE),
    row("AdaptiveMaxPool2d", partial(cnn, nn.AdaptiveMaxPool2d(4)), IMAGE),
    row("residual block, one ReLU module for two layers, log_softmax", Residual, IMAGE),
    Row("torch", "ReLU between snnTorch's neurons", partial(
        loop, lambda m, x: m.lif2(m.fc2(torch.relu(m.fc1(m.lif1(x)[0]))))[0],
        fc1=nn.Linear(8, 12), fc2=nn.Linear(12, 8),
        lif1=snn.Leaky(beta=0.8, init_hidden=False), lif2=snn.Leaky(beta=0.8))),
)
