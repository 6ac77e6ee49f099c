"""Whole networks of the kinds that people deploy."""

from __future__ import annotations

from functools import partial

import norse.torch as norse
import sinabs.layers as sl
import snntorch as snn
import torch
from norse.torch.functional.lif import LIFParameters
from sinabs.activation import SingleSpike
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from helpers.conformance.rows import Row

row = partial(Row, "networks")


def vgg9() -> nn.Module:
    """Spiking VGG-9 (SpikingJelly), all steps at once."""
    parts: list[nn.Module] = []
    channels = 3
    for width in (16, 16, "M", 32, 32, "M", 64, 64, 64, "M"):
        if width == "M":
            parts.append(layer.MaxPool2d(2, 2))
            continue
        parts += [layer.Conv2d(channels, width, 3, padding=1, bias=False),
                  layer.BatchNorm2d(width),
                  neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan())]
        channels = width
    model = nn.Sequential(*parts, layer.Flatten(), layer.Linear(64, 32), neuron.IFNode(),
                          layer.Linear(32, 10), neuron.IFNode())
    functional.set_step_mode(model, "m")
    return model


class Block(nn.Module):
    """A basic block of ResNet-18: SEW adds spikes to spikes, MS values to values."""

    def __init__(self, kind: str, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.kind = kind
        self.conv1, self.bn1 = conv(inputs, width, 3, stride), layer.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, 1), layer.BatchNorm2d(width)
        self.sn1, self.sn2 = neuron.IFNode(), neuron.IFNode()
        self.down: nn.Module = nn.Identity()
        if stride != 1 or inputs != width:
            parts = [conv(inputs, width, 1, stride), layer.BatchNorm2d(width)]
            self.down = nn.Sequential(*parts, *([neuron.IFNode()] if kind == "SEW" else []))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "SEW":
            inner = self.sn1(self.bn1(self.conv1(x)))
            return self.sn2(self.bn2(self.conv2(inner))) + self.down(x)
        inner = self.bn1(self.conv1(self.sn1(x)))
        return self.bn2(self.conv2(self.sn2(inner))) + self.down(x)


