"""Nodes that exporters write in roundabout ways, as what they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nmcompile.frontends.onnx_import.read import Node


def plain(nodes: Iterable[Node]) -> list[Node]:
    """`nodes` with sign(x) * |x| as x, which torch writes for LPPool of order 1."""
    makers: dict[str, Node] = {}
    found = []
    for node in nodes:
        source = _signed(node, makers)
        kept = node if source is None else replace(
            node, operator="Identity", inputs=(source,), attributes={})
        makers.update(dict.fromkeys(node.outputs, kept))
        found.append(kept)
    return found


def _signed(node: Node, makers: dict[str, Node]) -> str | None:
    """The x of a product of sign(x) and |x|, or relu(|x|)."""
    if node.operator != "Mul" or len(node.inputs) != 2:
        return None
    for sign, size in (node.inputs, node.inputs[::-1]):
        x = _argument(makers, sign, "Sign")
        inner = _argument(makers, size, "Relu") or size
        if x is not None and _argument(makers, inner, "Abs") == x:
            return x
    return None


def _argument(makers: dict[str, Node], name: str, operator: str) -> str | None:
    """The argument of the node that made `name`, if it is an `operator`."""
    maker = makers.get(name)
    one = maker is not None and maker.operator == operator and len(maker.inputs) == 1
    return maker.inputs[0] if maker is not None and one else None
