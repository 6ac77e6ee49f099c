"""Rockpool 3.1."""

from __future__ import annotations

from functools import partial

import rockpool.nn.modules as rp
import torch
from rockpool.nn.combinators import Residual, Sequential
from rockpool.nn.modules.torch.lif_torch import PeriodicExponential
from rockpool.parameters import Constant
from torch import nn

from helpers.conformance.rows import Row

row = partial(Row, "Rockpool")
TAUS = {"tau_mem": Constant(8e-3), "tau_syn": Constant(4e-3)}


def lively(model: nn.Module, low: float = -0.3, high: float = 0.7) -> nn.Module:
    """`model` with its weights drawn anew (its own initial ones are small)."""
    for name, tensor in nn.Module.named_parameters(model):
        if name.endswith("weight"):
            nn.init.uniform_(tensor, low, high)
        elif name.endswith("w_rec"):
            nn.init.uniform_(tensor, -0.4, 0.1)
    return model


def dense(neuron: nn.Module, has_bias: bool = True) -> nn.Module:
    return lively(Sequential(
        rp.LinearTorch((8, 12), has_bias=has_bias), neuron,
        rp.LinearTorch((12, 5), has_bias=has_bias),
        rp.LIFTorch(5, threshold=Constant(5.0), **TAUS)))


def lif(kind: type[nn.Module] = rp.LIFTorch, **options: object) -> nn.Module:
    return dense(kind(12, **{**TAUS, "threshold": Constant(2.0), **options}))


def spread(low: float, high: float) -> object:
    return Constant(torch.linspace(low, high, 12))


class Plain(nn.Module):
    """Rockpool's modules in a torch module of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 12)
        self.lif = rp.LIFTorch(12, threshold=Constant(2.0), **TAUS)
        self.out = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes, _, _ = self.lif(self.fc(x))
        return self.out(spikes)


class Started(Plain):
    """Its states set before the run."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.lif.vmem = torch.linspace(-0.5, 1.5, 12)
        self.lif.isyn = torch.linspace(0.4, 0.0, 12)[:, None]
        return super().forward(x)


class Filtered(nn.Module):
    """A synapse that starts from other currents than 0."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(8, 12), rp.LIFTorch(12, threshold=Constant(2.0), **TAUS)
        self.syn = rp.ExpSynTorch(12, tau=Constant(1e-2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.syn.isyn = torch.linspace(0.3, 0.7, 12).reshape(self.syn.isyn.shape)
        return self.syn(self.lif(self.fc(x))[0])[0]


ROWS = (
    row("ExpSynTorch, from other currents than 0", Filtered),
    row("LIFTorch, from other states than 0", Started),
    row("LIFTorch, several spikes a step", lif),
    row("LIFTorch, max_spikes_per_dt=1", partial(lif, max_spikes_per_dt=torch.tensor(1.0))),
    row("LIFTorch, each neuron its own", partial(
        lif, tau_mem=spread(2e-3, 2e-2), threshold=spread(1.0, 3.0), bias=spread(-0.1, 0.2))),
    row("LIFTorch, PeriodicExponential", partial(lif, spike_generation_fn=PeriodicExponential)),
    row("LIFTorch, dt=2e-3", partial(lif, dt=2e-3)),
    row("LIFTorch, leak_mode decays", lambda: dense(rp.LIFTorch(
        12, leak_mode="decays", alpha=Constant(torch.tensor(0.9)),
        beta=Constant(torch.tensor(0.7)), threshold=Constant(3.0)))),
    row("LIFTorch, leak_mode bitshifts", lambda: dense(rp.LIFTorch(
        12, leak_mode="bitshifts", dash_mem=Constant(torch.tensor(3.0)),
        dash_syn=Constant(torch.tensor(2.0)), threshold=Constant(3.0)))),
    row("LIFTorch, has_rec", partial(lif, has_rec=True)),
    row("LIFBitshiftTorch", partial(lif, rp.LIFBitshiftTorch, tau_mem=torch.tensor(8e-3),
                                    tau_syn=torch.tensor(4e-3))),
    row("LIFNeuronTorch", lambda: dense(rp.LIFNeuronTorch(
        12, tau_mem=Constant(6e-3), threshold=Constant(1.0), bias=spread(-0.1, 0.1)))),
    row("LinearTorch without bias", lambda: dense(
        rp.LIFTorch(12, threshold=Constant(2.0), **TAUS), has_bias=False)),
    row("ExpSynTorch as readout", lambda: lively(Sequential(
        rp.LinearTorch((8, 12)), rp.LIFTorch(12, threshold=Constant(2.0), **TAUS),
        rp.LinearTorch((12, 5)), rp.ExpSynTorch(5, tau=Constant(1e-2))))),
    row("ExpSynTorch ahead of LIFNeuronTorch", lambda: lively(Sequential(
        rp.LinearTorch((8, 12)), rp.ExpSynTorch(12, tau=spread(2e-3, 8e-3)),
        rp.LIFNeuronTorch(12, tau_mem=Constant(6e-3), threshold=Constant(2.0),
                          bias=spread(-0.1, 0.1)),
        rp.LinearTorch((12, 5)), rp.LIFTorch(5, threshold=Constant(5.0), **TAUS)))),
    row("ExpSynTorch ahead of LinearTorch", lambda: lively(Sequential(
        rp.LinearTorch((8, 12)), rp.LIFTorch(12, threshold=Constant(2.0), **TAUS),
        rp.ExpSynTorch(12, tau=Constant(5e-3)), rp.LinearTorch((12, 5)),
        rp.LIFNeuronTorch(5, tau_mem=Constant(6e-3), threshold=Constant(9.0))))),
    row("Residual", lambda: lively(Sequential(
        rp.LinearTorch((8, 6)), rp.LIFTorch(6, threshold=Constant(2.0), **TAUS),
        Residual(rp.LinearTorch((6, 6)), rp.LIFTorch(6, threshold=Constant(3.0), **TAUS)),
        rp.LinearTorch((6, 4)), rp.LIFTorch(4, threshold=Constant(9.0), **TAUS)))),
    row("in a torch module of the user's own", Plain),
)
