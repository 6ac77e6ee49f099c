"""Train a Rockpool network of Xylo's size on MNIST, the rows of a digit one after the other."""

from __future__ import annotations

import numpy as np
import rockpool.nn.modules as rockpool
import torch
from rockpool.nn.modules.torch.lif_torch import PeriodicExponential
from rockpool.parameters import Constant
from torch import nn

try:
    from few_bits import linear
    from mnist_training import Course, main
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.few_bits import linear
    from nmcompile_examples.mnist_training import Course, main

SIDE = 16  # channels of Xylo, and rows
REPEATS = 2  # steps that a row lasts
MOST = 4  # spikes of a white pixel in a step
HIDDEN = 128  # neurons that inputs reach, and that outputs listen to, at most
FACTORS = (0.5, 0.75, 0.875, 0.9375)  # decays of a step that bit shifts give


def _constants(factors: list[float]) -> Constant:
    """Time constants in steps of decays by `factors`."""
    return Constant(torch.tensor([-1 / np.log(factor) for factor in factors]).float())


def _neurons(n: int) -> nn.Module:
    """`n` neurons whose membranes decay by each of FACTORS in turn, synapses by one half."""
    repeated = [FACTORS[i % len(FACTORS)] for i in range(n)]
    layer: nn.Module = rockpool.LIFTorch(
        n, tau_mem=_constants(repeated), tau_syn=_constants([0.5] * n), dt=1.0,
        threshold=Constant(torch.ones(n)), bias=torch.zeros(n),
        spike_generation_fn=PeriodicExponential)
    return layer


class MnistXyloNet(nn.Module):
    """16-128-128 neurons with synapses; the membranes of 10 outputs decide."""

    def __init__(self, bits: int | None = None) -> None:
        super().__init__()
        self.fc1 = linear(bits, SIDE, HIDDEN, bias=False, own_steps=True)
        self.lif1 = _neurons(HIDDEN)
        self.fc2 = linear(bits, HIDDEN, HIDDEN, bias=False, own_steps=True)
        self.lif2 = _neurons(HIDDEN)
        self.fc3 = linear(bits, HIDDEN, 10, bias=False)
        self.readout = rockpool.ExpSynTorch(10, tau=_constants([FACTORS[-1]] * 10), dt=1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Last membranes of the output, (samples, 10), for spikes (samples, steps, 16)."""
        for weights, neurons in ((self.fc1, self.lif1), (self.fc2, self.lif2),
                                 (self.fc3, self.readout)):
            neurons.reset_state()
            x, _, _ = neurons(weights(x))
        return x[:, -1]


class MnistXyloNet4(MnistXyloNet):
    """With weights of 4 bits."""

    def __init__(self) -> None:
        super().__init__(bits=4)


class MnistXyloNet2(MnistXyloNet):
    """With weights of 2 bits: -1, 0 and 1 times the step of their layer."""

    def __init__(self) -> None:
        super().__init__(bits=2)


NETS: dict[int, type[MnistXyloNet]] = {32: MnistXyloNet, 4: MnistXyloNet4, 2: MnistXyloNet2}
COURSES = {
    32: Course(epochs=60, learning_rate=3e-3, batch=128),
    4: Course(epochs=10, learning_rate=1e-3, batch=128),
    2: Course(epochs=100, learning_rate=6e-3, batch=128, weight_decay=0.01)}


def rows(pictures: torch.Tensor) -> torch.Tensor:
    """Spikes (samples, steps, 16) of pictures (samples, 784), row by row of 16x16 pixels."""
    middle = pictures.reshape(-1, 1, 28, 28)[:, :, 2:-2, 2:-2]
    small = nn.functional.interpolate(middle, (SIDE, SIDE), mode="area").squeeze(1)
    return (MOST * small).round().repeat_interleave(REPEATS, dim=1)


if __name__ == "__main__":
    main(__doc__, "mnist_xylo", NETS, courses=COURSES, prepared=rows)
