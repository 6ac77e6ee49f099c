"""Run an exported program as a module whose neurons are their library's own again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import _disable_current_modes

from nmcompile.errors import (
    DamagedFileError,
    ModelFileError,
    ModelSizeError,
    UnsupportedLayerError,
    UnsupportedNeuronError,
)
from nmcompile.frontends.loading.export_file import DTYPES, Program, Step
from nmcompile.frontends.loading.export_neurons import (
    LIBRARIES,
    OWN,
    own_operation,
    rebuilt_neuron,
    refuse_unreadable,
    takes_series,
)

STATES = ("mem", "syn", "spk", "v")  # attributes in which a neuron keeps its state
TOLERANCE = 1e-5
# Operations that are run. None of them touches anything but its tensors.
OPERATIONS = frozenset("""
    _assert_tensor_metadata abs adaptive_avg_pool2d add add_ alias arange avg_pool1d avg_pool2d
    batch_norm bmm cat chunk clamp clone constant_pad_nd contiguous conv1d conv2d conv3d
    conv_transpose2d cumsum detach detach_ div dropout einsum empty_like eq expand fill_ flatten
    flip full full_like ge gelu gt index index_select layer_norm le lift_fresh_copy linear log
    log_softmax lt matmul max max_pool2d maximum mean min minimum mm movedim mul mul_ narrow ne neg
    new_zeros ones ones_like pad permute pixel_shuffle pow reciprocal relu repeat reshape roll rsub
    rsqrt select sigmoid slice softmax split split_with_sizes sqrt squeeze stack sub sub_ sum t tanh
    to transpose tril triu type_as unbind unflatten unsqueeze upsample_nearest2d view where zeros
    zeros_like
""".split())
MAX_DEPTH = 50  # of modules in modules
PLAIN = ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string")
Call = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """Consecutive steps of one call of a module: of a neuron, or of anything else.

    escaping  results of a neuron's steps that later steps use, in order
    """

    where: Call
    neuron: bool
    steps: tuple[Step, ...]
    escaping: tuple[str, ...] = ()


class Values(dict[str, Any]):
    """Tensors of a run by name; a name that nothing makes is the file's fault."""

    def __missing__(self, name: str) -> Any:
        """Refuse the name."""
        raise DamagedFileError(
            "exported program", f"it uses '{name[:80]}', which nothing in it makes",
            "Export it again.")


class Scope(nn.Module):
    """Stands for a module of the exported model, so that its operations have a place."""

    def forward(self, function: Callable[[], None]) -> None:
        """Run the operations of one call."""
        function()


class ExportedModel(nn.Module):
    """The program with each neuron's operations replaced by a call of the neuron.

    Every call is compared with what the program's own operations give.
    """

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.exported_shape = program.shape
        self.program = program
        _require_known(program)
        self._constants = program.constants
        self._segments, self._fed = _segments(program), _fed(program)
        self._places: dict[str, nn.Module] = {}
        for segment in self._segments:
            if segment.where[1] not in self._places:
                self._places[segment.where[1]] = self._place(segment)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The program's outputs."""
        if tuple(x.shape) != self.exported_shape:
            shape = " x ".join(map(str, self.exported_shape))
            raise RuntimeError(f"it was exported for inputs of shape {shape}")
        values = Values(self._constants)
        values[self.program.given] = x
        for segment in self._segments:
            place = self._places[segment.where[1]]
            if segment.neuron:
                self._call(segment, place, values)
            elif segment.where[1]:
                place(lambda steps=segment.steps: _run(steps, values))
            else:
                _run(segment.steps, values)
        return tuple(values[name] for name in self.program.outputs)

    def _place(self, segment: Segment) -> nn.Module:
        path, kind = segment.where[1:]
        if not path:
            return Scope()
        place: nn.Module
        if segment.neuron:
            place = rebuilt_neuron(path, kind, self.program.named, segment.steps)
        else:
            place = type(kind.rpartition(".")[2], (Scope,), {})()
        if path.count(".") > MAX_DEPTH:
            raise ModelSizeError(
                str(self.program.path), f"holds modules more than {MAX_DEPTH} deep")
        holder: nn.Module = self
        for name in path.split(".")[:-1]:
            if name not in holder._modules:
                holder._modules[name] = Scope()
            holder = holder.get_submodule(name)
        holder._modules[path.rpartition(".")[2]] = place
        return place

    def _call(self, segment: Segment, neuron: nn.Module, values: Values) -> None:
        """Call `neuron` with the one tensor that comes from outside, and check what it gives."""
        path, own = segment.where[1], Values(values)
        with _disable_current_modes():
            _run(segment.steps, own)
            inputs = self._inputs(segment, neuron, values)
        if len(inputs) != 1:
            raise UnsupportedNeuronError(
                path, f"{len(inputs)} tensors go into this neuron of the exported "
                "program, expected one beside its state")
        result = neuron(values[inputs[0]])
        spikes = result[0] if isinstance(result, tuple) else result
        given = {name: getattr(neuron, name, None) for name in STATES} | {"spk": spikes}
        for name, variable in zip(segment.escaping, _variables(segment, neuron), strict=True):
            with _disable_current_modes():
                agrees = _same(own[name], given[variable])
            if not agrees:
                raise UnsupportedNeuronError(
                    path, f"its {variable} in the exported program is not what a "
                    f"{type(neuron).__name__} of these parameters gives",
                    "Save the model itself with torch.save(model, path).")
            values[name] = given[variable]

    def _inputs(
        self, segment: Segment, neuron: nn.Module, values: Values
    ) -> list[str]:
        """Names of tensors that enter the neuron, without its state of the last step."""
        inside = {name for step in segment.steps for name in step.results}
        used = dict.fromkeys(name for step in segment.steps for name in _names(step))
        states = [getattr(neuron, n) for n in STATES if hasattr(neuron, n)]
        entering = [n for n in used if n in self._fed and n not in inside
                    and not any(values[n] is state for state in states)]
        if len(entering) == 1:
            return entering
        return [n for n in entering if not any(_same(values[n], state) for state in states)]


