"""Compiled networks of several kinds with inputs for them, for tests that run devices."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import snntorch
import torch
from sklearn.datasets import load_digits
from torch import nn

import nmcompile as nmc
from helpers.models_xylo import counted_spikes, rockpool_net
from nmcompile.frontends.data_file import read_data
from nmcompile.mapping import Program
from nmcompile.passes.quantize import payloads

EXAMPLES = files("nmcompile_examples")
SAMPLES = 6


class ConvDigits(nn.Module):
    """Two convolutions of leaky neurons and a linear layer; the picture comes in each step."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(1, 6, 3, padding=1), snntorch.Leaky(beta=0.8)
        self.conv2, self.lif2 = nn.Conv2d(6, 8, 3, stride=2, padding=1), snntorch.Leaky(beta=0.8)
        self.fc, self.lif3 = nn.Linear(8 * 4 * 4, 10), snntorch.Leaky(beta=0.8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Spikes (steps, samples, 10) for pictures (steps, samples, 1, 8, 8)."""
        layers = (self.lif1, self.lif2, self.lif3)
        mem1, mem2, mem3 = (layer.init_leaky() for layer in layers)
        spikes = []
        for step in x:
            spk, mem1 = self.lif1(self.conv1(step), mem1)
            spk, mem2 = self.lif2(self.conv2(spk), mem2)
            spk, mem3 = self.lif3(self.fc(spk.flatten(1)), mem3)
            spikes.append(spk)
        return torch.stack(spikes)


@cache
def trained_conv(steps: int = 10) -> tuple[nn.Module, np.ndarray]:
    """A network that tells the digits of scikit-learn apart, and pictures as spikes."""
    torch.manual_seed(0)
    data = load_digits()
    images = torch.tensor(data.images[:800, None] / 16, dtype=torch.float32)
    labels, model = torch.tensor(data.target[:800]), ConvDigits()
    best = torch.optim.Adam(model.parameters(), 5e-3)
    for batch in torch.randperm(800).repeat(3).split(80):
        best.zero_grad()
        spikes = torch.bernoulli(images[batch].expand(steps, -1, -1, -1, -1))
        nn.functional.cross_entropy(model(spikes).sum(0), labels[batch]).backward()
        best.step()
    pictures = data.images[800 : 800 + SAMPLES, None, None] / 16
    drawn = np.random.default_rng(0).random((SAMPLES, 20, 1, 8, 8)) < pictures
    return model, drawn.astype(np.float32)


@cache
def compiled(kind: str) -> tuple[Program, dict[str, np.ndarray]]:
    """The program of a kind of network, and its input payloads (samples, steps, *shape)."""
    if kind in ("digits on loihi2", "digits on spinnaker1"):
        digits = read_data(EXAMPLES / "digits_test.npz").x[:SAMPLES]
        spikes = (np.random.default_rng(1).random((SAMPLES, 20, *digits.shape[1:]))
                  < digits[:, None]).astype(np.float32)
        program = nmc.compile(str(EXAMPLES / "digits.pt"), target=kind.rsplit(maxsplit=1)[-1],
                              calibration=read_data(EXAMPLES / "digits_calibration.npz")).program
    elif kind == "recurrent on xylo_a2":
        spikes = counted_spikes(SAMPLES)
        program = nmc.compile(rockpool_net(1, True), target="xylo_a2", sample=spikes).program
    else:
        model, spikes = trained_conv()
        program = nmc.compile(model, target="loihi2", sample=spikes).program
    (port,) = program.network.inputs
    return program, {port.name: payloads(port, spikes.reshape(*spikes.shape[:2], *port.shape))}


KINDS = ("digits on loihi2", "digits on spinnaker1", "recurrent on xylo_a2",
         "convolutions on loihi2")
