"""Train a small convolutional snnTorch network on scikit-learn's digits."""

from __future__ import annotations

import argparse
from pathlib import Path

import snntorch
import torch
from torch import nn

try:
    from training import accuracy, save, surrogate_gradient, train
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.training import accuracy, save, surrogate_gradient, train


class DigitsNet(nn.Module):
    """Digits of 8x8 pixels, the same picture in each of `num_steps` steps."""

    def __init__(self, num_steps: int = 20) -> None:
        super().__init__()
        self.num_steps = num_steps
        neuron = {"beta": 0.9, "reset_mechanism": "zero", "spike_grad": surrogate_gradient}
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.lif1 = snntorch.Leaky(**neuron)
        self.pool1 = nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.lif2 = snntorch.Leaky(**neuron, learn_beta=True)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(32 * 4 * 4, 10)
        self.lif3 = snntorch.Leaky(**neuron)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output spikes and membranes, (steps, samples, 10), for pictures (samples, 1, 8, 8)."""
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        spikes, membranes = [], []
        for _ in range(self.num_steps):
            spk1, mem1 = self.lif1(self.norm1(self.conv1(x)), mem1)
            spk2, mem2 = self.lif2(self.conv2(self.pool1(spk1)), mem2)
            spk3, mem3 = self.lif3(self.fc(self.flatten(spk2)), mem3)
            spikes.append(spk3)
            membranes.append(mem3)
        return torch.stack(spikes), torch.stack(membranes)


def digits() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Stratified train and test splits; pixels 0..16 as multiples of 1/16."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32").reshape(-1, 1, 8, 8)
    parts = train_test_split(x, y, test_size=1 / 3, random_state=0, stratify=y)
    x_train, x_test, y_train, y_test = map(torch.as_tensor, parts)
    return {"train": (x_train, y_train), "test": (x_test, y_test)}


def main() -> None:
    """Train, report the accuracy on the test split, and write the model and its data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    torch.manual_seed(0)
    data = digits()
    model = DigitsNet()
    train(model, *data["train"], epochs=options.epochs, learning_rate=4e-3)
    print(f"test accuracy {100 * accuracy(model, *data['test']):.2f} %")
    x, y = data["train"]
    model.example_input_array = x[:32].clone()
    save(model, options.output, "digits", {"test": data["test"], "calibration": (x[:256], y[:256])})


if __name__ == "__main__":
    main()
