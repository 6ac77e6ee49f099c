"""Records what tensors depend on while a model runs, one aten operation at a time."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from nmcompile.errors import NmcError, TraceError, UnsupportedLayerError
from nmcompile.frontends.tracing.calls import Calls
from nmcompile.frontends.tracing.endings import kept_by
from nmcompile.frontends.tracing.extent import require_modest
from nmcompile.frontends.tracing.probe import Found
from nmcompile.frontends.tracing.values import Link, NotTraceableError, Opaque, Value
from nmcompile.ir.maps import Grid, LinearMap

ACCEPTED = ("Between neurons, linear layers, convolutions, average pooling, max pooling of spikes, "
            "batch normalisation, reshapes, sums and constant factors are accepted.")
WITHIN = "Write it with operations of torch, the same in every step."
LIBRARIES = tuple(
    str(Path(module.__file__).parent) for module in (torch, sys.modules["nmcompile"])
    if module.__file__
)
DRIVER = str(Path(__file__).with_name("readings.py"))  # the user's code runs inside of it
# Operations by which Python code learns the values of a tensor.
DECISIONS = frozenset(["_local_scalar_dense", "is_nonzero", "nonzero", "equal", "item"])
MAX_CALLS = 300_000  # operations and modules of one run; 1,000 steps of 20 layers take some 60,000
# By code that is given tensors of another shape than it is written for.
RAISED = (RuntimeError, LookupError, ValueError, TypeError, AttributeError, AssertionError,
          ArithmeticError)
BUG = "nmcompile itself failed on it; please report it with the model"
RANDOM = "numbers that are drawn anew in each run"
DECIDES = "the model's code decides by the values of its spikes"
Known = Value | Opaque
Result = Known | list[Known | None] | None


@dataclass(frozen=True, eq=False)
class Call:
    """One operation: its name ("addmm"), what it was called with and what it gave.

    before  a constant that the operation changed in place, as it was
    """

    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    recorder: Recorder
    before: torch.Tensor | None = None

    def constant(self, argument: object) -> object:
        """An argument that depends on nothing, as it was before the operation."""
        return self.before if self.before is not None and argument is self.args[0] else argument

    def value(self, argument: object) -> Value | None:
        """What is known of an argument, None for a constant."""
        known = self.recorder.known(argument)
        assert not isinstance(known, Opaque)
        return known

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position or name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def tracked(self) -> list[tuple[torch.Tensor, Value]]:
        """The arguments that depend on spikes."""
        leaves = tree_leaves((self.args, self.kwargs))
        pairs = [(leaf, self.value(leaf)) for leaf in leaves if isinstance(leaf, torch.Tensor)]
        return [(tensor, value) for tensor, value in pairs if value is not None]

    def changed(self) -> list[torch.Tensor]:
        """The tensors that it writes into."""
        if not self.function._schema.is_mutable:
            return []
        given = [*self.args, *(self.kwargs.get(a.name) for a in
                               self.function._schema.arguments[len(self.args):])]
        pairs = zip(self.function._schema.arguments, given, strict=True)
        return [leaf for a, item in pairs if a.alias_info and a.alias_info.is_write
                for leaf in tree_leaves(item) if isinstance(leaf, torch.Tensor)]

    def link(self, key: Hashable, build: Callable[[], LinearMap]) -> Link:
        """The link that was made for `key` before, or a new one of `build()`."""
        links = self.recorder.links
        if key not in links:
            links[key] = Link(build(), self.recorder.module())
        return links[key]


class EndlessError(TraceError):
    """A run of more operations than are followed."""


Handlers = dict[str, Callable[[Call], Result]]


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs every operation, and notes what its result is in terms of the marked tensors.

    neurons  the populations found so far, in the order of their first call
    grids    storage of weights that were trained as integers -> the weights and their grid
    steps    path of a module that rounds its weights -> the distance of their levels
    rounding paths of modules that round what the model is given
    unmarked operation -> what sees it where it takes nothing that was marked
    told     what the user should know of the run
    followed operations whose results can be compiled
    lost     why the first result could not be followed, if not for mixed axes
    parents  a step that was selected from a tensor -> that tensor
    """

    def __init__(self, handlers: Handlers, fallback: Callable[[Call], Result]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.handlers, self.fallback = handlers, fallback
        self.neurons: dict[str, Calls] = {}
        self.grids: dict[int, tuple[torch.Tensor, Grid]] = {}
        self.steps: dict[str, float] = {}
        self.rounding: set[str] = set()
        self.unmarked: dict[str, Callable[[Call], None]] = {}
        self.told: dict[str, None] = {}
        self.links: dict[Hashable, Link] = {}
        self.probed: dict[Hashable, Found | NotTraceableError] = {}
        self.modules: list[tuple[str, str]] = []
        self.lost: NmcError | None = None
        self.paused = self.calls = self.followed = 0
        self.lasting: set[int] = set()  # storages of the model's parameters and buffers
        self.parents = WeakTensorKeyDictionary()
        self._known = WeakTensorKeyDictionary()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to skip it, torch imports all of its compiler, a third of the time of a trace."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run `func` and record its result."""
        kwargs = kwargs or {}
        self.count()
        leaves = [] if self.paused else tree_leaves((args, kwargs))
        known = [k for k in map(self.known, leaves) if k is not None]
        name = func.overloadpacket.__name__
        require_modest(name, func, args, kwargs, self.module() or "model")
        before = self._constant_changed(func, args) if known else None
        out = func(*args, **kwargs)
        if known:
            self._note(Call(name, func, args, kwargs, out, self, before), known)
        elif name in self.unmarked and not self.paused:
            self.unmarked[name](Call(name, func, args, kwargs, out, self))
        elif torch.Tag.nondeterministic_seeded in func.tags and not self.paused:
            self._mark_all(Call(name, func, args, kwargs, out, self),
                           self.opaque(NotTraceableError(RANDOM), [], name))
        return out

    def _constant_changed(self, func: Any, args: tuple[Any, ...]) -> torch.Tensor | None:
        first = args[0] if args and func._schema.is_mutable else None
        if isinstance(first, torch.Tensor) and self.known(first) is None:
            return first.clone()
        return None

    def count(self) -> None:
        """Count one call of an operation or module, and end a run that has no end."""
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise EndlessError(self.module() or "model", f"one run of the model takes more than "
                               f"{MAX_CALLS:,} operations", "Give a sample of fewer steps.")

    def known(self, item: object) -> Known | None:
        """What a tensor depends on; None for what depends on nothing."""
        if not isinstance(item, torch.Tensor) or item not in self._known:
            return None
        known, version = self._known[item]
        if item._version != version and isinstance(known, Value):
            return self.opaque(NotTraceableError("a tensor was changed in place"), [known])
        result: Known = known
        return result

    def marked(self) -> list[torch.Tensor]:
        """The tensors that something is known of."""
        return [tensor for tensor in self._known if tensor.layout == torch.strided]

    def mark(self, tensor: torch.Tensor, known: Known, written: bool = False) -> None:
        """Note what `tensor` is; `written` where it has just been changed in place."""
        self._known[tensor] = (known, tensor._version + written)

    def _mark_result(self, call: Call, out: torch.Tensor, known: Known) -> None:
        """Note a result; a view counts the changes of what it views, if only after this call."""
        first = call.args[0] if call.args else None
        written = any(out is tensor for tensor in call.changed())
        if isinstance(first, torch.Tensor) and _share(first, out):
            self._known[out] = (known, first._version + written)
        else:
            self.mark(out, known, written)

    def module(self) -> str:
        """Path of the module that is running."""
        return self.modules[-1][0] if self.modules else ""

    def opaque(self, reason: NotTraceableError, known: list[Any], name: str = "") -> Opaque:
        """A result that cannot be compiled, with where it came about."""
        path, kind = self.modules[-1] if self.modules else ("", "")
        where = f"{path or 'model'} ({kind})" if kind else path or "model"
        operation = f"{name.strip('_')}: " if name else ""
        fault, hint = (UnsupportedLayerError, ACCEPTED) if name else (TraceError, WITHIN)
        error = fault(where, f"{operation}{reason.reason}{source_line()}", hint)
        if not reason.mixes_axes:
            self.lost = self.lost or error
        return Opaque(error, reason.mixes_axes, tuple(known))

    def grid(self, weight: torch.Tensor) -> Grid | None:
        """The grid of `weight`, whole or a transposed matrix, if it was trained as integers."""
        if weight.layout != torch.strided:
            return None
        stored, grid = self.grids.get(weight.untyped_storage().data_ptr(), (None, None))
        if stored is None or grid is None:
            return None
        if weight.shape == stored.shape and weight.stride() == stored.stride():
            return grid
        if weight.dim() == 2 and weight.t().shape == stored.shape:
            return grid.transposed()
        return None

    def key(self, tensor: torch.Tensor) -> Hashable:
        """A key that equal constants share."""
        if tensor.layout != torch.strided:
            sparse = tensor.to_sparse_coo().coalesce()  # type: ignore[no-untyped-call]
            return (*sparse.shape, self.key(sparse.indices()), self.key(sparse.values()))
        storage = tensor.untyped_storage().data_ptr()
        if storage in self.lasting:
            return (storage, tensor.storage_offset(), *tensor.shape, *tensor.stride(),
                    tensor._version)
        digest = hashlib.blake2b(tensor.detach().contiguous().numpy().tobytes(), digest_size=16)
        return (tuple(tensor.shape), str(tensor.dtype), digest.digest())

    def _note(self, call: Call, known: list[Known]) -> None:
        hidden = [k for k in known if isinstance(k, Opaque)]
        if call.name in DECISIONS:
            raise self.opaque(NotTraceableError(DECIDES), list(known)).error
        try:
            if hidden:
                result: Result = Opaque(
                    hidden[0].error, any(k.mixes_axes for k in hidden), tuple(known),
                    kept_by(call.name, call.args, known))
                if call.name in ("zeros_like", "ones_like", "empty_like", "full_like"):
                    result = None
            else:
                result = self.handlers.get(call.name, self.fallback)(call)
        except NotTraceableError as reason:
            result = replace(self.opaque(reason, list(known), call.name),
                             kept=kept_by(call.name, call.args, known))
        except RAISED as error:
            said = f"{BUG} ({type(error).__name__}: {str(error)[:160]})"
            raise self.opaque(NotTraceableError(said), list(known), call.name).error from error
        if isinstance(result, Opaque):
            self._spoil(call, result)
        self._mark_all(call, result)
        self.followed += any(isinstance(k, Value) for k in (
            result if isinstance(result, list) else [result]))

    def _spoil(self, call: Call, result: Opaque) -> None:
        """What has been written into is not known any more, nor what it is a part of."""
        for target in call.changed():
            for tensor in (target, target._base):
                if tensor is not None:
                    self.mark(tensor, result, written=True)

    def _mark_all(self, call: Call, result: Result) -> None:
        outs = list(call.out) if isinstance(call.out, tuple | list) else [call.out]
        results = result if isinstance(result, list) else [result] * len(outs)
        for out, known in zip(outs, results, strict=False):
            if isinstance(out, torch.Tensor) and known is not None:
                self._mark_result(call, out, known)


def _share(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.layout != torch.strided or b.layout != torch.strided:
        return False
    return bool(a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr())


def user_frames() -> Iterator[FrameType]:
    """Where the user's code is, from the innermost function outwards."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.endswith(DRIVER):
        name = frame.f_code.co_filename
        if not name.startswith((*LIBRARIES, "<")) and "site-packages" not in name:
            yield frame
        frame = frame.f_back


def source_line() -> str:
    """Where the user's code was, as " at net.py:12", or nothing."""
    frame = next(user_frames(), None)
    return f" at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else ""


__all__ = ["ACCEPTED", "RAISED", "Call", "EndlessError", "Handlers", "Recorder", "Result",
           "source_line", "user_frames"]
