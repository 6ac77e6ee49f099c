"""What one neuron module was given and gave, step by step."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import torch

from nmcompile.frontends.adapters.interface import Described
from nmcompile.frontends.tracing.values import Dims, Expr, Link, Term, Value
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons.base import Array


@dataclass(eq=False)
class Calls:
    """The calls of one neuron module, or of neurons that stand for an operation.

    shape     of the population; taken: of the features of one input, None for an operation
    leading   axes in front of the features in the latest call; trailing: behind them
    currents  the input of each step as an expression
    records   variable -> one (samples, *shape) array a step, in the units of the IR
    initial   variable -> state before the first call
    last      variable -> the state after the latest call
    static    true for neurons without memory whose input is the same in every step: one current
              and one record stand for all steps
    dt        seconds of one step, where the module says it
    """

    path: str
    described: Described
    shape: tuple[int, ...]
    taken: tuple[int, ...] | None = None
    leading: Dims = ()
    trailing: Dims = ()
    currents: list[Expr] = field(default_factory=list)
    records: dict[str, list[Array]] = field(default_factory=dict)
    initial: dict[str, Array] = field(default_factory=dict)
    last: dict[str, Value] = field(default_factory=dict)
    static: bool = False
    dt: float | None = None

    def sent(
        self, variable: str, steps: range, links: dict[Hashable, Link]
    ) -> tuple[Expr, ...]:
        """A variable of each of `steps` as an expression; spikes are worth what they are worth."""
        exprs = tuple(Expr((Term(self.path, variable, step),), np.zeros(())) for step in steps)
        worth = self.worth(links) if variable == "spikes" else None
        return exprs if worth is None else tuple(expr.then(worth) for expr in exprs)

    def worth(self, links: dict[Hashable, Link]) -> Link | None:
        """The factor of a spike, among `links` or made for them; None where it is 1."""
        value = self.described.spike_value
        if np.all(value == 1):
            return None
        made = Link(Scale(factor=value, in_shape=self.shape), self.path)
        return links.setdefault(("worth", self.path), made)

    def record(self, variable: str, tensor: torch.Tensor, dims: Dims) -> None:
        """Keep the values of each step of `tensor`, whose axes are `dims`."""
        atoms = [axis for dim in dims for axis in dim]
        values = tensor.detach().numpy().reshape([axis.size for axis in atoms])
        tags = [axis.tag for axis in atoms]
        if "T" in tags:
            values = np.moveaxis(values, (tags.index("B"), tags.index("T")), (0, 1))
        else:
            values = np.moveaxis(values, tags.index("B"), 0)[:, None]
        if variable == "spikes":
            values = values / self.described.spike_value
        values = self.described.in_ir(variable, values)
        self.records.setdefault(variable, []).extend(
            values[:, step].reshape(len(values), *self.shape).copy()
            for step in range(values.shape[1]))

    def record_last(self, variable: str, tensor: torch.Tensor, steps: int) -> None:
        """Keep the state after a call of `steps`; the states before it are not known (NaN)."""
        last = self.described.in_ir(variable, tensor.detach().numpy())
        unknown = [np.full(last.shape, np.nan, np.float32)] * (steps - 1)
        self.records.setdefault(variable, []).extend([*unknown, last.copy()])
