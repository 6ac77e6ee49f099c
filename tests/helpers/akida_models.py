"""Torch models that Akida takes, layer kinds and pooling among them, and data for them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SHAPE = (1, 12, 10)


def normed(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with statistics of its own."""
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.running_mean.uniform_(-0.2, 0.2)
        norm.running_var.uniform_(0.5, 2)
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-0.2, 0.4)
    return norm


class Pooled(nn.Module):
    """Convolutions, maxima behind and ahead of the activation, an average behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 6, 3, padding=1, bias=False), normed(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 8, 5, padding=2), normed(8)
        self.conv3, self.fc = nn.Conv2d(8, 9, 1), nn.Linear(9, 4)
        self.pool, self.overlapping = nn.MaxPool2d(2), nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.norm1(self.conv1(x))))
        x = torch.relu(self.overlapping(self.norm2(self.conv2(x))))
        x = torch.relu(self.conv3(x))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Separable(nn.Module):
    """Depthwise and pointwise convolutions, and an average ahead of the activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 5, 7, padding=3)
        self.depth = nn.Conv2d(5, 5, 3, padding=1, groups=5, bias=False)
        self.point, self.norm = nn.Conv2d(5, 8, 1), normed(8)
        self.conv2, self.fc = nn.Conv2d(8, 6, 3, padding=1), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.norm(self.point(self.depth(x))))
        return self.fc(torch.relu(functional.adaptive_avg_pool2d(self.conv2(x), 1)).flatten(1))


class Strided(nn.Module):
    """Strides of two with torch's padding at the input and TensorFlow's behind it, groups,
    dilation, a bounded activation, and a maximum ahead of a fully connected layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=(0, 1))
        self.conv3 = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.fc1, self.fc2 = nn.Linear(32, 9), nn.Linear(9, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(6 * self.conv1(x))
        x = torch.relu(self.conv2(functional.pad(x, (0, 0, 0, 1))))
        x = self.pool(torch.relu(self.conv3(x)))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


class Dense(nn.Module):
    """Fully connected layers on pixels of four bits."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(120, 30), nn.Linear(30, 20), nn.Linear(20, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc3(torch.relu(self.fc2(x)))


class Channels(nn.Module):
    """A convolution on two channels, which the input layer does not take, and an activated end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(x.reshape(-1, 2, 6, 10))))
        return torch.relu(functional.adaptive_avg_pool2d(self.conv2(x), 1)).flatten(1)


class Signal(nn.Module):
    """Convolutions along one axis, and batch normalisation of a fully connected layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(5, 6, 5, padding=2), nn.Conv1d(6, 4, 3, padding=1)
        self.fc1, self.norm, self.fc2 = nn.Linear(4 * 24, 12), nn.BatchNorm1d(12), nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x.reshape(-1, 5, 24)))))
        return self.fc2(torch.relu(self.norm(self.fc1(x.flatten(1)))))


class Unpadded(nn.Module):
    """An input layer without padding, and whole windows of an odd size behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.pool = nn.Conv2d(1, 6, 3), nn.MaxPool2d(2)
        self.conv2, self.fc = nn.Conv2d(6, 8, 3, padding=1), nn.Linear(8 * 12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(x)))
        return self.fc(torch.relu(self.conv2(x)).flatten(1))


MODELS = (Pooled, Separable, Strided, Dense, Channels, Signal, Unpadded)
SHAPES = {Channels: (2, 6, 10), Signal: (5, 24), Unpadded: (1, 11, 9)}  # of data; SHAPE of all others


def made(kind: type[nn.Module]) -> nn.Module:
    """A model with random weights, always the same."""
    torch.manual_seed(0)
    return kind().eval()


def pictures(samples: int, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Values of 0 to 1, a third of them 0."""
    rng = np.random.default_rng(seed)
    values = rng.random((samples, *shape)) * (rng.random((samples, *shape)) < 0.67)
    return values.astype(np.float32)
