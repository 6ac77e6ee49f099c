"""Train a fully connected snnTorch network on MNIST digits from a given .npz file."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import snntorch
import torch
from torch import nn

try:
    from training import accuracy, save, surrogate_gradient, train
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.training import accuracy, save, surrogate_gradient, train

TRAINING = 8000
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


class MnistNet(nn.Module):
    """784-256-10 leaky neurons with snnTorch's own reset (by subtraction), constant pixels."""

    def __init__(self, num_steps: int = 25) -> None:
        super().__init__()
        self.num_steps = num_steps
        self.fc1 = nn.Linear(784, 256)
        self.lif1 = snntorch.Leaky(beta=0.9, spike_grad=surrogate_gradient)
        self.fc2 = nn.Linear(256, 10)
        self.lif2 = snntorch.Leaky(beta=0.9, spike_grad=surrogate_gradient)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output spikes and membranes, (steps, samples, 10), for pixels (samples, 784)."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(self.num_steps):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes), torch.stack(membranes)


def mnist(path: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Shuffled train and test splits of a file with `images` (n, 28, 28) and `labels`."""
    if not path.is_file():
        raise SystemExit(f"{path}: there is no such file")
    with np.load(path) as file:
        images, labels = file["images"], file["labels"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    x = torch.as_tensor(images[order].reshape(-1, 784).astype(np.float32) / 255)
    y = torch.as_tensor(labels[order])
    return {"train": (x[:TRAINING], y[:TRAINING]), "test": (x[TRAINING:], y[TRAINING:])}


def shifted(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures as they are and moved by one pixel to each side."""
    pictures = x.reshape(-1, 28, 28)
    copies = [pictures.roll(shift, (1, 2)).flatten(1) for shift in SHIFTS]
    return torch.cat(copies), y.repeat(len(SHIFTS))


def main() -> None:
    """Train, report the accuracy on the test split, and write the model and its data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path,
                        help=".npz with images (n, 28, 28) of 0 to 255 and labels")
    parser.add_argument("--output", type=Path, default=Path("mnist"))
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    torch.manual_seed(0)
    data = mnist(options.data)
    model = MnistNet()
    train(model, *shifted(*data["train"]), epochs=options.epochs, batch=128)
    print(f"test accuracy {100 * accuracy(model, *data['test']):.2f} %")
    x, y = data["train"]
    model.example_input_array = x[:32].clone()
    save(model, options.output, "mnist", {"test": data["test"], "calibration": (x[:256], y[:256])})


if __name__ == "__main__":
    main()
