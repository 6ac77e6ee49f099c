"""Layers whose weights are real numbers, or integers of few bits that Brevitas trains."""

from __future__ import annotations

from typing import Any

import brevitas.nn
from brevitas.quant import Int8WeightPerTensorFloatMSE
from torch import nn

# One step for a layer: the one of least squared error at first, then trained like the weights.
STEP = Int8WeightPerTensorFloatMSE


def linear(bits: int | None, n_in: int, n_out: int, *, bias: bool = True) -> nn.Module:
    """A dense layer; `bits` of each weight, None for real ones."""
    if bits is None:
        return nn.Linear(n_in, n_out, bias=bias)
    layer: nn.Module = brevitas.nn.QuantLinear(
        n_in, n_out, bias=bias, weight_bit_width=bits, weight_quant=STEP)
    return layer


def conv(bits: int | None, n_in: int, n_out: int, **options: Any) -> nn.Module:
    """A convolution of 3x3 with padding; `bits` of each weight, None for real ones."""
    options = {"kernel_size": 3, "padding": 1, **options}
    if bits is None:
        return nn.Conv2d(n_in, n_out, **options)
    layer: nn.Module = brevitas.nn.QuantConv2d(
        n_in, n_out, weight_bit_width=bits, weight_quant=STEP, **options)
    return layer
