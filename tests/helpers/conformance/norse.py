"""Norse 1.1."""

from __future__ import annotations

from functools import partial

import norse.torch as norse
import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.leaky_integrator import LIParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, LIFState
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract
from torch import nn

from helpers.conformance.rows import Row

row = partial(Row, "Norse")
FAST = {"tau_mem_inv": torch.tensor(300.0), "tau_syn_inv": torch.tensor(400.0),
        "v_th": torch.tensor(1.0)}


class Cells(nn.Module):
    """A loop over the steps with the states in a SequentialState, as in the tutorials."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.net = norse.SequentialState(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, out = None, []
        for values in x:
            spikes, state = self.net(values, state)
            out.append(spikes)
        return torch.stack(out)


class ByHand(nn.Module):
    """States passed by hand, the first one given."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(8, 6), norse.LIFCell(LIFParameters(**FAST))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (x.shape[1], 6)
        state = LIFFeedForwardState(v=torch.full(shape, 0.2), i=torch.full(shape, 0.5))
        out = []
        for values in x:
            spikes, state = self.lif(self.fc(values), state)
            out.append(spikes)
        return torch.stack(out)


class Started(nn.Module):
    """A state of the user's own for a layer that runs all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(8, 6), norse.LIF(LIFParameters(**FAST))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (x.shape[1], 6)
        state = LIFFeedForwardState(v=torch.full(shape, 0.6), i=torch.full(shape, 1.5))
        return self.lif(self.fc(x), state)[0]


class RecurrentByHand(nn.Module):
    """A recurrent cell whose first state is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = norse.LIFRecurrentCell(8, 6, p=LIFParameters(**FAST))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape, out = (x.shape[1], 6), []
        state = LIFState(z=torch.zeros(shape), v=torch.full(shape, 0.6), i=torch.full(shape, 1.5))
        for values in x:
            spikes, state = self.lif(values, state)
            out.append(spikes)
        return torch.stack(out)


def first(model: nn.Module) -> nn.Module:
    """A module that returns the first of what `model` returns."""

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)[0]

    return First()


def cells(cell: type[nn.Module], p: object, **options: object) -> nn.Module:
    return Cells(nn.Linear(8, 12), cell(p, **options), nn.Linear(12, 5),
                 norse.LIFCell(LIFParameters(**FAST), **options))


def layers(layer: type[nn.Module], p: object, **options: object) -> nn.Module:
    return norse.SequentialState(nn.Linear(8, 12), layer(p, **options), nn.Linear(12, 5),
                                 norse.LIF(LIFParameters(**FAST)))


def convolutions() -> nn.Module:
    return norse.SequentialState(
        norse.Lift(nn.Conv2d(2, 4, 3, bias=False)), norse.Lift(norse.LIFCell(LIFParameters(**FAST))),
        norse.Lift(nn.AvgPool2d(2)), nn.Flatten(2), norse.LIFRecurrent(36, 6,
                                                                       p=LIFParameters(**FAST)),
        nn.Linear(6, 3), norse.LI())


SOFT = LIFBoxParameters(tau_mem_inv=torch.tensor(200.0), v_th=torch.tensor(0.2),
                        reset_method=reset_subtract)
BIASED = LIFParameters(**FAST, v_leak=torch.tensor(0.1), v_reset=torch.tensor(-0.2))
SPREAD = LIFParameters(tau_mem_inv=torch.linspace(100, 600, 12),
                       tau_syn_inv=torch.linspace(100, 900, 12), v_th=torch.linspace(0.3, 1.2, 12))
recurrent = partial(norse.LIFRecurrentCell, p=LIFParameters(**FAST))

ROWS = (
    row("LIFCell, default parameters", partial(cells, norse.LIFCell, LIFParameters(
        v_th=torch.tensor(0.3)))),
    row("LIFCell", partial(cells, norse.LIFCell, LIFParameters(**FAST))),
    row("LIFCell, dt=0.002", partial(cells, norse.LIFCell, LIFParameters(
        **{**FAST, "v_th": torch.tensor(0.6)}), dt=0.002)),
    row("LIFCell, each neuron its own", partial(cells, norse.LIFCell, SPREAD)),
    row("LIFCell, v_leak=0.1, v_reset=-0.2", partial(cells, norse.LIFCell, BIASED)),
    row("LIFCell, states passed by hand, from v=0.2 and i=0.5", ByHand),
    row("LIF, state passed, from v=0.6 and i=1.5", Started),
    row("LIFRecurrentCell, states passed by hand, from v=0.6 and i=1.5", RecurrentByHand),
    row("LIF", partial(layers, norse.LIF, LIFParameters(**FAST))),
    row("LIFBoxCell", partial(cells, norse.LIFBoxCell, LIFBoxParameters(
        v_th=torch.tensor(0.1)))),
    row("LIFBoxCell, reset_subtract", partial(cells, norse.LIFBoxCell, SOFT)),
    row("LIFBoxCell, v_leak=0.05", partial(cells, norse.LIFBoxCell, LIFBoxParameters(
        v_th=torch.tensor(0.1), v_leak=torch.tensor(0.05)))),
    row("IAFCell", partial(cells, norse.IAFCell, IAFParameters())),
    row("IAF", partial(layers, norse.IAF, IAFParameters())),
    row("LICell as readout", lambda: Cells(
        nn.Linear(8, 12), norse.LIFCell(LIFParameters(**FAST)), nn.Linear(12, 5),
        norse.LICell(LIParameters(v_leak=torch.tensor(0.1))))),
    row("LICell between layers", lambda: Cells(
        nn.Linear(8, 12), norse.LIFCell(LIFParameters(**FAST)), nn.Linear(12, 10),
        norse.LICell(LIParameters(v_leak=torch.tensor(0.1))), nn.Linear(10, 5),
        norse.LIFBoxCell(LIFBoxParameters()))),
    row("LIBoxCell as readout", lambda: Cells(
        nn.Linear(8, 12), norse.LIFCell(LIFParameters(**FAST)), nn.Linear(12, 5),
        norse.LIBoxCell(LIBoxParameters()))),
    row("LIFRecurrentCell", lambda: Cells(recurrent(8, 12), nn.Linear(12, 5),
                                          norse.LIFCell(LIFParameters(**FAST)))),
    row("LIFRecurrentCell, autapses", lambda: Cells(recurrent(8, 12, autapses=True))),
    row("LIFRecurrent, SequentialState, Lift, Conv2d without bias", convolutions, (2, 8, 8)),
    row("LIF in a module that drops the state",
        lambda: first(norse.SequentialState(nn.Linear(8, 6), norse.LIF(LIFParameters(**FAST))))),
)
