"""Train a convolutional snnTorch network on MNIST, with weights of 32, 4 or 2 bits (Brevitas)."""

from __future__ import annotations

import snntorch
import torch
from torch import nn

try:
    from few_bits import conv, linear
    from mnist_training import Course, main
    from training import surrogate_gradient
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.few_bits import conv, linear
    from nmcompile_examples.mnist_training import Course, main
    from nmcompile_examples.training import surrogate_gradient

STEPS = 8


class MnistConvNet(nn.Module):
    """Three convolutions of leaky neurons; the picture comes in each step, membranes decide."""

    def __init__(self, bits: int | None = None) -> None:
        super().__init__()
        neuron = {"beta": 0.9, "reset_mechanism": "zero", "spike_grad": surrogate_gradient}
        self.conv1 = conv(bits, 1, 16, stride=2)
        self.lif1 = snntorch.Leaky(**neuron)
        self.conv2 = conv(bits, 16, 32, stride=2)
        self.lif2 = snntorch.Leaky(**neuron)
        self.conv3 = conv(bits, 32, 32)
        self.lif3 = snntorch.Leaky(**neuron)
        self.fc = linear(bits, 32 * 7 * 7, 10)
        self.readout = snntorch.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mean membranes of the output, (samples, 10), for pictures (samples, 1, 28, 28)."""
        layers = (self.lif1, self.lif2, self.lif3, self.readout)
        mem1, mem2, mem3, mem4 = (layer.init_leaky() for layer in layers)
        current, membranes = self.conv1(x), []
        for _ in range(STEPS):
            spk1, mem1 = self.lif1(current, mem1)
            spk2, mem2 = self.lif2(self.conv2(spk1), mem2)
            spk3, mem3 = self.lif3(self.conv3(spk2), mem3)
            _, mem4 = self.readout(self.fc(spk3.flatten(1)), mem4)
            membranes.append(mem4)
        return torch.stack(membranes).mean(0)


class MnistConvNet4(MnistConvNet):
    """With weights of 4 bits."""

    def __init__(self) -> None:
        super().__init__(bits=4)


class MnistConvNet2(MnistConvNet):
    """With weights of 2 bits: -1, 0 and 1 times the step of their layer."""

    def __init__(self) -> None:
        super().__init__(bits=2)


NETS: dict[int, type[MnistConvNet]] = {32: MnistConvNet, 4: MnistConvNet4, 2: MnistConvNet2}
COURSES = {
    32: Course(epochs=20, learning_rate=3e-3), 4: Course(epochs=6, learning_rate=3e-4),
    2: Course(epochs=6, learning_rate=1e-3)}


def as_planes(pictures: torch.Tensor) -> torch.Tensor:
    """(samples, 1, 28, 28) of (samples, 784)."""
    return pictures.reshape(-1, 1, 28, 28)


if __name__ == "__main__":
    main(__doc__, "mnist_conv", NETS, courses=COURSES, shift=2, prepared=as_planes)
