"""What one neuron module was given and gave, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.values import Dims, Expr, Value
from nmcompile.ir.neurons.base import Array


@dataclass(eq=False)
class Calls:
    """The calls of one neuron module, or of neurons that stand for an operation.

    shape     of the population; taken: of the features of one input, None for an operation
    leading   axes in front of the features in the latest call
    currents  the input of each step as an expression
    records   variable -> one (samples, *shape) array a step, in the units of the IR
    initial   variable -> state before the first call
    last      variable -> the state after the latest call
    """

    path: str
    described: Described
    shape: tuple[int, ...]
    taken: tuple[int, ...] | None = None
    leading: Dims = ()
    currents: list[Expr] = field(default_factory=list)
    records: dict[str, list[Array]] = field(default_factory=dict)
    initial: dict[str, Array] = field(default_factory=dict)
    last: dict[str, Value] = field(default_factory=dict)

    def record(self, variable: str, tensor: torch.Tensor, dims: Dims) -> None:
        """Keep the values of each step of `tensor`, whose axes are `dims`."""
        atoms = [axis for dim in dims for axis in dim]
        values = tensor.detach().numpy().reshape([axis.size for axis in atoms])
        tags = [axis.tag for axis in atoms]
        values = np.moveaxis(values, tags.index("B"), 0)
        values = values if "T" in tags else values[:, None]
        if variable == "spikes":
            values = values / self.described.spike_value
        values = self.described.in_ir(variable, values)
        self.records.setdefault(variable, []).extend(
            values[:, step].copy() for step in range(values.shape[1]))

    def record_last(self, variable: str, tensor: torch.Tensor, steps: int) -> None:
        """Keep the state after a call of `steps`; the states before it are not known (NaN)."""
        last = self.described.in_ir(variable, tensor.detach().numpy())
        unknown = [np.full(last.shape, np.nan, np.float32)] * (steps - 1)
        self.records.setdefault(variable, []).extend([*unknown, last.copy()])
