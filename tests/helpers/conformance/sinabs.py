"""Sinabs 3.1."""

from __future__ import annotations

from functools import partial

import sinabs.activation as sina
import sinabs.layers as sl
import torch
from torch import nn

from helpers.conformance.rows import Row

row = partial(Row, "Sinabs")
ONE = {"spike_fn": sina.SingleSpike}


def dense(layer: nn.Module, threshold: float = 1.0) -> nn.Module:
    return nn.Sequential(nn.Linear(8, 12), layer, nn.Linear(12, 5),
                         sl.IAF(spike_threshold=threshold, **ONE))


def squeezed(**size: int) -> nn.Module:
    """A convolutional network as the library's tutorials train it for Speck."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), sl.IAFSqueeze(min_v_mem=-1.0, **size), sl.SumPool2d(2),
        nn.Conv2d(4, 6, 2, bias=False), sl.IAFSqueeze(min_v_mem=-1.0, spike_threshold=9.0, **size), nn.Dropout(0.5),
        nn.Flatten(), nn.Linear(24, 5, bias=False), sl.IAFSqueeze(min_v_mem=-1.0, **size))


class Branches(nn.Module):
    """Two branches of spikes that meet in a Merge."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.iaf1 = nn.Linear(8, 6), sl.IAF(**ONE)
        self.fc2, self.iaf2 = nn.Linear(8, 6), sl.LIF(tau_mem=5.0, spike_threshold=0.3, **ONE)
        self.merge, self.fc3, self.iaf3 = sl.Merge(), nn.Linear(6, 4), sl.IAF(**ONE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        merged = self.merge(self.iaf1(self.fc1(x)), self.iaf2(self.fc2(x)))
        return self.iaf3(self.fc3(merged))


def lif(**options: object) -> nn.Module:
    return dense(sl.LIF(**{"tau_mem": 6.0, "spike_threshold": 0.4, **ONE, **options}))


def alif(**options: object) -> nn.Module:
    return dense(sl.ALIF(tau_mem=torch.tensor(6.0), tau_adapt=torch.tensor(9.0),
                         spike_threshold=0.3, **options))


def recurrent(kind: type[nn.Module], bias: bool = False, **options: object) -> nn.Module:
    return dense(kind(rec_connect=nn.Linear(12, 12, bias=bias), **ONE, **options))


class Started(nn.Module):
    """A layer whose states are set before its first step."""

    def __init__(self, layer: nn.Module, rows: int = 0, **states: float) -> None:
        super().__init__()
        self.rows, self.states, self.net = rows, states, dense(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ramp = torch.linspace(0.5, 1.0, 12).repeat(self.rows or len(x), 1)
        for name, value in self.states.items():
            setattr(self.net[1], name, value * ramp)
        return self.net(x)


ROWS = (
    row("IAF, from v_mem=0.4", lambda: Started(sl.IAF(**ONE), v_mem=0.4)),
    row("LIF, from v_mem=-0.5", lambda: Started(
        sl.LIF(tau_mem=6.0, spike_threshold=0.4, **ONE), v_mem=-0.5)),
    row("LIF, tau_syn, from v_mem=0.2, i_syn=0.7", lambda: Started(
        sl.LIF(tau_mem=6.0, tau_syn=4.0, spike_threshold=1.0, **ONE), v_mem=0.2, i_syn=0.7)),
    row("IAF, MultiSpike, from a state of one sample", lambda: Started(
        sl.IAF(), rows=1, v_mem=3.2)),
    row("LIFRecurrent, bias of the recurrence, from v_mem=0.25", lambda: Started(
        sl.LIFRecurrent(rec_connect=nn.Linear(12, 12), tau_mem=5.0, spike_threshold=0.3, **ONE),
        v_mem=0.25)),
    row("ALIF, from v_mem=0.2, b=0.1", lambda: Started(
        sl.ALIF(tau_mem=torch.tensor(6.0), tau_adapt=torch.tensor(9.0), spike_threshold=0.3),
        v_mem=0.2, b=0.1, spike_threshold=0.3)),
    row("IAF, default (MultiSpike)", lambda: dense(sl.IAF(spike_threshold=0.3), 9.0)),
    row("IAF, SingleSpike", lambda: dense(sl.IAF(**ONE))),
    row("IAF, MaxSpike(2)", lambda: dense(sl.IAF(
        spike_fn=sina.MaxSpike(max_num_spikes_per_bin=2), spike_threshold=0.4), 5.0)),
    row("IAF, MembraneReset", lambda: dense(sl.IAF(reset_fn=sina.MembraneReset(), **ONE))),
    row("IAF, min_v_mem", lambda: dense(sl.IAF(min_v_mem=-0.2, **ONE))),
    row("IAF, tau_syn", lambda: dense(sl.IAF(tau_syn=3.0, spike_threshold=2.0, **ONE))),
    row("LIF, default (MultiSpike, norm_input)", lambda: dense(sl.LIF(
        tau_mem=6.0, spike_threshold=0.2))),
    row("LIF, SingleSpike", lif),
    row("LIF, norm_input=False", partial(lif, norm_input=False, spike_threshold=1.0)),
    row("LIF, tau_syn", partial(lif, tau_syn=4.0, spike_threshold=1.0)),
    row("LIF, tau_syn, norm_input=False", partial(
        lif, tau_syn=4.0, spike_threshold=8.0, norm_input=False)),
    row("LIF, train_alphas, each neuron its own", partial(
        lif, tau_mem=torch.linspace(2, 20, 12), train_alphas=True)),
    row("LIF, MembraneReset", partial(lif, reset_fn=sina.MembraneReset())),
    row("ALIF", alif),
    row("ALIF, norm_input=False, MembraneReset", partial(
        alif, norm_input=False, reset_fn=sina.MembraneReset())),
    row("ExpLeak as readout", lambda: nn.Sequential(
        nn.Linear(8, 12), sl.IAF(**ONE), nn.Linear(12, 5), sl.ExpLeak(tau_mem=8.0))),
    row("ExpLeak between layers, and a linear layer at the end", lambda: nn.Sequential(
        nn.Linear(8, 12), sl.IAF(**ONE), sl.ExpLeak(tau_mem=8.0), nn.Linear(12, 10), sl.IAF(**ONE),
        sl.ExpLeak(tau_mem=4.0), nn.Linear(10, 5))),
    row("ExpLeak, norm_input", lambda: nn.Sequential(
        nn.Linear(8, 12), sl.IAF(**ONE), nn.Linear(12, 5),
        sl.ExpLeak(tau_mem=8.0, norm_input=True))),
    row("IAFRecurrent", partial(recurrent, sl.IAFRecurrent)),
    row("LIFRecurrent", partial(recurrent, sl.LIFRecurrent, tau_mem=5.0, spike_threshold=0.3)),
    row("LIFRecurrent, bias of the recurrence", partial(
        recurrent, sl.LIFRecurrent, tau_mem=5.0, spike_threshold=0.3, bias=True)),
    row("LIFRecurrent, tau_syn", partial(
        recurrent, sl.LIFRecurrent, tau_mem=5.0, tau_syn=2.0, spike_threshold=0.3)),
    row("IAFSqueeze(batch_size=1), SumPool2d, Conv2d, Dropout", partial(squeezed, batch_size=1),
        (2, 8, 8)),
    row("IAFSqueeze(num_timesteps=50)", partial(squeezed, num_timesteps=50), (2, 8, 8)),
    row("Merge", Branches),
)
