"""What a model returned: its tensors, and what is known of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from nmcompile.errors import ReadoutError
from nmcompile.frontends.tracing.endings import kept_by
from nmcompile.frontends.tracing.recorder import Known
from nmcompile.frontends.tracing.session import Session
from nmcompile.frontends.tracing.values import Axis, Opaque, Value


def tensors_of(returned: Any) -> list[torch.Tensor]:
    """The tensors in whatever a model returned, in their order.

    Dictionaries behind a tensor are states and records (Rockpool returns both), no outputs.
    """
    if isinstance(returned, tuple) and returned and isinstance(returned[0], torch.Tensor):
        returned = [part for part in returned if not isinstance(part, dict)]
    return [leaf for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor)]


def known_of(session: Session, returned: Any) -> tuple[Known, ...]:
    """What is known of those that depend on the input."""
    return tuple(k for k in map(session.recorder.known, tensors_of(returned)) if k is not None)


def result_of(session: Session, returned: Any) -> torch.Tensor | None:
    """A copy of the first tensor that depends on the input, None without any."""
    followed = (t for t in tensors_of(returned) if session.recorder.known(t) is not None)
    first = next(followed, None)
    return None if first is None else first.detach().clone()


def stacked(results: list[torch.Tensor | None]) -> torch.Tensor | None:
    """The results of all steps with an axis of steps in front; None where one has none."""
    found = [result for result in results if result is not None]
    return torch.stack(found) if len(found) == len(results) > 0 else None


def over_steps(each: list[tuple[Known | None, ...]]) -> tuple[Known, ...]:
    """The tensors returned in each step as tensors with a time axis, without those of constants."""
    return tuple(_series(knowns) for knowns in zip(*each, strict=False) if any(knowns))


def _series(knowns: tuple[Known | None, ...]) -> Known:
    """What was returned in the same place of each step, as one with a time axis."""
    found = [k for k in knowns if k is not None]
    if len(found) < len(knowns):
        raise ReadoutError("model", f"what it returns depends on its input in {len(found)} of "
                           f"{len(knowns)} steps only", "Return the same in every step.")
    hidden = next((k for k in found if isinstance(k, Opaque)), None)
    if hidden is not None:
        return replace(hidden, made_of=tuple(found), kept=kept_by("stack", (), found))
    values = [k for k in found if isinstance(k, Value)]
    dims = ((Axis("T", len(values)),), *values[0].dims)
    return Value(dims, tuple(expr for v in values for expr in v.exprs))
