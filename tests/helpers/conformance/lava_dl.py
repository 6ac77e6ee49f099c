"""lava-dl 0.6 (slayer)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from helpers.conformance.rows import Row
from helpers.slayer import slayer

row = partial(Row, "lava-dl")
cuba, alif, sdnn = slayer.block.cuba, slayer.block.alif, slayer.block.sigma_delta
CUBA = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.1}
ALIF = {"threshold": 0.75, "threshold_step": 0.5, "current_decay": 0.6, "voltage_decay": 0.5,
        "threshold_decay": 0.05, "refractory_decay": 0.3}
CHANGES = {"threshold": 0.1, "activation": torch.nn.functional.relu}
TURNS = {"threshold": 0.4, "period": 7, "decay": 0.1}
OWN = {"shared_param": False}
NORM = {"norm": slayer.neuron.norm.MeanOnlyBatchNorm}


class Blocks(nn.Module):
    """Blocks one behind the other, as the tutorials of lava-dl have them."""

    def __init__(self, make: Callable[[], list[nn.Module]]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(make())
        for module in self.modules():
            if isinstance(module, slayer.neuron.norm.MeanOnlyBatchNorm):
                module.running_mean = torch.rand(1) * 0.2
            if isinstance(module, slayer.axon.Delay):
                module.delay.data, module.init = torch.rand(12) * 7, True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def two(kind: Any, neuron: dict[str, Any], **options: Any) -> Callable[[], nn.Module]:
    return partial(Blocks, lambda: [kind.Dense({**neuron}, 8, 12, **options),
                                    kind.Dense({**neuron}, 12, 5)])


def image(*between: Callable[[], nn.Module], size: int) -> Callable[[], nn.Module]:
    """An input block, a convolution, what stands `between`, and a dense layer."""
    return partial(Blocks, lambda: [
        cuba.Input({**CUBA}, weight=0.75, bias=0.125),
        cuba.Conv({**CUBA, **NORM}, 2, 4, 3, padding=1), *(make() for make in between),
        cuba.Flatten(), cuba.Dense({**CUBA}, size, 6)])


class Started(nn.Module):
    """A forward that sets the states ahead of the call."""

    def __init__(self, kind: Any, neuron: dict[str, Any], **states: str) -> None:
        super().__init__()
        self.block, self.states = kind.Dense({**neuron}, 8, 12), states

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name, end in self.states.items():
            setattr(self.block.neuron, name, torch.linspace(-0.3, end, 12).repeat(len(x), 1))
        return self.block(x)


def with_bias() -> nn.Module:
    """A sigma-delta neuron with a bias of its own."""
    block = sdnn.Dense({**CHANGES}, 8, 12)
    block.neuron.set_bias(torch.linspace(-0.3, 0.6, 12))
    return Blocks(lambda: [sdnn.Input({**CHANGES}), block, sdnn.Output({**CHANGES}, 12, 5)])


def changes(**options: Any) -> Callable[[], nn.Module]:
    """A sigma-delta network of an encoder, a convolution, a dense layer and a sum."""
    neuron = {**CHANGES, **options}
    return partial(Blocks, lambda: [
        sdnn.Input({**neuron}), sdnn.Conv({**neuron}, 2, 4, 3, stride=2), sdnn.Flatten(),
        sdnn.Dense({**neuron, **NORM}, 36, 8), sdnn.Output({**neuron}, 8, 5)])


ROWS = [
    row("CUBA Dense", two(cuba, CUBA)),
    row("CUBA Dense, weight_norm, no delay_shift", two(cuba, CUBA, weight_norm=True,
                                                       delay_shift=False)),
    row("CUBA Dense, MeanOnlyBatchNorm, Dropout", two(
        cuba, {**CUBA, **NORM, "dropout": slayer.neuron.Dropout(p=0.2)})),
    row("CUBA Dense, shared_param=False", two(
        cuba, {**CUBA, **OWN, "current_decay": (0.1, 0.9), "voltage_decay": (0.01, 0.5)})),
    row("CUBA Dense, delays of 0 to 6 steps", two(cuba, CUBA, delay=True)),
    row("CUBA Dense, mask", two(cuba, CUBA, mask=torch.ones(12, 8).tril())),
    row("CUBA Dense, persistent_state", two(cuba, {**CUBA, "persistent_state": True})),
    row("CUBA Dense, from current and voltage of -0.3 to 0.9", partial(
        Started, cuba, CUBA, current_state=0.9, voltage_state=0.7)),
    row("CUBA Input, Conv, Pool, Flatten", image(lambda: cuba.Pool({**CUBA}, 2), size=100),
        shape=(2, 9, 9)),
    row("CUBA Conv in groups, dilated", image(
        lambda: cuba.Conv({**CUBA}, 4, 8, 3, stride=2, dilation=2, groups=2), size=72),
        shape=(2, 9, 9)),
    row("CUBA ConvT and Unpool", image(
        lambda: cuba.ConvT({**CUBA}, 4, 2, 2, stride=2), lambda: cuba.Unpool({**CUBA}, 2),
        size=512), shape=(2, 4, 4)),
    row("CUBA Recurrent", partial(Blocks, lambda: [
        cuba.Recurrent({**CUBA}, 8, 12), cuba.Dense({**CUBA}, 12, 5)]), mean=0.6),
    row("CUBA KWTA", partial(Blocks, lambda: [cuba.KWTA({**CUBA}, 8, 12, num_winners=3)])),
    row("Average of CUBA groups", partial(Blocks, lambda: [
        cuba.Dense({**CUBA}, 8, 12), cuba.Average(4)])),
    row("Affine without dynamics", partial(Blocks, lambda: [
        cuba.Dense({**CUBA}, 8, 12), cuba.Affine({**CUBA}, 12, 5, dynamics=False)])),
    row("ALIF Dense", two(alif, ALIF)),
    row("ALIF Dense, MeanOnlyBatchNorm, Dropout", two(
        alif, {**ALIF, **NORM, "dropout": slayer.neuron.Dropout(p=0.2)})),
    row("ALIF Dense, shared_param=False", two(
        alif, {**ALIF, **OWN, **{f"{name}_decay": (0.2, 0.8) for name in (
            "current", "voltage", "threshold", "refractory")}})),
    row("ALIF Dense, delays of 0 to 6 steps", two(alif, ALIF, delay=True)),
    row("ALIF Dense, persistent_state", two(alif, {**ALIF, "persistent_state": True})),
    row("ALIF Dense, from states of -0.3 to 0.9", partial(
        Started, alif, ALIF, current_state=0.9, voltage_state=0.7, threshold_state=0.8,
        refractory_state=0.4)),
    row("ALIF Conv, Pool, Flatten, Dense", partial(Blocks, lambda: [
        alif.Conv({**ALIF}, 2, 4, 3), alif.Pool({**ALIF}, 2), alif.Flatten(),
        alif.Dense({**ALIF}, 36, 6)]), shape=(2, 8, 8)),
    row("ALIF Recurrent", partial(Blocks, lambda: [
        alif.Recurrent({**ALIF}, 8, 12), alif.Dense({**ALIF}, 12, 5)]), mean=1.2),
    row("Sigma-delta Input, Conv, Dense, Output", changes(), shape=(2, 8, 8)),
    row("Sigma-delta, shared_param=False", changes(**OWN), shape=(2, 8, 8)),
    row("Sigma-delta, bias", with_bias),
    row("RF Dense", two(slayer.block.rf, TURNS), spread=3.0),
    row("RF Dense, MeanOnlyBatchNorm", two(slayer.block.rf, {**TURNS, **NORM}), spread=3.0),
    row("RF Dense, from states of -0.3 to 0.9", partial(
        Started, slayer.block.rf, TURNS, real_state=0.9, imag_state=0.7), spread=3.0),
    row("RF Conv", partial(Blocks, lambda: [slayer.block.rf.Conv({**TURNS}, 2, 4, 3)]),
        shape=(2, 6, 6), spread=2.0),
    row("RF Dense, Izhikevich", two(slayer.block.rf_iz, {**TURNS, "threshold": 1.0})),
    row("RF Dense, Izhikevich, shared_param=False", two(slayer.block.rf_iz, {
        **TURNS, **OWN, "threshold": 1.0, "period": (4, 20), "decay": (0.05, 0.3)})),
]
