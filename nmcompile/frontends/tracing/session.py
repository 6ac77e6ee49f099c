"""One run of a model under the recorder: which neurons were called with what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.adapters import ADAPTERS
from nmcompile.frontends.adapters.interface import (
    Adapter,
    Described,
    arguments,
    current_states,
)
from nmcompile.frontends.tracing.axis_operations import AXIS_OPERATIONS
from nmcompile.frontends.tracing.elementwise import ELEMENTWISE, constant_expr
from nmcompile.frontends.tracing.generic import fallback
from nmcompile.frontends.tracing.layers import LAYERS
from nmcompile.frontends.tracing.recorder import Recorder
from nmcompile.frontends.tracing.values import (
    Dims,
    Expr,
    Link,
    NotTraceableError,
    Opaque,
    Term,
    Value,
    dims_of,
    is_features,
)
from nmcompile.ir.maps import Scale
from nmcompile.ir.neurons.base import Array


@dataclass(eq=False)
class Calls:
    """What one neuron module was given and gave, one entry a call.

    currents  the input of each call as an expression
    records   variable -> one (samples, *shape) array a call
    initial   variable -> state before the first call
    """

    path: str
    module: nn.Module
    adapter: Adapter
    shape: tuple[int, ...] = ()
    described: Described | None = None
    currents: list[Expr] = field(default_factory=list)
    records: dict[str, list[Array]] = field(default_factory=dict)
    initial: dict[str, Array] = field(default_factory=dict)
    last: dict[str, Value] = field(default_factory=dict)


class Session:
    """Runs a model once; afterwards `calls` holds its neurons in the order of their first call."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.calls: dict[str, Calls] = {}
        self.recorder = Recorder({**AXIS_OPERATIONS, **ELEMENTWISE, **LAYERS}, fallback)
        tensors = (*model.parameters(), *model.buffers())
        self.recorder.lasting = {t.untyped_storage().data_ptr() for t in tensors if t.numel()}

    def run(self, function: Callable[[], Any]) -> Any:
        """The result of `function`, which calls the model, with everything recorded."""
        with _quiet(self.model), self._hooked(), self.recorder:
            return function()

    def mark(self, tensor: torch.Tensor, tags: str, name: str, steps: list[int | None]) -> None:
        """Make `tensor` the input port `name`; `steps` says which step each part of it is."""
        exprs = tuple(Expr((Term(name, "spikes", step),), np.zeros(())) for step in steps)
        self.recorder.mark(tensor, Value(dims_of(tags, tensor.shape), exprs))

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        handles = []
        for path, module in self.model.named_modules():
            adapter = next((a for a in ADAPTERS if a.knows(module)), None)
            enter, leave = self._hooks(path, adapter)
            handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(module.register_forward_hook(leave))
            if adapter:
                adapter.reset(module)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hooks(self, path: str, adapter: Adapter | None) -> tuple[Any, Any]:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.recorder.count()
            if adapter and not self.recorder.paused:
                self._enter(path, module, adapter, arguments(adapter, module, args, kwargs))
            self.recorder.paused += adapter is not None
            self.recorder.modules.append((path, type(module).__name__))

        def leave(module: nn.Module, args: Any, result: Any) -> None:
            self.recorder.modules.pop()
            self.recorder.paused -= adapter is not None
            if adapter and not self.recorder.paused:
                self._leave(self.calls[path], result)

        return enter, leave

    def _enter(
        self, path: str, module: nn.Module, adapter: Adapter,
        given: tuple[torch.Tensor, dict[str, torch.Tensor]],
    ) -> None:
        current, passed = given
        value = self._current(path, current)
        shape = tuple(current.shape[1:])
        calls = self.calls.setdefault(path, Calls(path, module, adapter, shape))
        if calls.described is None:
            calls.described = adapter.describe(module, path, shape)
        if calls.shape != shape:
            raise NmcError(path, f"it is called with inputs of shape {calls.shape} and {shape}",
                           "Use one neuron module for each layer.")
        for variable, kept in current_states(adapter, module).items():
            self._check_state(calls, variable, passed.get(variable, kept), current)
        calls.currents.append(value.exprs[0])

    def _current(self, path: str, current: torch.Tensor) -> Value:
        known = self.recorder.known(current)
        if isinstance(known, Opaque):
            if known.mixes_axes:
                raise NotTraceableError(str(known.error), True)
            raise known.error
        if known is None:
            dims = dims_of("B", current.shape)
            return Value(dims, (constant_expr(current, dims),))
        tags = [axis.tag for axis in known.dims[0]] if known.dims else []
        if tags != ["B"] or not all(map(is_features, known.dims[1:])) or len(known.dims) < 2:
            raise NotTraceableError(f"{path} takes (samples, features), not an axis of steps", True)
        return known

    def _check_state(
        self, calls: Calls, variable: str, state: torch.Tensor, current: torch.Tensor
    ) -> None:
        known = self.recorder.known(state)
        if not calls.currents:
            if known is not None:
                raise NmcError(calls.path, f"its first {variable} is computed from the input")
            if state.shape == current.shape:
                dims: Dims = dims_of("B", current.shape)
                start = constant_expr(state, dims).bias.astype(np.float32)
                calls.initial[variable] = start.reshape(calls.shape) if start.ndim else start
            return
        last = calls.last.get(variable)
        if not isinstance(known, Value) or last is None or known.exprs[0] is not last.exprs[0]:
            raise NmcError(
                calls.path, f"its state {variable} is changed or set anew between two steps",
                "A neuron must be called once a step and keep its own state.",
            )

    def _leave(self, calls: Calls, result: Any) -> None:
        spikes = result[0] if isinstance(result, tuple) else result
        step = len(calls.currents) - 1
        assert calls.described is not None
        worth = calls.described.spike_value
        dims = dims_of("B", spikes.shape)
        outputs = {**current_states(calls.adapter, calls.module), "spikes": spikes}
        for variable, tensor in outputs.items():
            term = Term(calls.path, variable, step)
            expr = Expr((term,), np.zeros(()))
            graded = variable == "spikes" and bool(np.any(worth != 1))
            if graded:
                expr = expr.then(self._worth(calls, worth))
            calls.last[variable] = Value(dims, (expr,))
            self.recorder.mark(tensor, calls.last[variable])
            values = tensor.detach().numpy() / worth if graded else tensor.detach().numpy().copy()
            calls.records.setdefault(variable, []).append(values)

    def _worth(self, calls: Calls, worth: Array) -> Link:
        key = ("worth", calls.path)
        if key not in self.recorder.links:
            self.recorder.links[key] = Link(Scale(factor=worth, in_shape=calls.shape), calls.path)
        return self.recorder.links[key]


@contextmanager
def _quiet(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients and a fixed seed; the model is given back as it was."""
    training = {module: module.training for module in model.modules()}
    kept = {
        (module, name): getattr(module, name)
        for module in model.modules() for a in ADAPTERS if a.knows(module)
        for name in a.states(module).values()
    }
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield
    finally:
        for module, flag in training.items():
            module.training = flag
        for (module, name), state in kept.items():
            setattr(module, name, state)

