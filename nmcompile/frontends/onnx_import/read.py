"""Read an ONNX file as plain nodes and arrays; nothing of it is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from nmcompile.errors import (
    DamagedFileError,
    FileKindError,
    FileSizeError,
    ModelFileError,
    ModelSizeError,
    UnsupportedLayerError,
)
from nmcompile.frontends.onnx_import.tensors import Tensors, attribute, text
from nmcompile.ir.neurons.base import Array

LARGEST_FILE = 1 << 31  # bytes of a protobuf message
OLDEST = 13
MOST_NODES = 100_000
QUANTISED = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
STANDARD = ("", "ai.onnx")


@dataclass(frozen=True, eq=False)
class Node:
    """One operator: what it is called, what it takes and gives, and its attributes by name."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph with one input.

    shape      of the input, its samples first; None where the file leaves a size open
    constants  name -> array; kinds: name -> ONNX's data type
    opset      version of the standard operators
    """

    input: str
    shape: tuple[int | None, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array]
    kinds: dict[str, int]
    opset: int


def read_graph(path: Path) -> Graph:
    """The graph in `path`; NmcError where it is damaged or cannot be compiled."""
    if path.stat().st_size > LARGEST_FILE:
        raise FileSizeError(str(path), f"has more than {LARGEST_FILE:,} bytes")
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise DamagedFileError(str(path), "is a damaged ONNX file", "Export it again.") from error
    opset = _opset(path, model)
    if len(model.functions):
        raise UnsupportedLayerError(str(path), "holds local functions",
                                    "Inline them: onnx.inliner.inline_local_functions(model).")
    graph, tensors = model.graph, Tensors(path.parent)
    if len(graph.sparse_initializer):
        raise UnsupportedLayerError(str(path), "holds sparse initializers", "Store them densely.")
    if not 0 < len(graph.node) <= MOST_NODES:
        raise ModelSizeError(
            str(path), f"holds {len(graph.node):,} nodes; 1 to {MOST_NODES:,} are read")
    constants = {text(t.name): tensors.array(text(t.name) or "initializer", t)
                 for t in graph.initializer}
    nodes = tuple(_node(index, node, tensors) for index, node in enumerate(graph.node))
    name, shape = _input(path, graph, constants)
    outputs = tuple(text(output.name) for output in graph.output)
    _require_order(path, nodes, {name, *constants}, outputs)
    return Graph(input=name, shape=shape, outputs=outputs, nodes=nodes, constants=constants,
                 kinds={text(t.name): t.data_type for t in graph.initializer}, opset=opset)


def _opset(path: Path, model: onnx.ModelProto) -> int:
    versions = {text(entry.domain): entry.version for entry in model.opset_import}
    found = max((versions.get(domain, 0) for domain in STANDARD), default=0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST <= found <= newest:
        raise FileKindError(str(path), f"is of opset {found}; {OLDEST} to {newest} are read",
                            "Convert it: onnx.version_converter.convert_version(model, 18).")
    return int(found)


def _node(index: int, node: onnx.NodeProto, tensors: Tensors) -> Node:
    operator, domain = text(node.op_type), text(node.domain)
    name = text(node.name) or f"{operator}_{index}"
    if domain not in (*STANDARD, *QUANTISED):
        raise UnsupportedLayerError(name, f"operator {operator} of '{domain}' cannot be compiled")
    attributes = {text(a.name): attribute(name, a, tensors) for a in node.attribute}
    if operator == "Constant" and node.attribute and node.attribute[0].name == "value":
        attributes["kind"] = node.attribute[0].t.data_type
    inputs, outputs = (tuple(map(text, names)) for names in (node.input, node.output))
    return Node(name, operator, inputs, outputs, attributes)


def _input(
    path: Path, graph: onnx.GraphProto, constants: dict[str, Array]
) -> tuple[str, tuple[int | None, ...]]:
    given = [port for port in graph.input if text(port.name) not in constants]
    if len(given) != 1:
        raise ModelFileError(str(path), f"has {len(given)} inputs; one is supported")
    shape = given[0].type.tensor_type.shape
    sizes = tuple(d.dim_value if d.dim_value > 0 else None for d in shape.dim)
    if len(sizes) < 2:
        raise ModelFileError(text(given[0].name), f"an input of {len(sizes)} axes has no samples",
                             "Export the model with (samples, ...) inputs.")
    return text(given[0].name), sizes


def _require_order(
    path: Path, nodes: tuple[Node, ...], known: set[str], outputs: tuple[str, ...]
) -> None:
    """Raise unless each node takes what is there before it, and each name is given once."""
    known = {"", *known}
    for node in nodes:
        for name in node.inputs:
            if name not in known:
                raise DamagedFileError(
                    node.name, f"takes '{name[:80]}', which nothing before it gives")
        for name in node.outputs:
            if name and name in known:
                raise DamagedFileError(node.name, f"gives '{name[:80]}' a second time")
            known.add(name)
    missing = [name for name in outputs if name not in known]
    if missing or not outputs:
        raise DamagedFileError(
            str(path), f"its output '{''.join(missing[:1])[:80]}' is given by no node")
