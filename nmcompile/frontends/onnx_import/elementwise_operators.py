"""Operators of ONNX on single elements, and those that only end a network."""

from __future__ import annotations

from functools import reduce
from math import inf

import torch
from torch import Tensor
from torch.nn import functional

from nmcompile.errors import UnsupportedLayerError
from nmcompile.frontends.onnx_import.operator import Attributes, Operator


def _clip(
    a: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None
) -> Tensor:
    if not x.dtype.is_floating_point:
        lowest, highest = torch.iinfo(torch.int64).min, torch.iinfo(torch.int64).max
        return x.clamp(lowest if low is None else int(low), highest if high is None else int(high))
    return x.clamp(-inf if low is None else float(low), inf if high is None else float(high))


def _leaky(a: Attributes, x: Tensor) -> Tensor:
    return functional.leaky_relu(x, a.real("alpha", 0.01))


def _prelu(a: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    return slope * x + (1 - slope) * torch.relu(x)


def _hard_sigmoid(a: Attributes, x: Tensor) -> Tensor:
    return torch.clamp(x * a.real("alpha", 0.2) + a.real("beta", 0.5), 0.0, 1.0)


def _dropout(
    a: Attributes, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None
) -> Tensor:
    if training is not None and bool(training):
        raise UnsupportedLayerError(a.name, "a dropout in training mode", "Export model.eval().")
    return x


def _divided(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    whole = not (x.dtype.is_floating_point or y.dtype.is_floating_point)
    return torch.div(x, y, rounding_mode="trunc") if whole else torch.div(x, y)


def _remainder(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return torch.fmod(x, y) if a.number("fmod", 0) else torch.remainder(x, y)


def _total(a: Attributes, *x: Tensor) -> Tensor:
    return reduce(torch.add, x)


def _mean(a: Attributes, *x: Tensor) -> Tensor:
    return _total(a, *x) / len(x)


ELEMENTS: dict[str, Operator] = {
    "Add": lambda a, x, y: x + y, "Sub": lambda a, x, y: x - y, "Mul": lambda a, x, y: x * y,
    "Div": _divided, "Mod": _remainder, "Neg": lambda a, x: -x, "Sum": _total, "Mean": _mean,
    "Max": lambda a, *x: reduce(torch.maximum, x), "Min": lambda a, *x: reduce(torch.minimum, x),
    "Relu": lambda a, x: torch.relu(x), "Clip": _clip, "LeakyRelu": _leaky, "PRelu": _prelu,
    "HardSigmoid": _hard_sigmoid, "Abs": lambda a, x: torch.abs(x), "Dropout": _dropout,
    "Sqrt": lambda a, x: torch.sqrt(x), "Exp": lambda a, x: torch.exp(x),
    "Log": lambda a, x: torch.log(x), "Pow": lambda a, x, y: torch.pow(x, y),
    "Reciprocal": lambda a, x: torch.reciprocal(x), "Floor": lambda a, x: torch.floor(x),
    "Ceil": lambda a, x: torch.ceil(x), "Round": lambda a, x: torch.round(x),
    "Sign": lambda a, x: torch.sign(x), "Equal": lambda a, x, y: x == y,
    "Greater": lambda a, x, y: x > y, "GreaterOrEqual": lambda a, x, y: x >= y,
    "Less": lambda a, x, y: x < y, "LessOrEqual": lambda a, x, y: x <= y,
    "And": lambda a, x, y: torch.logical_and(x, y), "Or": lambda a, x, y: torch.logical_or(x, y),
    "Xor": lambda a, x, y: torch.logical_xor(x, y), "Erf": lambda a, x: torch.erf(x),
    "Where": lambda a, c, x, y: torch.where(c, x, y), "Not": lambda a, x: torch.logical_not(x),
    "Sigmoid": lambda a, x: torch.sigmoid(x), "Tanh": lambda a, x: torch.tanh(x),
    "Elu": lambda a, x: functional.elu(x, a.real("alpha", 1.0)),
    "Gelu": lambda a, x: functional.gelu(x, approximate=a.text("approximate", "none")),
    "HardSwish": lambda a, x: functional.hardswish(x),
    "Softplus": lambda a, x: functional.softplus(x),
    "Softmax": lambda a, x: torch.softmax(x, a.number("axis", -1)),
    "LogSoftmax": lambda a, x: torch.log_softmax(x, a.number("axis", -1)),
    "ArgMax": lambda a, x: torch.argmax(x, a.number("axis", 0), bool(a.number("keepdims", 1))),
}
