"""What is kept of tensors that cannot be followed, and of operations that are tried out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.tracing.extent import _convolved, _pooled_at_most, require_modest
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
    ("cat", ([WIDE.expand(4000, -1)],), "280,000,000"),
    ("stack", ([WIDE.expand(2000, -1)] * 2,), "280,000,000"),
    ("max_pool2d_with_indices", (torch.zeros(1).expand(1, 17_000, 17_000), [1], [1]), "578,000,000"),
    ("bmm", (torch.zeros(3, 20_000, 1), torch.zeros(3, 1, 20_000)), "1,200,000,000"),
])
def test_a_result_too_large_is_refused_before_it_takes_memory(
    name: str, args: tuple[torch.Tensor, ...], elements: str
) -> None:
    with pytest.raises(NmcError, match=f"{name} gives {elements} numbers; 268,435,456 are"):
        require_modest(name, getattr(torch.ops.aten, name), args, {}, "model")


@given(st.data())
def test_the_size_of_a_convolution_is_torchs(data: st.DataObject) -> None:
    axes, groups = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    of = {name: data.draw(st.lists(st.integers(low, 3), min_size=axes, max_size=axes))
          for name, low in (("stride", 1), ("padding", 0), ("dilation", 1), ("kernel", 1))}
    transposed = data.draw(st.booleans())
    more = [min(stride, gap) - 1 if transposed else 0
            for stride, gap in zip(of["stride"], of["dilation"], strict=True)]
    sizes = [gap * (kernel - 1) + 1 + data.draw(st.integers(0, 5))
             for gap, kernel in zip(of["dilation"], of["kernel"], strict=True)]
    shown, weight = torch.zeros(2, 2 * groups, *sizes), (
        torch.zeros(2 * groups, 3, *of["kernel"]) if transposed
        else torch.zeros(3 * groups, 2, *of["kernel"]))
    args = (shown, weight, None, of["stride"], of["padding"], of["dilation"], transposed, more,
            groups)
    try:
        result = torch.ops.aten.convolution(*args)
    except RuntimeError:  # padding leaves nothing of it
        assume(False)
    assert _convolved(args) == result.numel()


@pytest.mark.parametrize(("pool", "size"), [
    (nn.AvgPool2d(2), (2, 3, 7, 8)), (nn.AvgPool2d(3, 1, 1, ceil_mode=True), (3, 7, 8)),
    (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 3, 7, 8)), (nn.AvgPool3d(1, 1), (1, 2, 3, 4, 5))])
def test_a_pooling_gives_no_more_than_is_said(pool: nn.Module, size: tuple[int, ...]) -> None:
    window = [pool.kernel_size] * (len(size) - 2 if len(size) > 3 else 2)
    pads = [pool.padding] * len(window)
    result = pool(torch.zeros(size))
    assert result.numel() <= _pooled_at_most((torch.zeros(size), window, window, pads))
