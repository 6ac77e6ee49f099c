"""Train the digits network with weights of few bits: quantisation-aware training with Brevitas."""

from __future__ import annotations

import argparse
from pathlib import Path

import brevitas.nn
import snntorch
import torch
from torch import nn

try:
    from train_digits import digits
    from training import accuracy, save, surrogate_gradient, train
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.train_digits import digits
    from nmcompile_examples.training import accuracy, save, surrogate_gradient, train


class QuantisedDigitsNet(nn.Module):
    """Digits of 8x8 pixels in each of `num_steps` steps; weights are integers of `bits`."""

    def __init__(self, bits: int = 4, num_steps: int = 20) -> None:
        super().__init__()
        self.num_steps = num_steps
        neuron = {"beta": 0.9, "reset_mechanism": "zero", "spike_grad": surrogate_gradient}
        weights = {"weight_bit_width": bits}
        self.conv1 = brevitas.nn.QuantConv2d(1, 16, 3, padding=1, **weights)
        self.lif1 = snntorch.Leaky(**neuron)
        self.conv2 = brevitas.nn.QuantConv2d(16, 32, 3, stride=2, padding=1, **weights)
        self.lif2 = snntorch.Leaky(**neuron)
        self.fc = brevitas.nn.QuantLinear(32 * 4 * 4, 10, bias=True, **weights)
        self.lif3 = snntorch.Leaky(**neuron)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output spikes and membranes, (steps, samples, 10), for pictures (samples, 1, 8, 8)."""
        mem1, mem2, mem3 = self.lif1.init_leaky(), self.lif2.init_leaky(), self.lif3.init_leaky()
        spikes, membranes = [], []
        for _ in range(self.num_steps):
            spk1, mem1 = self.lif1(self.conv1(x), mem1)
            spk2, mem2 = self.lif2(self.conv2(spk1), mem2)
            spk3, mem3 = self.lif3(self.fc(spk2.flatten(1)), mem3)
            spikes.append(spk3)
            membranes.append(mem3)
        return torch.stack(spikes), torch.stack(membranes)


def main() -> None:
    """Train, report the accuracy on the test split, and write the model and its data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("digits_qat"))
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    torch.manual_seed(0)
    data = digits()
    model = QuantisedDigitsNet()
    train(model, *data["train"], epochs=options.epochs, learning_rate=4e-3)
    print(f"test accuracy {100 * accuracy(model, *data['test']):.2f} %")
    x, y = data["train"]
    save(model, options.output, "digits_qat",
         {"test": data["test"], "calibration": (x[:256], y[:256])}, whole=False)


if __name__ == "__main__":
    main()
