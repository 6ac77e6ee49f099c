"""An ONNX graph as a torch module: its constant parts computed once, the rest node by node."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nmcompile.errors import ModelSizeError, NmcError, UnsupportedLayerError
from nmcompile.frontends.onnx_import.operator import Attributes, Operator
from nmcompile.frontends.onnx_import.operators import OPERATORS, REFUSED
from nmcompile.frontends.onnx_import.quantisers import Quantisers
from nmcompile.frontends.onnx_import.read import Graph, Node
from nmcompile.frontends.onnx_import.rewrites import plain
from nmcompile.frontends.onnx_import.tensors import INTEGERS
from nmcompile.frontends.tracing.extent import require_modest
from nmcompile.frontends.tracing.recorder import RAISED
from nmcompile.ir.maps import Grid

MOST_COMPUTED = 1 << 28  # numbers of all constants together


class Operation(nn.Module):
    """One node; `run` is given its attributes and its tensors."""

    def __init__(self, run: Operator, attributes: Attributes) -> None:
        super().__init__()
        self.run, self.attributes = run, attributes

    def forward(self, *tensors: Tensor | None) -> Any:
        """What the operator gives."""
        return self.run(self.attributes, *tensors)


@cache
def _class_of(operator: str) -> type[Operation]:
    """A class called like the operator, for messages."""
    return type(operator, (Operation,), {})


class OnnxModel(nn.Module):
    """Runs a graph on tensors (samples, ...) and gives its outputs.

    weight_grids  weights that the file holds as integers, and their grids
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.input, self.outputs = graph.input, graph.outputs
        self.batch = graph.shape[0]
        self.steps: list[tuple[nn.Module, tuple[str, ...], tuple[str, ...]]] = []
        self.constants: dict[str, Tensor] = {
            name: torch.from_numpy(values.copy()) for name, values in graph.constants.items()}
        self.quantisers = Quantisers(self.constants, {
            name: INTEGERS[kind] for name, kind in graph.kinds.items() if kind in INTEGERS})
        for node in plain(graph.nodes):
            self._add(node, graph.opset)
        used = {name for _, inputs, _ in self.steps for name in inputs} | set(graph.outputs)
        self.constants = {k: v for k, v in self.constants.items() if k in used}
        for number, tensor in enumerate(self.constants.values()):
            self.register_buffer(f"constant_{number}", tensor)
        self.last_use = {name: i for i, (_, inputs, _) in enumerate(self.steps) for name in inputs}

    @property
    def weight_grids(self) -> list[tuple[Tensor, Grid]]:
        """Constants that lie on a grid."""
        grids = self.quantisers.grids
        return [(tensor, grids[name]) for name, tensor in self.constants.items() if name in grids]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs."""
        values: dict[str, Any] = {"": None, self.input: x, **self.constants}
        for index, (module, inputs, outputs) in enumerate(self.steps):
            given = module(*(values[name] for name in inputs))
            results = given if isinstance(given, tuple) else (given,)
            values.update(zip(outputs, results, strict=False))
            for name in inputs:
                if name and self.last_use[name] == index and name not in self.outputs:
                    values.pop(name, None)
        return tuple(values[name] for name in self.outputs)

    def _add(self, node: Node, opset: int) -> None:
        attributes = Attributes(node.name, node.attributes, opset, self.batch)
        known = all(not name or name in self.constants for name in node.inputs)
        if self.quantisers.takes(node, known):
            with _modest(node):
                module = self.quantisers.apply(node, attributes, known)
            if module is not None:
                source = self.quantisers.source_of(node)
                self._append(node, module, (source,))
            return
        if node.operator not in OPERATORS:
            raise UnsupportedLayerError(node.name, f"operator {node.operator} cannot be compiled",
                                        REFUSED.get(node.operator, ""))
        run = OPERATORS[node.operator]
        if not known:
            self._append(node, _class_of(node.operator)(run, attributes), node.inputs)
            return
        with _modest(node):
            given = run(attributes, *(self.constants.get(name) for name in node.inputs))
        self._keep(node, given)

    def _keep(self, node: Node, given: Any) -> None:
        """Note what a node gave that takes nothing but constants."""
        results = given if isinstance(given, tuple) else (given,)
        for name, tensor in zip(node.outputs, results, strict=False):
            self.constants[name] = tensor.contiguous()
        if sum(t.numel() for t in self.constants.values()) > MOST_COMPUTED:
            raise ModelSizeError(node.name, f"constants of more than {MOST_COMPUTED:,} numbers")
        self.quantisers.follow(node)

    def _append(self, node: Node, module: nn.Module, inputs: tuple[str, ...]) -> None:
        name = re.sub(r"\W+", "_", node.name).strip("_")[:200] or node.operator
        while hasattr(self, name):
            name += "_"
        self.add_module(name, module)
        self.steps.append((module, inputs, node.outputs))


class _modest(TorchDispatchMode):  # noqa: N801 - reads as what it does in `with`
    """Refuses results that would be too large, and turns errors into refusals of the node."""

    def __init__(self, node: Node) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.node = node

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run `func` if its result has a modest size."""
        kwargs = kwargs or {}
        require_modest(func.overloadpacket.__name__, func, args, kwargs, self.node.name)
        return func(*args, **kwargs)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Leave, with a refusal in place of an error of torch."""
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        if isinstance(error, RAISED) and not isinstance(error, NmcError):
            first = (str(error).splitlines() or [""])[0][:160]
            raise UnsupportedLayerError(
                self.node.name, f"operator {self.node.operator} does not run on what "
                f"it is given: {first}") from error
