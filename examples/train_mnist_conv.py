"""Train a convolutional snnTorch network on MNIST, with weights of 32, 4 or 2 bits (Brevitas)."""

from __future__ import annotations

import argparse
from pathlib import Path

import brevitas.nn
import snntorch
import torch
from torch import nn

try:
    from train_mnist import mnist
    from training import accuracy, save, surrogate_gradient, train
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.train_mnist import mnist
    from nmcompile_examples.training import accuracy, save, surrogate_gradient, train

STEPS = 10
REACH = 2  # pixels by which training pictures are moved


class MnistConvNet(nn.Module):
    """Three convolutions and a readout of leaky neurons; the picture comes in each step."""

    def __init__(self, bits: int | None = None) -> None:
        super().__init__()
        neuron = {"beta": 0.9, "reset_mechanism": "zero", "spike_grad": surrogate_gradient}
        self.conv1 = _conv(bits, 1, 16, 1)
        self.lif1 = snntorch.Leaky(**neuron)
        self.conv2 = _conv(bits, 16, 32, 2)
        self.lif2 = snntorch.Leaky(**neuron)
        self.conv3 = _conv(bits, 32, 32, 2)
        self.lif3 = snntorch.Leaky(**neuron)
        self.fc = (nn.Linear(32 * 7 * 7, 10) if bits is None else
                   brevitas.nn.QuantLinear(32 * 7 * 7, 10, bias=True, weight_bit_width=bits))
        self.lif4 = snntorch.Leaky(**neuron)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Output spikes and membranes, (steps, samples, 10), for pictures (samples, 1, 28, 28)."""
        layers = (self.lif1, self.lif2, self.lif3, self.lif4)
        mem1, mem2, mem3, mem4 = (layer.init_leaky() for layer in layers)
        spikes, membranes = [], []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(self.conv1(x), mem1)
            spk2, mem2 = self.lif2(self.conv2(spk1), mem2)
            spk3, mem3 = self.lif3(self.conv3(spk2), mem3)
            spk4, mem4 = self.lif4(self.fc(spk3.flatten(1)), mem4)
            spikes.append(spk4)
            membranes.append(mem4)
        return torch.stack(spikes), torch.stack(membranes)


class MnistConvNet4(MnistConvNet):
    """With weights of 4 bits."""

    def __init__(self) -> None:
        super().__init__(bits=4)


class MnistConvNet2(MnistConvNet):
    """With weights of 2 bits: -1, 0 and 1 times the step of their layer."""

    def __init__(self) -> None:
        super().__init__(bits=2)


NETS: dict[int, type[MnistConvNet]] = {32: MnistConvNet, 4: MnistConvNet4, 2: MnistConvNet2}


def _conv(bits: int | None, n_in: int, n_out: int, stride: int) -> nn.Module:
    shape = {"kernel_size": 3, "stride": stride, "padding": 1}
    if bits is None:
        return nn.Conv2d(n_in, n_out, **shape)
    conv: nn.Module = brevitas.nn.QuantConv2d(n_in, n_out, weight_bit_width=bits, **shape)
    return conv


def moved(x: torch.Tensor) -> torch.Tensor:
    """Each picture moved by up to REACH pixels to a side, at random."""
    padded = nn.functional.pad(x, (REACH,) * 4)
    rows, columns = torch.randint(0, 2 * REACH + 1, (2, len(x)))
    return torch.stack([picture[:, r : r + 28, c : c + 28]
                        for picture, r, c in zip(padded, rows, columns, strict=True)])


def main() -> None:
    """Train, report the accuracy on the test split, and write the parameters and the data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path,
                        help=".npz with images (n, 28, 28) of 0 to 255 and labels")
    parser.add_argument("--bits", type=int, choices=tuple(NETS), default=32)
    parser.add_argument("--begin", type=Path, help="parameters of the 32-bit network to begin with")
    parser.add_argument("--output", type=Path, default=Path("mnist_conv"))
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    torch.manual_seed(0)
    data = {name: (x.reshape(-1, 1, 28, 28), y) for name, (x, y) in mnist(options.data).items()}
    model = NETS[options.bits]()
    if options.begin:
        model.load_state_dict(torch.load(options.begin), strict=False)
    x, y = data["train"]
    train(model, x, y, epochs=options.epochs, learning_rate=1e-3 if options.begin else 3e-3,
          change=moved)
    print(f"test accuracy {100 * accuracy(model, *data['test']):.2f} %")
    save(model, options.output, f"mnist_conv{options.bits}",
         {"test": data["test"], "calibration": (x[:256], y[:256])}, whole=False)


if __name__ == "__main__":
    main()
