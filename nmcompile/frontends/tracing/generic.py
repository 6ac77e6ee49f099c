"""Operations that have no handler of their own: tried on random values, kept if linear."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import torch
from torch.utils._pytree import tree_map

from nmcompile.frontends.tracing.probe import Found, probe
from nmcompile.frontends.tracing.recorder import Call, Result
from nmcompile.frontends.tracing.selections import without_lost
from nmcompile.frontends.tracing.values import Expr, NotTraceableError, Value

# Their result does not depend on the values of their argument.
CONSTANTS = frozenset(
    ["zeros_like", "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_empty",
     "new_full", "sym_size", "new_empty_strided", "empty_strided"]
)


def fallback(call: Call) -> Result:
    """The value of an operation by probing; None for what does not depend on its argument."""
    if call.name in CONSTANTS:
        if "empty" in call.name:
            call.out.zero_()  # what memory happens to hold is no constant of the model
        return None
    tracked = call.tracked()
    if len({id(tensor) for tensor, _ in tracked}) != 1:
        raise NotTraceableError("it combines several tensors that depend on spikes")
    if call.function._schema.is_mutable:
        raise NotTraceableError("it changes a tensor in place")
    if not isinstance(call.out, torch.Tensor):
        raise NotTraceableError("it is not linear")
    return apply_probed(call, tracked[0][1])


def apply_probed(
    call: Call, value: Value, function: Callable[[torch.Tensor], torch.Tensor] | None = None,
    key: Hashable = None,
) -> Value:
    """`value` after `function` (default: the call as it is, of its one tracked argument)."""
    found = _found(call, value, function, key)
    changed = value
    if found.map is not None:
        linear = found.map
        name = (call.name, _key(call, value, function, key))
        changed = without_lost(value.then(call.link(name, lambda: linear), found.dims))
    if np.any(found.bias):
        changed = changed.each(lambda e: Expr(e.terms, e.bias + found.bias))
    return Value(found.dims, changed.exprs)


def _found(
    call: Call, value: Value, function: Callable[[torch.Tensor], torch.Tensor] | None,
    key: Hashable,
) -> Found:
    name, memory = _key(call, value, function, key), call.recorder.probed
    if name not in memory:
        try:
            memory[name] = probe(function or _as_function(call), value)
        except NotTraceableError as reason:
            memory[name] = reason
        except (RuntimeError, IndexError, TypeError) as error:
            memory[name] = NotTraceableError(f"it could not be tried out ({str(error)[:80]})")
    found = memory[name]
    if isinstance(found, NotTraceableError):
        raise found
    return found


def _as_function(call: Call) -> Callable[[torch.Tensor], torch.Tensor]:
    """The call as a function of its tracked argument."""
    tensor = call.tracked()[0][0]

    def run(x: torch.Tensor) -> torch.Tensor:
        args, kwargs = tree_map(lambda leaf: x.clone() if leaf is tensor else leaf,
                                (call.args, call.kwargs))
        out: torch.Tensor = call.function(*args, **kwargs)
        return out

    return run


def _key(
    call: Call, value: Value, function: Callable[[torch.Tensor], torch.Tensor] | None,
    key: Hashable,
) -> Hashable:
    if function is not None:
        return (call.name, key, value.dims)
    described = tree_map(
        lambda leaf: (call.recorder.key(leaf) if call.value(leaf) is None else "x")
        if isinstance(leaf, torch.Tensor) else leaf, (call.args, call.kwargs))
    return (str(call.function), repr(described), value.dims)