def conv(inputs: int, width: int, size: int, stride: int) -> nn.Module:
    return layer.Conv2d(inputs, width, size, stride, padding=size // 2, bias=False)


class ResNet18(nn.Module):
    """Spiking ResNet-18 (SpikingJelly), narrow, all steps at once."""

    def __init__(self, kind: str, width: int = 8) -> None:
        super().__init__()
        stem = [conv(3, width, 3, 1), layer.BatchNorm2d(width)]
        self.stem = nn.Sequential(*stem, *([neuron.IFNode()] if kind == "SEW" else []))
        widths = [width, width, 2 * width, 2 * width, 4 * width, 4 * width, 8 * width, 8 * width]
        pairs = zip([width, *widths], widths, strict=False)
        self.blocks = nn.Sequential(*(
            Block(kind, a, b, 2 if a != b else 1) for a, b in pairs))
        self.last = nn.Identity() if kind == "SEW" else neuron.IFNode()
        self.pool, self.flat = layer.AdaptiveAvgPool2d(1), layer.Flatten()
        self.fc, self.out = layer.Linear(8 * width, 10), neuron.IFNode()
        functional.set_step_mode(self, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.last(self.blocks(self.stem(x)))
        return self.out(self.fc(self.flat(self.pool(features))))


class Depthwise(nn.Module):
    """A depthwise-separable block with RepConv: normalised branches of 3x3, 1x1 and identity."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.lif0 = nn.Conv2d(2, 8, 3, padding=1), snn.Leaky(beta=0.7)
        self.point, self.deep = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.bn_deep, self.bn_point, self.bn_same = (nn.BatchNorm2d(8) for _ in range(3))
        self.lif1 = snn.Leaky(beta=0.7, threshold=1.5)
        self.pool, self.fc, self.lif2 = nn.AvgPool2d(4), nn.Linear(32, 5), snn.Leaky(beta=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem0, mem1, mem2 = (lif.reset_mem() for lif in (self.lif0, self.lif1, self.lif2))
        out = []
        for values in x:
            spk, mem0 = self.lif0(self.stem(values), mem0)
            rep = (self.bn_deep(self.deep(self.point(spk))) + self.bn_point(self.point(spk))
                   + self.bn_same(spk))
            spk, mem1 = self.lif1(rep, mem1)
            spk, mem2 = self.lif2(self.fc(self.pool(spk).flatten(1)), mem2)
            out.append(spk)
        return torch.stack(out)


class Delayed(nn.Module):
    """A recurrent classifier as for spoken digits, whose input and recurrence come later too."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.late, self.back = nn.Linear(20, 16), nn.Linear(20, 16), nn.Linear(16, 16)
        self.lif1 = snn.Synaptic(alpha=0.7, beta=0.8, threshold=2.5, init_hidden=True)
        self.out, self.lif2 = nn.Linear(16, 8), snn.Leaky(beta=0.9, init_hidden=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = [torch.zeros(x.shape[1], 20)] * 3
        spikes = [torch.zeros(x.shape[1], 16)] * 2
        out = []
        for values in x:
            current = self.fc(values) + self.late(before[-3]) - 0.3 * self.back(spikes[-2])
            spikes.append(self.lif1(current))
            before.append(values)
            out.append(self.lif2(self.out(spikes[-1])))
        return torch.stack(out)


class Memory(nn.Module):
    """Recurrent populations of current-based and plain neurons that feed each other."""

    def __init__(self) -> None:
        super().__init__()
        p = LIFParameters(tau_mem_inv=torch.tensor(300.0), tau_syn_inv=torch.tensor(400.0))
        self.inp, self.memory = nn.Linear(6, 10), norse.LIFCell(p)
        self.to_hidden, self.hidden = nn.Linear(10, 12), norse.LIFBoxCell()
        self.m_m, self.h_m = nn.Linear(10, 10, bias=False), nn.Linear(12, 10, bias=False)
        self.out, self.readout = nn.Linear(12, 4), norse.LIFCell(p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        m = torch.zeros(x.shape[1], 10)
        h = torch.zeros(x.shape[1], 12)
        states: list[object] = [None, None, None]
        out = []
        for values in x:
            current = self.inp(values) - 0.2 * self.m_m(m) + 0.1 * self.h_m(h)
            m, states[0] = self.memory(current, states[0])
            h, states[1] = self.hidden(8 * self.to_hidden(m), states[1])
            z, states[2] = self.readout(3 * self.out(h), states[2])
            out.append(z)
        return torch.stack(out)


def speck() -> nn.Module:
    """A convolutional network of the kind that goes to Speck."""
    iaf = partial(sl.IAFSqueeze, batch_size=1, min_v_mem=-1.0, spike_fn=SingleSpike)
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1, bias=False), iaf(), sl.SumPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False), iaf(spike_threshold=4.0), sl.SumPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1, bias=False), iaf(spike_threshold=4.0), nn.Flatten(),
        nn.Linear(256, 10, bias=False), iaf(spike_threshold=2.0))


ROWS = (
    row("spiking VGG-9 with max pooling (SpikingJelly)", vgg9, (3, 8, 8), spread=3.0, mean=1.0),
    row("spiking ResNet-18, SEW (SpikingJelly)", partial(ResNet18, "SEW"), (3, 16, 16),
        spread=0.9, mean=-0.5),
    row("spiking ResNet-18, MS (SpikingJelly)", partial(ResNet18, "MS"), (3, 16, 16),
        spread=0.7, mean=-0.5),
    row("depthwise-separable network with RepConv (snnTorch)", Depthwise, (2, 8, 8)),
    row("recurrent classifier with delays (snnTorch)", Delayed, (20,)),
    row("recurrent memory of LIF and current-based LIF (Norse)", Memory, (6,)),
    row("convolutional network for Speck (Sinabs)", speck, (2, 16, 16)),
)
