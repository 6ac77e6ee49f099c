"""Integers in ONNX files: QuantizeLinear, DequantizeLinear, and QONNX's Quant and BipolarQuant.

Semantics: onnx.ai/onnx/operators, and QONNX's docs/qonnx-custom-ops (v0.4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, log2

import numpy as np
import torch
from torch import Tensor

from nmcompile.errors import ParameterError, UnsupportedLayerError
from nmcompile.frontends.adapters.quantised import QuantisedActivation
from nmcompile.frontends.onnx_import.operator import Attributes
from nmcompile.frontends.onnx_import.read import Node
from nmcompile.frontends.onnx_import.tensors import INTEGERS
from nmcompile.ir.maps import Grid

ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "ROUND": torch.round, "FLOOR": torch.floor, "CEIL": torch.ceil,
    "ROUND_TO_ZERO": torch.trunc,
}
OWN = ("Quant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, eq=False)
class Pending:
    """Integers that stand for values called `source`, until they are made values again."""

    source: str
    scale: Tensor
    zero_point: Tensor
    low: int
    high: int


class Quantisers:
    """What is known of the integers of one graph.

    constants  tensors by name; those that a quantiser gives are added
    ranges     lowest and highest value of integer constants
    grids      name of a dequantised constant -> its grid
    """

    def __init__(self, constants: dict[str, Tensor], ranges: dict[str, tuple[int, int]]) -> None:
        self.constants, self.ranges = constants, ranges
        self.grids: dict[str, Grid] = {}
        self.pending: dict[str, Pending] = {}

    def takes(self, node: Node, known: bool) -> bool:
        """True for nodes that make, limit or take integers."""
        waiting = [name for name in node.inputs if name in self.pending]
        if waiting and node.operator not in ("Clip", "DequantizeLinear"):
            raise UnsupportedLayerError(
                node.name, f"operator {node.operator} on integers cannot be compiled",
                "Export in the QDQ form, with values between the operators.")
        return node.operator in OWN or bool(waiting)

    def source_of(self, node: Node) -> str:
        """The values that the activation made of `node` takes."""
        first = node.inputs[0]
        return self.pending[first].source if first in self.pending else first

    def apply(self, node: Node, a: Attributes, known: bool) -> QuantisedActivation | None:
        """The activation that `node` completes; None where it gives a constant or integers."""
        first = node.inputs[0]
        if node.operator == "Clip":
            low, high = (self._bound(node, i) for i in (1, 2))
            before = self.pending[first]
            self.pending[node.outputs[0]] = replace(
                before, low=max(before.low, low), high=min(before.high, high))
            return None
        if node.operator in ("Quant", "BipolarQuant"):
            return self._quant(node, a, known)
        if node.operator == "QuantizeLinear":
            self._quantised(node, a, known)
            return None
        if first in self.pending:
            p = self.pending[first]
            return QuantisedActivation(p.scale, p.zero_point, p.low, p.high)
        self._dequantised(node, a)
        return None

    def follow(self, node: Node) -> None:
        """Keep ranges and grids through the operators on constants that do not change them."""
        first, out = (node.inputs or ("",))[0], node.outputs[0]
        if node.operator == "Constant" and node.attributes.get("kind") in INTEGERS:
            self.ranges[out] = INTEGERS[node.attributes["kind"]]
        if node.operator in ("Identity", "Transpose", "Reshape", "Clip") and first in self.ranges:
            self.ranges[out] = self.ranges[first]
        if node.operator == "Clip" and first in self.ranges:
            low, high = self.ranges[first]
            self.ranges[out] = (max(low, self._bound(node, 1)), min(high, self._bound(node, 2)))
        if node.operator == "Identity" and first in self.grids:
            self.grids[out] = self.grids[first]
        matrix = self.constants[first].dim() == 2 if first in self.constants else False
        if node.operator == "Transpose" and first in self.grids and matrix:
            self.grids[out] = self.grids[first].transposed()

    def _bound(self, node: Node, position: int) -> int:
        limits = (-(2**63), 2**63 - 1)
        given = node.inputs[position] if position < len(node.inputs) else ""
        if not given:
            return limits[position - 1]
        return int(self._constant(node, given).reshape(-1)[0])

    def _constant(self, node: Node, name: str) -> Tensor:
        if name not in self.constants or not self.constants[name].numel():
            raise UnsupportedLayerError(
                node.name, "its scale, zero point or bounds are no constants")
        return self.constants[name]

    def _parameters(self, node: Node, a: Attributes, rank: int) -> tuple[Tensor, Tensor]:
        """Scale and zero point of a (De)QuantizeLinear, shaped to lie along their axis."""
        if a.number("block_size", 0):
            raise UnsupportedLayerError(node.name, "blocks of scales cannot be compiled")
        scale = self._constant(node, node.inputs[1]).to(torch.float32)
        zero = torch.zeros((), dtype=torch.float32)
        if len(node.inputs) > 2 and node.inputs[2]:
            zero = self._constant(node, node.inputs[2]).to(torch.float32)
        if not torch.all(scale > 0):
            raise ParameterError(node.name, "its scale is not above 0")
        shape = [1] * rank
        if scale.numel() > 1 and rank:
            shape[a.number("axis", 1) % rank] = -1
        return (scale.reshape(shape if scale.numel() > 1 else ()),
                zero.reshape(shape if zero.numel() > 1 else ()))

    def _quantised(self, node: Node, a: Attributes, known: bool) -> None:
        zero = node.inputs[2] if len(node.inputs) > 2 else ""
        kind = a.number("output_dtype", 0)
        low, high = self.ranges.get(zero, INTEGERS.get(kind, (0, 255)))
        first, out = node.inputs[0], node.outputs[0]
        if known:
            values = self.constants[first]
            scale, zero_point = self._parameters(node, a, values.dim())
            whole = torch.clamp(torch.round(values / scale) + zero_point, low, high)
            self.constants[out], self.ranges[out] = whole.to(torch.int64), (low, high)
            return
        if self._constant(node, node.inputs[1]).numel() > 1:
            raise UnsupportedLayerError(node.name, "an activation with a scale for each channel",
                                        "Use one scale for the whole tensor.")
        self.pending[out] = Pending(first, *self._parameters(node, a, 0), low, high)

    def _dequantised(self, node: Node, a: Attributes) -> None:
        first, out = node.inputs[0], node.outputs[0]
        whole = self._constant(node, first)
        scale, zero_point = self._parameters(node, a, whole.dim())
        self.constants[out] = (whole.to(torch.float32) - zero_point) * scale
        low, high = self.ranges.get(first, INTEGERS[6])
        self._note(out, scale, ceil(log2(high - low + 1)))

    def _note(self, out: str, step: Tensor, bits: int) -> None:
        if 1 <= bits <= 32:
            self.grids[out] = Grid(step=step.numpy().astype(np.float32), bits=bits)

    def _quant(self, node: Node, a: Attributes, known: bool) -> QuantisedActivation | None:
        scale = self._constant(node, node.inputs[1]).to(torch.float32)
        if not torch.all(scale > 0):
            raise ParameterError(node.name, "its scale is not above 0")
        first, out = node.inputs[0], node.outputs[0]
        if node.operator == "BipolarQuant":
            if not known:
                raise UnsupportedLayerError(
                    node.name, "an activation of two levels cannot be compiled",
                    "Use one of 2 bits or more.")
            self.constants[out] = torch.where(self.constants[first] >= 0, scale, -scale)
            self._note(out, scale, 1)
            return None
        if len(node.inputs) < 4:
            raise UnsupportedLayerError(
                node.name, "Quant takes a scale, a zero point and a bit width")
        zero = self._constant(node, node.inputs[2]).to(torch.float32)
        bits = int(self._constant(node, node.inputs[3]).reshape(-1)[0])
        low, high = _range(node.name, bits, bool(a.number("signed", 1)),
                           bool(a.number("narrow", 0)))
        mode = a.text("rounding_mode", "ROUND").upper()
        if mode not in ROUNDINGS or (mode != "ROUND" and not known):
            raise UnsupportedLayerError(
                node.name, f"rounding of mode {mode[:20]} cannot be compiled")
        if not known:
            return QuantisedActivation(scale, zero, low, high)
        whole = torch.clamp(ROUNDINGS[mode](self.constants[first] / scale) + zero, low, high)
        self.constants[out] = (whole - zero) * scale
        self._note(out, scale, bits)
        return None


def _range(name: str, bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    if not 1 <= bits <= 32:
        raise UnsupportedLayerError(name, f"{bits} bits cannot be compiled")
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow
