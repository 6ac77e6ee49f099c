"""One row of the conformance table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Row:
    """A construct of a library and a model that uses it.

    library    as it calls itself; requires: the packages to import
    make       makes the model; called under a fixed seed, its layers get new weights
    shape      features of one step of the input
    steps      of the run
    spread, mean  of the new weights, times 1/sqrt(fan-in) and 1/fan-in
    """

    library: str
    construct: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...] = (8,)
    steps: int = 50
    spread: float = 1.2
    mean: float = 1.5


def with_lively_weights(row: Row) -> nn.Module:
    """The model of `row` with weights under which its neurons fire, but not in every step."""
    model = row.make()
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            fan_in = module.weight[0].numel()
            spread, mean = row.spread / fan_in**0.5, row.mean / fan_in
            if path.endswith(("rec_connect", "recurrent")):
                mean = -mean / 2
            nn.init.uniform_(module.weight, mean - spread, mean + spread)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.3, 0.6)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0, 0.3)
    return model.eval()


def loop(step: Callable[[nn.Module, torch.Tensor], torch.Tensor], **parts: nn.Module) -> nn.Module:
    """A module with `parts` whose forward collects `step(self, x[t])` over the first axis."""

    class Loop(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([step(self, values) for values in x])

    module = Loop()
    for name, part in parts.items():
        module.add_module(name, part)
    return module
