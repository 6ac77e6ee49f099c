"""Train a fully connected snnTorch network on MNIST, with weights of 32, 4 or 2 bits (Brevitas)."""

from __future__ import annotations

import snntorch
import torch
from torch import nn

try:
    from few_bits import linear
    from mnist_training import Course, main
    from training import surrogate_gradient
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.few_bits import linear
    from nmcompile_examples.mnist_training import Course, main
    from nmcompile_examples.training import surrogate_gradient


class MnistNet(nn.Module):
    """784-256-10 leaky neurons with snnTorch's own reset (by subtraction), constant pixels."""

    def __init__(self, bits: int | None = None, num_steps: int = 25) -> None:
        super().__init__()
        self.num_steps = num_steps
        self.fc1 = linear(bits, 784, 256)
        self.lif1 = snntorch.Leaky(beta=0.9, spike_grad=surrogate_gradient)
        self.fc2 = linear(bits, 256, 10)
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


class MnistNet4(MnistNet):
    """With weights of 4 bits."""

    def __init__(self) -> None:
        super().__init__(bits=4)


class MnistNet2(MnistNet):
    """With weights of 2 bits: -1, 0 and 1 times the step of their layer."""

    def __init__(self) -> None:
        super().__init__(bits=2)


NETS: dict[int, type[MnistNet]] = {32: MnistNet, 4: MnistNet4, 2: MnistNet2}
COURSES = {
    32: Course(epochs=20, learning_rate=2e-3), 4: Course(epochs=10, learning_rate=1e-3),
    2: Course(epochs=10, learning_rate=1e-3)}


if __name__ == "__main__":
    main(__doc__, "mnist", NETS, courses=COURSES)
