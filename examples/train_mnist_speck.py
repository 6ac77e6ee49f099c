"""Train a convolutional Sinabs network of Speck's size on MNIST, pixels as events."""

from __future__ import annotations

import sinabs.activation
import sinabs.layers
import torch
from torch import nn

try:
    from few_bits import conv, linear
    from mnist_training import Course, main
except ImportError:  # imported as a module of the installed package
    from nmcompile_examples.few_bits import conv, linear
    from nmcompile_examples.mnist_training import Course, main

STEPS = 10


class MnistSpeckNet(nn.Module):
    """Two convolutions and a readout of neurons without a leak, which may fire several times."""

    def __init__(self, bits: int | None = None) -> None:
        super().__init__()
        self.conv1 = conv(bits, 1, 12, stride=2, bias=False)
        self.iaf1 = _neurons()
        self.conv2 = conv(bits, 12, 24, stride=2, bias=False)
        self.iaf2 = _neurons()
        self.conv3 = conv(bits, 24, 32, stride=2, bias=False)
        self.iaf3 = _neurons()
        self.fc = linear(bits, 32 * 4 * 4, 10, bias=False)
        self.iaf4 = _neurons()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output spikes (steps, samples, 10) for events (samples, steps, 1, 28, 28)."""
        samples, steps = x.shape[:2]
        x = x.flatten(0, 1)
        for weights, neurons in ((self.conv1, self.iaf1), (self.conv2, self.iaf2),
                                 (self.conv3, self.iaf3)):
            x = _in_steps(neurons, weights(x), samples)
        x = _in_steps(self.iaf4, self.fc(x.flatten(1)), samples)
        return x.reshape(samples, steps, 10).transpose(0, 1)


class MnistSpeckNet4(MnistSpeckNet):
    """With weights of 4 bits."""

    def __init__(self) -> None:
        super().__init__(bits=4)


class MnistSpeckNet2(MnistSpeckNet):
    """With weights of 2 bits: -1, 0 and 1 times the step of their layer."""

    def __init__(self) -> None:
        super().__init__(bits=2)


NETS: dict[int, type[MnistSpeckNet]] = {32: MnistSpeckNet, 4: MnistSpeckNet4, 2: MnistSpeckNet2}
COURSES = {
    32: Course(epochs=16, learning_rate=3e-3), 4: Course(epochs=6, learning_rate=3e-4),
    2: Course(epochs=6, learning_rate=1e-3)}


def _neurons() -> nn.Module:
    layer: nn.Module = sinabs.layers.IAF(
        spike_threshold=1.0, spike_fn=sinabs.activation.MultiSpike, min_v_mem=-1.0)
    return layer


def _in_steps(neurons: nn.Module, x: torch.Tensor, samples: int) -> torch.Tensor:
    """Spikes of `x` (samples * steps, ...), every sample from rest."""
    neurons.reset_states()
    spikes: torch.Tensor = neurons(x.unflatten(0, (samples, -1)))
    return spikes.flatten(0, 1)


def events(pictures: torch.Tensor) -> torch.Tensor:
    """Events (samples, STEPS, 1, 28, 28): a pixel of p gives p * STEPS of them, evenly."""
    level = (STEPS * pictures.reshape(-1, 1, 1, 28, 28)).round()
    step = torch.arange(STEPS).reshape(1, -1, 1, 1, 1)
    return (level * (step + 1) // STEPS) - (level * step // STEPS)


if __name__ == "__main__":
    main(__doc__, "mnist_speck", NETS, courses=COURSES, prepared=events)
