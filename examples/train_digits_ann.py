"""Train an ordinary convolutional network on the digits, to be converted to spikes."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

try:
    from train_digits import digits
    from training import save
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.train_digits import digits
    from nmcompile_examples.training import save


class DigitsAnn(nn.Module):
    """ReLU, batch normalisation, max pooling and a residual sum, for digits of 8x8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.pool, self.relu = nn.MaxPool2d(2), nn.ReLU()
        self.conv2, self.norm2 = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.fc = nn.Linear(16 * 2 * 2, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (samples, 10) for pictures (samples, 1, 8, 8)."""
        x = self.pool(self.relu(self.norm1(self.conv1(x))))
        x = self.relu(x + self.norm2(self.conv2(x)))
        return self.fc(nn.functional.avg_pool2d(x, 2).flatten(1))


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    """Minimise the cross entropy of the scores with Adam."""
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimiser.step()
    model.eval()


def main() -> None:
    """Train, report the accuracy on the test split, and write the model and its data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("digits_ann"))
    parser.add_argument("--epochs", type=int, default=25)
    options = parser.parse_args()
    torch.manual_seed(0)
    data = digits()
    model = DigitsAnn()
    train(model, *data["train"], epochs=options.epochs)
    x, y = data["test"]
    with torch.no_grad():
        right = (model(x).argmax(1) == y).float().mean()
    print(f"test accuracy {100 * right:.2f} %")
    x, y = data["train"]
    save(model, options.output, "digits_ann",
         {"test": data["test"], "calibration": (x[:256], y[:256])})


if __name__ == "__main__":
    main()
