"""One run of a model under the recorder: which neurons were called with what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from math import prod
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import nn

from nmcompile.errors import TraceError
from nmcompile.frontends.adapters import adapters
from nmcompile.frontends.adapters.brevitas import is_weight_quantiser, weight_grid
from nmcompile.frontends.adapters.interface import MERGED, STEPS_LAST, Adapter, Gave, Given
from nmcompile.frontends.adapters.lava_dl import rounds_its_input, trained_step
from nmcompile.frontends.tracing.activations import ACTIVATIONS
from nmcompile.frontends.tracing.axis_operations import AXIS_OPERATIONS
from nmcompile.frontends.tracing.binary import with_spikes
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.elementwise import ELEMENTWISE, constant_expr
from nmcompile.frontends.tracing.generic import fallback
from nmcompile.frontends.tracing.handwritten import COMPARISONS, with_neurons
from nmcompile.frontends.tracing.layers import LAYERS
from nmcompile.frontends.tracing.leaving import Leaving, rebuilt
from nmcompile.frontends.tracing.membranes import Sites
from nmcompile.frontends.tracing.pooling import POOLING
from nmcompile.frontends.tracing.quiet import quiet
from nmcompile.frontends.tracing.recorder import Known, Recorder
from nmcompile.frontends.tracing.time_kernels import TIME_KERNELS
from nmcompile.frontends.tracing.values import (
    Axis,
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
from nmcompile.frontends.tracing.whole import Ran, mark_result, reader
from nmcompile.frontends.tracing.writes import with_views
from nmcompile.ir.maps import from_matrix


class Session:
    """Runs a model once; afterwards `calls` holds its neurons in the order of their first call.

    scaled  as in Sites
    """

    def __init__(self, model: nn.Module, scaled: bool = True) -> None:
        self.model = model
        handlers = {**AXIS_OPERATIONS, **ELEMENTWISE, **LAYERS, **POOLING, **ACTIVATIONS,
                    **TIME_KERNELS}
        self.sites = Sites(scaled)
        self.recorder = Recorder(
            with_views(with_spikes(with_neurons(handlers, self.sites))), fallback)
        self.recorder.unmarked = {"set_": rebuilt, **dict.fromkeys(
            COMPARISONS, self.sites.silent)}
        self.calls = self.recorder.neurons
        for tensor, grid in getattr(model, "weight_grids", ()):
            self.recorder.grids[tensor.untyped_storage().data_ptr()] = (tensor, grid)
        tensors = (*nn.Module.parameters(model), *nn.Module.buffers(model))
        self.recorder.lasting = {t.untyped_storage().data_ptr() for t in tensors
                                if t.layout == torch.strided and t.numel()}

    def run(self, function: Callable[[], Any]) -> Any:
        """The result of `function`, which calls the model, with everything recorded."""
        with quiet(self.model), self._hooked(), self.recorder, Leaving(self.recorder):
            return function()

    def mark(self, tensor: torch.Tensor, tags: str, name: str, steps: list[int | None]) -> None:
        """Make `tensor` the input port `name`; `steps` says which step each part of it is."""
        dims: Dims
        exprs = tuple(Expr((Term(name, "spikes", step),), np.zeros(())) for step in steps)
        if tags == STEPS_LAST:
            dims = dims_of("B" + "F" * (tensor.dim() - 2) + "T", tensor.shape)
        elif tags == MERGED:
            merged = (Axis("B", len(tensor) // len(steps)), Axis("T", len(steps)))
            dims = (merged, *dims_of("", tensor.shape[1:]))
        else:
            dims = dims_of(tags, tensor.shape)
        self.recorder.mark(tensor, Value(dims, exprs))

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        handles = []
        for path, module in self.model.named_modules():
            adapter = next((a for a in adapters() if a.knows(module)), None)
            if (step := trained_step(module)) is not None:
                self.recorder.steps[path] = step
            if rounds_its_input(module):
                self.recorder.rounding.add(path)
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
        whole = reader(self.model.get_submodule(path))
        taken: list[tuple[torch.Tensor, Known | None]] = []
        calls: list[Given] = []

        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.recorder.count()
            if whole:
                taken.append((args[0], self.recorder.known(args[0])))
                self.recorder.paused += 1
            if adapter and not self.recorder.paused:
                calls.append(adapter.given(module, args, kwargs))
                self._enter(path, module, adapter, calls[-1])
            self.recorder.paused += adapter is not None
            self.recorder.modules.append((path, type(module).__name__))

        def leave(module: nn.Module, args: Any, result: Any) -> Any:
            self.recorder.modules.pop()
            if whole:
                given, known = taken.pop()
                if self.recorder.paused == 1:
                    mark_result(Ran(self.recorder, path, module, given, result), whole, known)
                self.recorder.paused -= 1
            if is_weight_quantiser(module) and (found := weight_grid(result)):
                self.recorder.grids[found[0].untyped_storage().data_ptr()] = found
            gave = None
            if adapter and self.recorder.paused == 1:
                gave = adapter.gave(module, calls.pop(), result)
                self._leave(self.calls[path], gave)
            self.recorder.paused -= adapter is not None
            return gave.result if gave else None

        return enter, leave

    def _enter(self, path: str, module: nn.Module, adapter: Adapter, given: Given) -> None:
        axes = adapter.axes(module)
        value = self._current(path, given.current, axes)
        self.recorder.followed += 1
        before = len(_leading(axes))
        shape = tuple(given.current.shape[before : given.current.dim() - (axes == STEPS_LAST)])
        if path not in self.calls:
            described = adapter.describe(module, path, shape)
            population = described.entry[-1].out_shape if described.entry else shape
            self.calls[path] = Calls(path, described, population, shape, dt=adapter.dt(module))
        calls = self.calls[path]
        if calls.taken != shape:
            raise TraceError(path, f"it is called with inputs of shape {calls.taken} and {shape}",
                             "Use one neuron module for each layer.")
        for variable, state in given.states.items():
            self._check_state(calls, variable, state, _samples(value.dims))
        adapter.sized(module, _samples(value.dims), len(value.exprs))
        calls.leading = value.dims[:before]
        calls.trailing = value.dims[-1:] if axes == STEPS_LAST else ()
        for link in self._entry(calls):
            value = value.then(link, value.dims)
        if given.more:
            value = self._together(calls, (value, *(
                self._current(path, current, axes) for current in given.more)))
        calls.currents.extend(value.exprs)

    def _entry(self, calls: Calls) -> list[Link]:
        links = []
        for position, linear in enumerate(calls.described.entry):
            key = ("entry", calls.path, position)
            links.append(self.recorder.links.setdefault(key, Link(linear, calls.path)))
        return links

    def _together(self, calls: Calls, values: tuple[Value, ...]) -> Value:
        """Several currents as one that has them one behind the other."""
        size, parts = prod(calls.shape), []
        for position, value in enumerate(values):
            key = ("current", calls.path, position)
            if key not in self.recorder.links:
                ends = np.arange(size)
                matrix = scipy.sparse.coo_array(
                    (np.ones(size, np.float32), (ends, ends + position * size)),
                    shape=(size, len(values) * size))
                self.recorder.links[key] = Link(from_matrix(
                    matrix, calls.shape, (len(values), *calls.shape)), calls.path)
            parts.append(value.then(self.recorder.links[key], value.dims))
        exprs = zip(*(part.exprs for part in parts), strict=True)
        return Value(values[0].dims, tuple(reduce(Expr.plus, each) for each in exprs))

    def _current(self, path: str, current: torch.Tensor, axes: str) -> Value:
        known = self.recorder.known(current)
        if isinstance(known, Opaque):
            if known.mixes_axes:
                raise NotTraceableError(str(known.error), True)
            raise known.error
        leading = _leading(axes)
        if known is None:
            if axes == MERGED:
                raise NotTraceableError(f"{path} takes a constant of merged samples and steps")
            tags_of = "B" + "F" * (current.dim() - 2) + "T" if axes == STEPS_LAST else axes
            dims = dims_of(tags_of, current.shape)
            expr = constant_expr(current, dims)
            steps = current.shape[tags_of.index("T")] if "T" in tags_of else 1
            return Value(dims, (expr,) * steps)
        tags = ["".join(axis.tag for axis in dim) for dim in known.dims[: len(leading)]]
        rest, ended = known.dims[len(leading):], True
        if axes == STEPS_LAST:
            ended = rest[-1:] in (((Axis("F", 1),),), ((Axis("T", len(known.exprs)),),))
            rest = rest[:-1]
        if tags != leading or not all(map(is_features, rest)) or not rest or not ended:
            wanted = {"B": "(samples, features)", "TB": "(steps, samples, features)",
                      "BT": "(samples, steps, features)", STEPS_LAST: "(samples, features, steps)",
                      MERGED: "(samples x steps, features)"}[axes]
            raise NotTraceableError(f"{path} takes {wanted}, not {tags}", True)
        return known

    def _check_state(self, calls: Calls, variable: str, state: torch.Tensor, samples: int) -> None:
        known = self.recorder.known(state)
        if not calls.currents:
            if known is not None:
                raise TraceError(calls.path, f"its first {variable} is computed from the input")
            if tuple(state.shape) == (samples, *calls.shape):
                start = constant_expr(state, dims_of("B", state.shape)).bias.astype(np.float32)
                start = start.reshape(calls.shape) if start.ndim else start
                calls.initial[variable] = calls.described.in_ir(variable, start)
            return
        last = calls.last.get(variable)
        if not isinstance(known, Value) or last is None or known.exprs[0] is not last.exprs[0]:
            raise TraceError(
                calls.path, f"its state {variable} is changed or set anew between two steps",
                "A neuron must be called once a step and keep its own state.",
            )

    def _leave(self, calls: Calls, gave: Gave) -> None:
        steps = range(len(calls.records.get("spikes", calls.records.get("v", []))),
                      len(calls.currents))
        spiking = calls.described.neuron.spiking
        features = tuple((Axis("F", size),) for size in calls.shape)
        dims = (*calls.leading, *features, *calls.trailing)
        output = calls.sent("spikes" if spiking else "v", steps, self.recorder.links)
        self.recorder.mark(gave.output, Value(dims, output))
        if spiking:
            calls.record("spikes", gave.output, dims)
        for variable, tensor in gave.states.items():
            value = Value(((Axis("B", _samples(dims)),), *features),
                          calls.sent(variable, steps[-1:], self.recorder.links))
            if tuple(tensor.shape) == (_samples(dims), *calls.shape):
                calls.last[variable] = value
                self.recorder.mark(tensor, value)
                if variable not in gave.series and variable != "spikes":
                    calls.record_last(variable, tensor, len(steps))
        for variable, tensor in gave.series.items():
            calls.record(variable, tensor, dims)
            if tensor is not gave.output and variable != "spikes":
                self.recorder.mark(tensor, Value(dims, calls.sent(
                    variable, steps, self.recorder.links)))


def _leading(axes: str) -> list[str]:
    """Tags of each axis in front of the features: "TB" -> T, B; "(BT)" -> BT; "B..T" -> B."""
    return [axes[1:-1]] if axes.startswith("(") else list(axes.partition("..")[0])


def _samples(dims: Dims) -> int:
    return next(axis.size for dim in dims for axis in dim if axis.tag == "B")
