"""Brevitas: quantised layers around spiking neurons and activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import brevitas.nn as qnn
import snntorch as snn
import torch
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8ActPerTensorFloat,
    Int8BiasPerTensorFloatInternalScaling,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    SignedBinaryWeightPerTensorConst,
    SignedTernaryWeightPerTensorConst,
)
from spikingjelly.activation_based import neuron
from torch import nn

from helpers.conformance.rows import Row


class Spiking(nn.Module):
    """Quantised layers around snnTorch's neurons, `between` on the spikes of the first."""

    def __init__(self, between: nn.Module | None = None, **options: object) -> None:
        super().__init__()
        self.fc1, self.lif1 = qnn.QuantLinear(8, 12, bias=True, **options), snn.Leaky(beta=0.8)
        self.between = between or nn.Identity()
        self.fc2, self.lif2 = qnn.QuantLinear(12, 6, bias=False, **options), snn.Leaky(beta=0.8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for values in x:
            spk, mem1 = self.lif1(self.fc1(values), mem1)
            spk, mem2 = self.lif2(self.fc2(self.between(spk)), mem2)
            out.append(spk)
        return torch.stack(out)


class Convolutional(nn.Module):
    """Quantised convolutions with a scale for each channel, batch normalisation, IF neurons."""

    def __init__(self) -> None:
        super().__init__()
        options = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": 4}
        self.conv1, self.bn1 = qnn.QuantConv2d(2, 4, 3, padding=1, **options), nn.BatchNorm2d(4)
        self.conv2, self.if1 = qnn.QuantConv2d(4, 6, 3, groups=2, **options), neuron.IFNode()
        self.fc, self.if2 = qnn.QuantLinear(6 * 36, 5, **options), neuron.IFNode()
        self.if3 = neuron.IFNode()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.if3(self.fc(self.if2(self.conv2(self.if1(
            self.bn1(self.conv1(values))))).flatten(1))) for values in x])


def mlp(activation: Callable[[], nn.Module], first: nn.Module | None = None,
        **options: object) -> nn.Module:
    return nn.Sequential(
        *([first] if first else []), qnn.QuantLinear(8, 12, bias=True, **options), activation(),
        qnn.QuantLinear(12, 12, bias=True, **options), activation(),
        qnn.QuantLinear(12, 5, bias=True, **options))


def seen(make: Callable[[], nn.Module], *shape: int) -> nn.Module:
    """A module whose activation scales have seen values."""
    model = make().train()
    for _ in range(3):
        model(torch.rand(*shape))
        for part in model.modules():
            if isinstance(part, neuron.IFNode):
                part.reset()
    return model


def spiking(construct: str, make: Callable[[], nn.Module], *shape: int) -> Row:
    return Row("Brevitas", construct, partial(seen, make, 4, 2, *(shape or (8,))), shape or (8,))


def graded(construct: str, make: Callable[[], nn.Module]) -> Row:
    return Row("Brevitas", construct, partial(seen, make, 32, 8), steps=0, spread=2.5, mean=0.3)


ROWS = (
    spiking("QuantLinear around Leaky, 4 bits", partial(Spiking, weight_bit_width=4)),
    spiking("QuantLinear, fixed point", partial(
        Spiking, weight_quant=Int8WeightPerTensorFixedPoint)),
    spiking("QuantLinear, binary weights", partial(
        Spiking, weight_quant=SignedBinaryWeightPerTensorConst, weight_scaling_const=0.5)),
    spiking("QuantLinear, ternary weights", partial(
        Spiking, weight_quant=SignedTernaryWeightPerTensorConst, weight_scaling_const=0.5)),
    spiking("QuantLinear with quantised input", partial(
        Spiking, weight_bit_width=4, input_quant=Int8ActPerTensorFloat)),
    spiking("QuantIdentity on spikes", partial(
        Spiking, qnn.QuantIdentity(bit_width=2), weight_bit_width=4)),
    spiking("QuantReLU on spikes", partial(
        Spiking, qnn.QuantReLU(bit_width=4), weight_bit_width=4)),
    spiking("QuantConv2d, a scale for each channel, around IFNode", Convolutional, 2, 8, 8),
    graded("QuantReLU", partial(mlp, partial(qnn.QuantReLU, bit_width=3), weight_bit_width=3)),
    graded("QuantIdentity, narrow or not, and QuantHardTanh", partial(
        mlp, partial(qnn.QuantHardTanh, min_val=-1.0, max_val=1.0, bit_width=4),
        qnn.QuantIdentity(bit_width=5, narrow_range=True))),
    graded("QuantReLU, fixed point, quantised bias", partial(
        mlp, partial(qnn.QuantReLU, act_quant=None), bias_quant=Int8BiasPerTensorFloatInternalScaling)),
    graded("quantised tensors passed on, bias of 32 bits", partial(
        mlp, partial(qnn.QuantReLU, bit_width=4, return_quant_tensor=True),
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, return_quant_tensor=True),
        bias_quant=Int32Bias)),
    graded("activations with a zero point", partial(
        mlp, nn.ReLU, qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat))),
)