def _fed(program: Program) -> set[str]:
    """Names of all tensors that depend on the input."""
    fed = {program.given}
    for step in program.steps:
        if fed.intersection(_names(step)) and not step.target.startswith("aten.zeros_like"):
            fed.update(step.results)
    return fed


def _same(a: Any, b: Any) -> bool:
    return (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.shape == b.shape
            and torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE))


def _variables(segment: Segment, neuron: nn.Module) -> list[str]:
    """Which of the neuron's variables each escaping result is: spikes end in their factor."""
    last = {step.results[1] for step in segment.steps if step.target in OWN}
    if last:
        return ["v" if name in last else "spk" for name in segment.escaping]
    factor = [step for step in segment.steps if step.target == "aten.mul.Tensor"
              and any("graded_spikes_factor" in name for name in _names(step))]
    spikes = {name for step in factor for name in step.results}
    states = [name for name in segment.escaping if name not in spikes]
    names = ["syn", "mem"] if len(states) == 2 and hasattr(neuron, "syn") else ["mem"] * len(states)
    by_name = dict(zip(states, names, strict=True))
    return [by_name.get(name, "spk") for name in segment.escaping]


def _segments(program: Program) -> tuple[Segment, ...]:
    segments = []
    for (where, neuron), steps in groupby(program.steps, _owner):
        segments.append(Segment(where=where, neuron=neuron, steps=tuple(steps)))
    used_after: set[str] = set(program.outputs)
    closed = []
    for segment in reversed(segments):
        results = [name for step in segment.steps for name in step.results]
        escaping = tuple(name for name in results if name in used_after)
        closed.append(Segment(where=segment.where, neuron=segment.neuron, steps=segment.steps,
                              escaping=escaping))
        used_after |= {name for step in segment.steps for name in _names(step)}
    counts = [segment.where[1] for segment in closed
              if segment.neuron and not takes_series(segment.steps)]
    if counts and len(set(counts)) == len(counts):
        raise ModelFileError(
            str(program.path), "was exported for a single step, without the states of "
            "its neurons", "Export a model whose forward holds the loop over steps.")
    return tuple(reversed(closed))


def _owner(step: Step) -> tuple[Call, bool]:
    """The neuron around an operation, or else its innermost module."""
    for where in step.where:
        if where[2].startswith(LIBRARIES):
            return where, True
    return (step.where[-1] if step.where else ("", "", "")), False


def _names(step: Step) -> list[str]:
    """Tensors that an operation uses."""
    names = []
    for _, (kind, value) in (*step.args, *step.keywords):
        if kind == "as_tensor":
            names.append(value["name"])
        elif kind == "as_tensors":
            names += [item["name"] for item in value]
        elif kind == "as_optional_tensors":
            names += [item["as_tensor"]["name"] for item in value if "as_tensor" in item]
    return names


def _require_known(program: Program) -> None:
    for step in program.steps:
        for _, path, kind in step.where:
            refuse_unreadable(path, kind)
        if _operation(step.target) is None:
            raise UnsupportedLayerError(
                str(program.path), f"uses the operation {step.target[:80]}, which is "
                "not among those that are run")


def _operation(target: str) -> OpOverload | None:
    """The aten operation that "aten.add.Tensor" names, if it is one of those that are run.

    A file may write any attribute in the place of the overload: only torch's own list of overloads
    decides what is one.
    """
    if target in OWN:
        return own_operation(target)
    library, name, overload = (*target.split("."), "", "")[:3]
    if library != "aten" or name not in OPERATIONS or target.count(".") != 2:
        return None
    packet = getattr(torch.ops.aten, name)
    found = getattr(packet, overload) if overload in packet.overloads() else None
    return found if isinstance(found, OpOverload) else None


def _run(steps: tuple[Step, ...], values: Values) -> None:
    """Run operations, adding their results to `values`."""
    for step in steps:
        function = _operation(step.target)
        assert function is not None
        args = [_argument(value, values) for _, value in step.args]
        keywords = {key: _argument(value, values) for key, value in step.keywords}
        out = function(*args, **keywords)
        results = list(out) if step.several or isinstance(out, tuple) else [out]
        if not all(isinstance(result, torch.Tensor | None) for result in results):
            raise UnsupportedLayerError("exported program", f"{step.target} does not give tensors")
        values.update(zip(step.results, results, strict=False))


def _argument(item: tuple[str, Any], values: Values) -> Any:
    kind, value = item
    if kind == "as_optional_tensors":
        return [values[e["as_tensor"]["name"]] if "as_tensor" in e else None for e in value]
    if kind in ("as_none", "as_memory_format", "as_layout"):
        return None
    readers: dict[str, Callable[[], Any]] = {
        "as_tensor": lambda: values[value["name"]],
        "as_tensors": lambda: [values[entry["name"]] for entry in value],
        "as_scalar_type": lambda: DTYPES[value],
        "as_device": lambda: torch.device("cpu"),
        **dict.fromkeys(PLAIN, lambda: value),
    }
    if kind not in readers:
        raise UnsupportedLayerError(
            "exported program", f"an argument of kind {kind} is not supported")
    return readers[kind]()
