"""Layers whose weights are real numbers, or integers of few bits that Brevitas trains."""

from __future__ import annotations

from typing import Any

import brevitas.nn
from brevitas.quant import Int8WeightPerChannelFloatMSE, Int8WeightPerTensorFloatMSE
from torch import nn

# A step for a layer, or for each neuron: that of least squared error at first, then trained too.
STEP, STEPS = Int8WeightPerTensorFloatMSE, Int8WeightPerChannelFloatMSE


def linear(
    bits: int | None, n_in: int, n_out: int, *, bias: bool = True, own_steps: bool = False
) -> nn.Module:
    """A dense layer; `bits` of each weight, None for real ones.

    own_steps  whether each neuron has a step of its own, for chips whose neurons have thresholds of
               their own
    """
    if bits is None:
        return nn.Linear(n_in, n_out, bias=bias)
    layer: nn.Module = brevitas.nn.QuantLinear(
        n_in, n_out, bias=bias, weight_bit_width=bits, weight_quant=STEPS if own_steps else STEP)
    return layer


def conv(bits: int | None, n_in: int, n_out: int, **options: Any) -> nn.Module:
    """A convolution of 3x3 with padding; `bits` of each weight, None for real ones."""
    options = {"kernel_size": 3, "padding": 1, **options}
    if bits is None:
        return nn.Conv2d(n_in, n_out, **options)
    layer: nn.Module = brevitas.nn.QuantConv2d(
        n_in, n_out, weight_bit_width=bits, weight_quant=STEP, **options)
    return layer
