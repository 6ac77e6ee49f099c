"""Operations at the end of a model that change no decision, and may therefore be left out."""

from __future__ import annotations

from typing import Any

from nmcompile.frontends.tracing.values import Opaque, Value, is_features

SHIFTING = frozenset(["_log_softmax"])  # takes the same from every class: sums of it decide alike
RISING = frozenset(["_softmax", "argmax", "sigmoid", "tanh", "log_sigmoid_forward", "exp"])
PASSING = frozenset(
    ["view", "_unsafe_view", "reshape", "clone", "detach", "alias", "unsqueeze", "squeeze",
     "stack", "cat", "select", "t", "transpose", "permute", "_to_copy", "unbind"])
ADDING = frozenset(["sum", "mean", "add", "add_", "div"])


def keeps_decisions(name: str, args: tuple[Any, ...], known: list[Value | Opaque]) -> bool:
    """Whether operation `name` leaves the largest element of each sample the largest.

    known  what its arguments depend on; those that cannot be followed must themselves be such
    """
    hidden = [k for k in known if isinstance(k, Opaque)]
    if not hidden:
        return len(known) == 1 and name in SHIFTING | RISING and _over_features(args, known[0])
    if len(hidden) != len(known) or not all(k.keeps_decisions for k in hidden):
        return False
    shifted = all(any(f"{n.strip('_')}:" in k.error.what for n in SHIFTING) for k in hidden)
    return name in PASSING or name in SHIFTING | RISING or (shifted and name in ADDING)


def _over_features(args: tuple[Any, ...], value: Value | Opaque) -> bool:
    """True where the axis that an operation is told, if it is told one, holds features."""
    axis = args[1] if len(args) > 1 else None
    assert isinstance(value, Value)
    return not isinstance(axis, int) or is_features(value.dims[axis])
