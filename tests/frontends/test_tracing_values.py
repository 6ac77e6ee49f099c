"""What is kept of tensors that cannot be followed, and of operations that are tried out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from nmcompile.errors import NmcError
from nmcompile.frontends.tracing.extent import require_modest
from nmcompile.frontends.tracing.probe import probe
from nmcompile.frontends.tracing.values import (
    Expr,
    NotTraceableError,
    Opaque,
    Term,
    Value,
    dims_of,
)


def series(steps: int) -> Value:
    exprs = tuple(Expr((Term("input", "spikes", step),), np.zeros(())) for step in range(steps))
    return Value(dims_of("TB", (steps, 5, 3)), exprs)


def test_what_is_used_twice_in_each_of_many_operations_is_one_origin() -> None:
    first, second, error = series(1), series(1), NmcError("model", "it is not linear")
    known = Opaque(error, False, (first, second))
    for _ in range(200):  # 2 ** 200 where each use counts
        known = Opaque(error, False, (known, second, known))
    assert known.origins == (first, second)


@pytest.mark.parametrize(
    "function",
    [lambda x: torch.roll(x, 1, 0), lambda x: torch.roll(x, 3, 0), lambda x: torch.roll(x, 1, 1),
     lambda x: x.flip(0), lambda x: x - x.mean(1, keepdim=True),
     lambda x: x + 0.5 * torch.roll(x, 2, 0)],
)
def test_what_moves_or_joins_samples_or_steps_is_no_map_of_features(
    function: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    with pytest.raises(NotTraceableError) as error:
        probe(function, series(7))
    assert error.value.mixes_axes
    assert error.value.reason == "it mixes samples or steps"


def test_what_moves_features_alone_is_a_map_of_them() -> None:
    found = probe(lambda x: torch.roll(x, 1, 2), series(7))
    assert found.map is not None
    assert found.map.apply(np.array([[1.0, 2.0, 3.0]])).tolist() == [[3.0, 1.0, 2.0]]


COLUMN, WIDE = torch.zeros(70_000, 1), torch.zeros(70_000)


@pytest.mark.parametrize(("name", "args", "elements"), [
    ("add", (COLUMN, WIDE), "4,900,000,000"),
    ("where", (COLUMN > 0, WIDE, torch.zeros(1)), "4,900,000,000"),
    ("mm", (COLUMN, COLUMN.t()), "4,900,000,000"),
    ("addmm", (torch.zeros(1), COLUMN, COLUMN.t()), "4,900,000,000"),
    ("bmm", (torch.zeros(3, 20_000, 1), torch.zeros(3, 1, 20_000)), "1,200,000,000"),
])
def test_a_result_too_large_is_refused_before_it_takes_memory(
    name: str, args: tuple[torch.Tensor, ...], elements: str
) -> None:
    with pytest.raises(NmcError, match=f"{name} gives {elements} numbers; 268,435,456 are"):
        require_modest(name, getattr(torch.ops.aten, name), args, {}, "model")
