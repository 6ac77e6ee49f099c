"""Neurons that papers' code writes out, with surrogate functions of their own."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from helpers.conformance.rows import Row


class Step(torch.autograd.Function):
    """A rectangle as the derivative of the step function."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, width: float) -> torch.Tensor:  # type: ignore[no-untyped-def,override]
        ctx.save_for_backward(x)
        return (x > 0).float()

    @staticmethod
    def backward(ctx, grad: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[no-untyped-def,override]
        (x,) = ctx.saved_tensors
        return grad * (x.abs() < 0.5), None


class Hard(nn.Module):
    """All steps in one call, the reset by a product: (samples, steps, neurons)."""

    def __init__(self, n: int, tau: float = 0.6, threshold: float = 1.0) -> None:
        super().__init__()
        self.tau, self.threshold = tau, threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spikes = 0, []
        for step in range(x.shape[1]):
            mem = mem * self.tau + x[:, step]
            spike = Step.apply(mem - self.threshold, 1.0)
            mem = (1 - spike) * mem
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class Soft(Hard):
    """The reset by a subtraction, ahead of the leak of the next step."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spikes = torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            mem = self.tau * mem + x[:, step]
            spike = (mem >= self.threshold).to(x)
            mem = mem - spike * self.threshold
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class SoftLate(Hard):
    """The subtraction behind the leak, as one sum; a learned threshold for each neuron."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.limit = nn.Parameter(torch.linspace(0.6, 1.4, n))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spike, spikes = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            mem = self.tau * mem + x[:, step] - spike * self.limit
            spike = torch.heaviside(mem - self.limit, torch.tensor(0.0))
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class ToLevel(Hard):
    """A reset to another value than 0, and torch.gt."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spikes = torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            mem = mem * self.tau + x[:, step]
            spike = torch.gt(mem, self.threshold).float()
            mem = mem * (1 - spike) + spike * -0.2
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class Normalised(Hard):
    """Batch normalisation of the membrane ahead of the comparison: a threshold a channel."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.bn = nn.BatchNorm1d(n)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spikes = torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            mem = mem * self.tau + x[:, step]
            spike = Step.apply(self.bn(mem) - self.threshold, 1.0)
            mem = mem * (1 - spike)
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class Charged(Hard):
    """The membrane drawn to the input, and emptied by torch.where or masked_fill."""

    def __init__(self, n: int, fill: bool = False) -> None:
        super().__init__(n)
        self.fill = fill

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spikes = torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            mem = mem + (2 * x[:, step] - mem) / 1.6
            fired = mem > self.threshold
            if self.fill:
                mem = mem.masked_fill(fired, 0.1)
            else:
                mem = torch.where(fired, torch.zeros_like(mem), mem)
            spikes.append(fired.float())
        return torch.stack(spikes, dim=1)


class Kept(nn.Module):
    """The membrane kept in the module, decayed in the product: one step a call."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.mem: torch.Tensor | None = None
        self.spike: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mem is None or self.spike is None:
            self.mem = self.spike = torch.zeros_like(x)
        self.mem = self.mem * 0.7 * (1.0 - self.spike) + x
        self.spike = self.mem.gt(0.9).float()
        return self.spike


class Early(Hard):
    """The comparison ahead of the input, as in Zenke's SpyTorch; the reset takes the input too.

    current  the input fills a synaptic current, from which the membrane takes its `lag` steps late
    whole    the reset takes what arrives; without, it takes the membrane alone
    """

    def __init__(self, n: int, current: bool = True, lag: int = 1, whole: bool = True) -> None:
        super().__init__(n)
        self.current, self.lag, self.whole = current, lag, whole

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        syn, mem, spikes = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            spike = Step.apply(mem - self.threshold, 1.0)
            before, after = syn, 0.5 * syn + x[:, step]
            syn = after if self.current else x[:, step]
            taken = before if self.current and self.lag else syn
            reset = 1.0 - spike.detach()
            if self.whole:
                mem = (self.tau * mem + taken) * reset
            else:
                mem = self.tau * mem * reset + taken
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class Current(Hard):
    """A synaptic current, which fills the membrane ahead of the comparison, by a factor."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        syn, mem, spikes = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0]), []
        for step in range(x.shape[1]):
            syn = 0.8 * syn + x[:, step]
            mem = self.tau * mem + 0.4 * syn
            spike = Step.apply(mem - self.threshold, 1.0)
            mem = mem - spike * self.threshold
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class Started(Hard):
    """A membrane that starts from learned values."""

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.start = nn.Parameter(torch.linspace(-0.5, 0.9, n))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, spikes = self.start.expand(len(x), -1), []
        for step in range(x.shape[1]):
            mem = mem * self.tau + x[:, step]
            spike = Step.apply(mem - self.threshold, 1.0)
            mem = (1 - spike) * mem
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class Registered(nn.Module):
    """The membrane as a buffer, assigned or changed in place: one step a call."""

    def __init__(self, n: int, in_place: bool = False) -> None:
        super().__init__()
        self.in_place = in_place
        self.register_buffer("mem", torch.zeros(1, n))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.in_place:
            if len(self.mem) != len(x):
                self.mem = torch.zeros_like(x)
            self.mem.mul_(0.7).add_(x)
        else:
            self.mem = 0.7 * self.mem + x
        spike = (self.mem >= 0.9).float()
        self.mem = self.mem - 0.9 * spike
        return spike


class Network(nn.Module):
    """Two layers of written-out neurons."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 12), nn.Linear(12, 5)
        self.sn1, self.sn2 = kind(12), kind(5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sn2(self.fc2(self.sn1(self.fc1(x))))


row = partial(Row, "torch")
ROWS = (
    row("written-out LIF, reset by a product", partial(Network, Hard)),
    row("written-out LIF, reset by a subtraction", partial(Network, Soft)),
    row("written-out LIF, subtraction behind the leak, heaviside", partial(Network, SoftLate)),
    row("written-out LIF, reset to -0.2", partial(Network, ToLevel)),
    row("written-out LIF, batch normalisation of the membrane (MPBN)", partial(
        Network, Normalised)),
    row("written-out LIF, drawn to its input, torch.where", partial(Network, Charged)),
    row("written-out LIF, drawn to its input, masked_fill", partial(
        Network, partial(Charged, fill=True))),
    row("written-out LIF, membrane kept in the module", partial(Network, Kept)),
    row("written-out LIF, comparison ahead of the input", partial(
        Network, partial(Early, current=False, whole=False))),
    row("written-out LIF, comparison ahead of the input, which the reset takes too", partial(
        Network, partial(Early, current=False))),
    row("written-out current-based LIF (SpyTorch)", partial(Network, Early)),
    row("written-out current-based LIF, comparison ahead of the input", partial(
        Network, partial(Early, lag=0))),
    row("written-out current-based LIF, reset by a subtraction", partial(Network, Current)),
    row("written-out LIF, learned membrane of the start", partial(Network, Started)),
    row("written-out LIF, membrane in a buffer", partial(Network, Registered)),
    row("written-out LIF, membrane in a buffer, changed in place", partial(
        Network, partial(Registered, in_place=True))),
)
