"""Operations at the end of a model that change no decision, and may therefore be left out."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from nmcompile.frontends.tracing.values import Kept, Opaque, Value, holds, is_features

SHIFTING = frozenset(["_log_softmax"])  # takes the same from every class: sums of it decide alike
RISING = frozenset(["_softmax", "argmax", "sigmoid", "tanh", "log_sigmoid_forward", "exp"])
PASSING = frozenset(
    ["view", "_unsafe_view", "reshape", "clone", "detach", "alias", "unsqueeze", "squeeze",
     "t", "transpose", "permute", "_to_copy"])
ADDING = frozenset(["sum", "mean", "add", "add_", "div", "stack", "cat"])  # or laying side by side


def kept_by(name: str, args: tuple[Any, ...], known: list[Value | Opaque]) -> Kept:
    """What operation `name` leaves of the decisions of what it was given.

    known  what its arguments depend on; those that cannot be followed must themselves keep it
    """
    hidden = [k for k in known if isinstance(k, Opaque)]
    kept = min((k.kept for k in hidden), default=Kept.SUMS)
    if (hidden and len(hidden) < len(known)) or kept is Kept.NOTHING:
        return Kept.NOTHING
    if hidden and name in PASSING:
        return kept
    if hidden and name in ADDING:
        return kept if kept is Kept.SUMS and _by_numbers(args, len(known)) else Kept.NOTHING
    if len(known) != 1 or not _over_features(args, known[0]):
        return Kept.NOTHING
    if name in SHIFTING and kept is Kept.SUMS:
        return kept
    rises = name in SHIFTING | RISING and not _has_steps(args[0], known[0])
    return Kept.LARGEST if rises else Kept.NOTHING


def _by_numbers(args: tuple[Any, ...], tracked: int) -> bool:
    """True where nothing but the `tracked` tensors and numbers, of which none is below 0, is given.

    A sum or quotient with other tensors may raise one class above another.
    """
    leaves = tree_leaves(args)
    tensors = sum(isinstance(leaf, torch.Tensor) for leaf in leaves)
    return tensors <= tracked and not any(isinstance(n, float) and n < 0 for n in leaves)


def _over_features(args: tuple[Any, ...], known: Value | Opaque) -> bool:
    """True where the axis that an operation is told, if it is told one, may hold features."""
    axis = args[1] if len(args) > 1 else None
    if isinstance(known, Opaque) or not isinstance(axis, int):
        return True
    return is_features(known.dims[axis])


def _has_steps(tensor: torch.Tensor, known: Value | Opaque) -> bool:
    """True where `tensor` has an axis of steps, or may have one."""
    if isinstance(known, Value):
        return any(holds(dim, "T") for dim in known.dims)
    axes = [sum(not holds(dim, "T") for dim in value.dims) for value in known.origins]
    return tensor.dim() > min(axes, default=0)
