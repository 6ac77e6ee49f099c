"""SpikingJelly 2.0."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from helpers.conformance.rows import Row

row = partial(Row, "SpikingJelly")


def one_step(kind: type[nn.Module], **options: object) -> nn.Module:
    """Called for each step by its user."""
    return nn.Sequential(layer.Linear(8, 12), kind(**options), layer.Linear(12, 5),
                         neuron.IFNode())


def all_steps(kind: type[nn.Module], **options: object) -> nn.Module:
    """Called once with all steps."""
    model = one_step(kind, **options)
    functional.set_step_mode(model, "m")
    return model


def parallel(kind: type[nn.Module], mode: str = "m", **options: object) -> nn.Module:
    """Parallel neurons with weights of their own, of the past only."""
    model = nn.Sequential(layer.Linear(8, 12), kind(**options), layer.Linear(12, 5),
                          neuron.IFNode())
    nn.init.uniform_(model[1].weight, -0.3, 0.8)
    nn.init.constant_(model[1].bias, -0.3)
    with torch.no_grad():
        if kind is neuron.PSN:
            model[1].weight.copy_(model[1].weight.tril() * 2 / torch.arange(1, 51)[:, None])
    functional.set_step_mode(model, mode)
    if kind is neuron.PSN:
        model[1].step_mode = "m"
    return model


class Conv(nn.Module):
    """CIFAR10-style blocks of the library's examples, all steps at once, values repeated."""

    def __init__(self, *between: nn.Module, size: int, repeated: int = 0) -> None:
        super().__init__()
        self.repeated = repeated
        self.conv = nn.Sequential(
            layer.Conv2d(2, 6, 3, padding=1, bias=False), layer.BatchNorm2d(6),
            neuron.LIFNode(tau=2.0, detach_reset=True, surrogate_function=surrogate.ATan()),
            *between,
        )
        self.fc = nn.Sequential(layer.Flatten(), layer.Dropout(0.5), layer.Linear(size, 10),
                                neuron.IFNode())
        functional.set_step_mode(self, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.repeated:
            x = x.unsqueeze(0).repeat(self.repeated, 1, 1, 1, 1)
        return self.fc(self.conv(x)).mean(0) if self.repeated else self.fc(self.conv(x))


# Fang et al. 2021 (arXiv 2102.04159), table 1: of the inner spikes a and the shortcut s.
JOINS = {"ADD": lambda a, s: a + s, "AND": lambda a, s: a * s, "IAND": lambda a, s: (1 - a) * s}


class Residual(nn.Module):
    """A residual block of both branches: SEW joins them after the neurons, MS before them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.stem, self.sn0 = layer.Conv2d(2, 4, 3, padding=1), neuron.IFNode()
        self.conv1, self.bn1 = layer.Conv2d(4, 4, 3, padding=1), layer.BatchNorm2d(4)
        self.sn1 = neuron.LIFNode(tau=1.5)
        self.conv2, self.bn2 = layer.Conv2d(4, 4, 3, padding=1), layer.BatchNorm2d(4)
        self.sn2 = neuron.LIFNode(tau=1.5)
        self.flat, self.fc = layer.Flatten(), layer.Linear(256, 5)
        self.out = neuron.IFNode(v_threshold=0.6 if kind == "AND" else 1.0)
        functional.set_step_mode(self, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind != "MS":
            spikes = self.sn0(self.stem(x))
            inner = self.sn1(self.bn1(self.conv1(spikes)))
            joined = JOINS[self.kind](self.sn2(self.bn2(self.conv2(inner))), spikes)
        else:
            value = self.stem(x)
            inner = self.bn1(self.conv1(self.sn0(value)))
            joined = self.sn2(value + self.bn2(self.conv2(self.sn1(inner))))
        return self.out(self.fc(self.flat(joined)))


class Functions(nn.Module):
    """Spikes behind elementwise functions, one a layer."""

    def __init__(self, *functions: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.functions = functions
        self.layers = nn.ModuleList(
            layer.Linear(8, 8, step_mode="m") for _ in range(len(functions) + 1))
        self.neurons = nn.ModuleList(
            neuron.IFNode(step_mode="m") for _ in range(len(functions) + 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for function, linear, spiking in zip(
                (*self.functions, nn.Identity()), self.layers, self.neurons, strict=True):
            x = function(spiking(linear(x)))
        return x


class Started(nn.Module):
    """A forward that sets the membrane ahead of its loop."""

    def __init__(self, step_mode: str, **options: object) -> None:
        super().__init__()
        self.fc, self.sn = layer.Linear(8, 12), neuron.LIFNode(**options)
        functional.set_step_mode(self, step_mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sn.v = torch.linspace(-0.5, 0.9, 12).repeat(x.shape[1], 1)
        if self.sn.step_mode == "m":
            return self.sn(self.fc(x))
        return torch.stack([self.sn(self.fc(values)) for values in x])


class Container(nn.Module):
    """torch's own layers made to take steps by SeqToANNContainer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layer.SeqToANNContainer(nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4))
        self.sn1 = neuron.LIFNode(tau=2.0, step_mode="m")
        self.last = layer.SeqToANNContainer(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 5))
        self.sn2 = neuron.IFNode(step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sn2(self.last(self.sn1(self.first(x))))


def started(kind: type[nn.Module], v: float, **options: object) -> nn.Module:
    """With membranes that start at `v`."""
    model = all_steps(kind, **options)
    model[1].set_reset_value("v", v)
    return model


LIF, PLIF, IF = neuron.LIFNode, neuron.ParametricLIFNode, neuron.IFNode
IMAGE = (2, 8, 8)

ROWS = (
    row("IFNode, one step a call", partial(one_step, IF)),
    row("IFNode, soft reset", partial(all_steps, IF, v_reset=None)),
    row("IFNode, all steps", partial(all_steps, IF, v_threshold=0.7)),
    row("IFNode, v_reset=-0.3", partial(all_steps, IF, v_reset=-0.3)),
    row("LIFNode, one step a call", partial(one_step, LIF, tau=3.0)),
    row("LIFNode, all steps", partial(all_steps, LIF, tau=1.7, v_threshold=0.5)),
    row("LIFNode, soft reset", partial(all_steps, LIF, tau=2.0, v_reset=None, v_threshold=0.5)),
    row("LIFNode, decay_input=False", partial(all_steps, LIF, tau=2.0, decay_input=False)),
    row("LIFNode, v_reset=0.2", partial(all_steps, LIF, tau=2.0, v_reset=0.2)),
    row("LIFNode, decay_input=False, v_reset=-0.2",
        partial(one_step, LIF, tau=4.0, decay_input=False, v_reset=-0.2)),
    row("LIFNode, v set by the model's forward, one step a call", partial(
        Started, "s", tau=3.0)),
    row("LIFNode, v set by the model's forward, all steps", partial(
        Started, "m", tau=3.0, v_reset=0.1)),
    row("LIFNode, initial v=0.4", partial(started, LIF, 0.4, tau=3.0)),
    row("LIFNode, surrogate PiecewiseQuadratic",
        partial(all_steps, LIF, tau=2.0, v_threshold=0.5,
                surrogate_function=surrogate.PiecewiseQuadratic())),
    row("ParametricLIFNode, one step a call", partial(one_step, PLIF, init_tau=1.5)),
    row("ParametricLIFNode, all steps, soft reset",
        partial(all_steps, PLIF, init_tau=2.5, v_reset=None, v_threshold=0.5)),
    row("ParametricLIFNode, decay_input=False",
        partial(all_steps, PLIF, init_tau=2.5, decay_input=False)),
    row("PSN of the past", partial(parallel, neuron.PSN, T=50)),
    row("MaskedPSN, all steps", partial(parallel, neuron.MaskedPSN, k=4, T=50, lambda_init=1.0)),
    row("MaskedPSN, one step a call", partial(
        parallel, neuron.MaskedPSN, "s", k=3, T=50, lambda_init=1.0)),
    row("SlidingPSN, all steps", partial(parallel, neuron.SlidingPSN, k=4)),
    row("SlidingPSN, one step a call", partial(
        parallel, neuron.SlidingPSN, "s", k=3, exp_init=False)),
    row("Conv2d, BatchNorm2d, AvgPool2d, Dropout", partial(Conv, layer.AvgPool2d(2, 2), size=96),
        IMAGE),
    row("MaxPool2d of spikes", partial(Conv, layer.MaxPool2d(2, 2), size=96), IMAGE),
    row("AdaptiveAvgPool2d", partial(Conv, layer.AdaptiveAvgPool2d((2, 2)), size=24), IMAGE),
    row("grouped Conv2d", partial(Conv, layer.Conv2d(6, 12, 3, groups=3), size=432), IMAGE),
    row("values repeated over the steps", partial(Conv, size=384, repeated=50), IMAGE, 0),
    row("SeqToANNContainer", Container, IMAGE),
    *(row(f"SEW residual ({join})", partial(Residual, join), IMAGE, mean=mean)
      for join, mean in (("ADD", 1.5), ("AND", 3.0), ("IAND", 1.5))),
    row("functions of spikes: sign, clamp, sigmoid, comparison, square", partial(
        Functions, torch.sign, lambda s: s.clamp(0.2, 0.9), torch.sigmoid,
        lambda s: (s > 0.5).float(), lambda s: (2 * s - 1) ** 2 + s)),
    row("MS residual", partial(Residual, "MS"), IMAGE),
)
