"""Quantised activations: levels of equal distance, and a module that rounds to them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """Levels of a quantised activation: tensors that broadcast to one sample."""

    low: torch.Tensor
    high: torch.Tensor
    size: torch.Tensor


class QuantisedActivation(nn.Module):
    """(clamp(round(x / scale) + zero_point, low, high) - zero_point) * scale, halves to even.

    scale, zero_point  broadcast to one sample; low, high: whole numbers
    """

    def __init__(self, scale: torch.Tensor, zero_point: torch.Tensor, low: int, high: int) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("zero_point", zero_point)
        self.low, self.high = low, high

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The nearest levels, in the shape of `x`."""
        assert isinstance(self.scale, torch.Tensor)
        assert isinstance(self.zero_point, torch.Tensor)
        whole = torch.clamp(torch.round(x / self.scale) + self.zero_point, self.low, self.high)
        return (whole - self.zero_point) * self.scale

    def levels(self) -> Levels:
        """The levels that it rounds to."""
        assert isinstance(self.scale, torch.Tensor)
        assert isinstance(self.zero_point, torch.Tensor)
        return Levels(low=(self.low - self.zero_point) * self.scale,
                      high=(self.high - self.zero_point) * self.scale, size=self.scale)
