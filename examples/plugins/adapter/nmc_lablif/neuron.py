"""The library itself: a neuron to train with, which knows nothing of nmcompile."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class _Step(torch.autograd.Function):
    """1 where the membrane is above the threshold; backwards a triangle of width 2."""

    @staticmethod
    def forward(context: Any, distance: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(distance)
        return (distance > 0).float()

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (distance,) = context.saved_tensors
        return gradient * (1 - distance.abs()).clamp(min=0)


class RefractoryLeaky(nn.Module):
    """A leaky neuron that is deaf for `refractory` steps after a spike; one step a call."""

    def __init__(self, decay: float, threshold: float = 1.0, refractory: int = 2) -> None:
        super().__init__()
        self.decay, self.threshold, self.refractory = decay, threshold, refractory
        self.reset()

    def reset(self) -> None:
        """Forget the sample before."""
        self.v = self.r = torch.zeros(())

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        """Spikes of one step, of the shape of `current`."""
        v = torch.where(self.r > 0, 0.0, self.decay * self.v + current)
        spikes: torch.Tensor = _Step.apply(v - self.threshold)  # type: ignore[no-untyped-call]
        fired = spikes.detach() > 0
        self.r = torch.where(fired, float(self.refractory), (self.r - 1).clamp(min=0))
        self.v = torch.where(fired, 0.0, v)
        return spikes
